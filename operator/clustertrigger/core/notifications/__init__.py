"""Defines what receivers get, which receivers are allowed, and how messages are signed."""
