"""What is clustered: collections in any kind of source, as one sequence of documents."""
