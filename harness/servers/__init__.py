"""Starts servers that collections are read from, for tests and stories: the real programs."""
