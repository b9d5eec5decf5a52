"""Writes and reads the results of runs."""
