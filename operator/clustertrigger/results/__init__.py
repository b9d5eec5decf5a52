"""Reads results of runs with a user's permissions: a short-lived Pod runs a program that reads a file.

The command and clustertrigger-api create that Pod and run the program. This package defines the Pod and the program,
how long to wait, and how to interpret the program's output.
"""
