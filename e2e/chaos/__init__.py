"""Tests faults on a real control plane: no slot is lost or fires twice, and nothing is retried in a tight loop."""
