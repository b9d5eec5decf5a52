"""Writes what users read on their triggers: the status, and Kubernetes events."""
