"""A run: what it finds, the files that it leaves, and the report."""
