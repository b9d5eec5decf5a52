"""Keeps measurements over time, and decides which of them are drift."""
