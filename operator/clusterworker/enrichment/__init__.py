"""Action `taxonomy_enrichment`: assigns every document its nearest nodes of a taxonomy, by exact cosine search."""
