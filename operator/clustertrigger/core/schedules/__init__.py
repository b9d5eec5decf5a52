"""Computes the slots of cron expressions and intervals."""
