"""Notifying receivers of runs and checks: what waits to be sent, and the connections to who receives it."""
