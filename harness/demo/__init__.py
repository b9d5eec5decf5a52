"""`make demo`: starts a real cluster, runs clusterings, and shows their results."""
