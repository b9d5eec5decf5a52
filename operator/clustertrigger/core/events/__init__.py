"""Handles CloudEvents: their content, the triggers that count them, and the events that were already counted."""
