"""Finds Chromium, or installs it on Debian."""

import os

from harness.cluster.commands import find_program
from harness.cluster.debian.optional import install_optional

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = ["--no-sandbox"] if os.geteuid() == 0 else []
"""Options for root, which has no sandbox in Chromium; it shows only pages of this project."""


def chromium() -> str | None:
    """Returns the program; None if there is none."""
    return next((found for name in PROGRAMS if (found := find_program(name)) is not None), None)


def prepare() -> str | None:
    """Installs Debian's if there is none. Returns why that is not possible; None if it is."""
    if chromium() is not None:
        return None
    without = "tests of the page in a browser are skipped: there is no Chromium"
    return install_optional({"chromium": "chromium"}, without)
