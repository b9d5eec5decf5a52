"""Converts objects of the API server and the time to plain data for the templates, without I/O."""
