"""Notifies receivers of runs and checks: keeps what waits to be sent, and connects to the receivers."""
