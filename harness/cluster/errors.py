"""Errors that a person can act on."""


class ClusterError(Exception):
    """What went wrong and the remedy, in one line; the command line prints it and exits with 2."""
