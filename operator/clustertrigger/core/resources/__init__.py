"""Reads triggers, collections and definitions, and finds what is wrong with them."""
