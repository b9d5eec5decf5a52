"""Reads Parquet files, on volumes and in buckets."""
