"""Runs in the single file before the command, because an old Python would fail far from the cause."""

import sys

OLDEST, NEWEST = (3, 11), (3, 14)
"""The file contains compiled parts for these versions and those between."""

if not OLDEST <= sys.version_info[:2] <= NEWEST:
    sys.exit(
        "kubectl-clustertrigger: python3 is {}.{}, and this file needs Python {}.{} to {}.{}: put one of these first "
        "on the PATH, or install with pipx install 'clustertrigger[cli]'".format(
            *sys.version_info[:2], *OLDEST, *NEWEST
        )
    )
