"""kubectl-clustertrigger: validates trigger files, and shows and changes triggers in the cluster."""
