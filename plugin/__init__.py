"""Builds the command as one file, and krew's archives and manifest of it."""
