"""Which Chromium there is, and how it is had on Debian."""

import os

from harness.cluster.commands import find_program
from harness.cluster.debian.optional import install_optional

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = ["--no-sandbox"] if os.geteuid() == 0 else []
"""root has no sandbox in Chromium; it shows pages of ours only."""


def chromium() -> str | None:
    """Return the program; None where there is none."""
    return next((found for name in PROGRAMS if (found := find_program(name)) is not None), None)


def prepare() -> str | None:
    """Install Debian's where there is none; return why that is not possible."""
    if chromium() is not None:
        return None
    without = "tests of the page in a browser are skipped: there is no Chromium"
    return install_optional({"chromium": "chromium"}, without)
