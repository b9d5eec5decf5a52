"""Reads collections from any kind of source, as one sequence of documents."""
