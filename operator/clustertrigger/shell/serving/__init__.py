"""Serves HTTP: shares connections and turns fairly among sources, and answers the probes."""
