"""Reads collections in Qdrant."""
