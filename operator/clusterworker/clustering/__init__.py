"""Clusters documents, and computes in one pass what the results need of them."""
