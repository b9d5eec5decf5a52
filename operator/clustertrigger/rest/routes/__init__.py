"""What the API answers at each path."""
