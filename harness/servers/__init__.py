"""Servers that collections are read from, started for tests and stories: the real programs, for as long as needed."""
