"""Action `taxonomy_enrichment`: every document gets its nearest nodes of a taxonomy, by exact cosine search."""
