"""Defines errors with a remedy."""


class ClusterError(Exception):
    """A command failed.

    The message has the reason and the remedy in one line; the command line prints it and exits with 2.
    """
