"""Provides the metrics for Prometheus: of this process, and of the triggers."""
