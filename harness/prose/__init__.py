"""Checks the repository's prose against the house style in style.toml: `python -m harness.prose [FILE...]`.

The check is our own because a linter of Markdown does not read error messages and field descriptions, which are string
literals, and because `make lint` must run offline with the packages of the virtual environment alone.
"""
