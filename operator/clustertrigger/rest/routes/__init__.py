"""Serves the paths of the API."""
