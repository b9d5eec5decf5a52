"""Contains the clustering algorithms."""
