"""kubectl-clustertrigger: checks trigger files, and asks and tells the cluster about triggers."""
