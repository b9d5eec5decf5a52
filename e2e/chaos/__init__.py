"""Faults on a real control plane: nothing is lost, nothing is doubled, nothing turns in circles."""
