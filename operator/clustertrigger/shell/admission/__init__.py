"""Serves the admission webhook, and records which user created an admitted trigger."""
