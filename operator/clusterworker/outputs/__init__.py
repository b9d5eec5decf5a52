"""Writes what a run found about each document to where the documents are: Parquet, PostgreSQL, Qdrant.

A writer knows no clusters. It takes a Table: a column of document ids, and any other columns.
"""
