"""What Prometheus scrapes: what this process does, and how the triggers stand."""
