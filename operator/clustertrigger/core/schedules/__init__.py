"""Cron expressions and intervals, and the instants that they name."""
