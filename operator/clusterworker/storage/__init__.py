"""Accesses files in S3, in Google Cloud Storage and on mounted volumes."""
