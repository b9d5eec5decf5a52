"""Names Jobs, builds them, and reads their state from the cluster."""
