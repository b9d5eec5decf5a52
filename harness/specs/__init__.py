"""Specs that models and CRDs must judge alike: a table of them, and random ones."""
