"""Triggers, collections and definitions as they were read, and what is wrong with them."""
