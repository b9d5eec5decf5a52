"""Reads PostgreSQL tables, with pgvector or arrays of floats."""
