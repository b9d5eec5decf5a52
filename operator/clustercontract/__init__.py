"""The contract between operator and worker: what a run and a check are given, and what they give back.

Both sides import it, and it imports neither. It needs pydantic and nothing else.
"""
