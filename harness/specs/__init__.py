"""Specs that models and CRDs must judge in the same way: a table of them, and random ones."""
