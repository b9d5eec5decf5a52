"""Reconciles one trigger at a time: schedules it, decides, and executes the actions."""
