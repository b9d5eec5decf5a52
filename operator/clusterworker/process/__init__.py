"""Provides the process of the worker: a command, its child process, limits, secrets, progress, and the result."""
