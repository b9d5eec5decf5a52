"""Writes the result of each document into a collection: Parquet, PostgreSQL or Qdrant.

A writer does not depend on clusters. It gets a Table: a column of document ids, and any other columns.
"""
