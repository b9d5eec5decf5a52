"""Measures how far a collection has moved from the baseline of a run."""
