"""Stores the observed state of the cluster, which watches keep up to date."""
