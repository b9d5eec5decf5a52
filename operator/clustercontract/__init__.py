"""Defines the contract between the operator and the worker: the input and the output of a run and of a check.

Both sides import this package, and it imports neither. It depends only on pydantic.
"""
