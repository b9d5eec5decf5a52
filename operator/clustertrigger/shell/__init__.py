"""Performs all I/O: collects the input of decisions, and executes their actions."""
