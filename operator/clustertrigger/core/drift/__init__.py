"""Measurements over time, and when they are drift."""
