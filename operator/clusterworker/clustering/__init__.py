"""From documents to clusters, and what one pass over the documents finds out about these."""
