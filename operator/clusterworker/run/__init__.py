"""Carries out runs: finds clusters, and writes the run's folder and the report."""
