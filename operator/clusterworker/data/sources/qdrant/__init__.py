"""Collections in Qdrant."""
