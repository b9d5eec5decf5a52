"""kubectl-clustertrigger: what can be said about trigger files without a cluster."""
