"""`kubectl clustertrigger init`: reads a file, a bucket or a table, and writes a Collection and a trigger for it."""
