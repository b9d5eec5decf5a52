"""The clustering algorithms."""
