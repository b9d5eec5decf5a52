"""Finds Java 17 for Spark, or installs it on Debian."""

from harness.cluster.commands import find_program
from harness.cluster.debian.optional import install_optional

PACKAGE = "openjdk-17-jre-headless"


def prepare() -> str | None:
    """Installs Debian's if there is none. Returns why that is not possible; None if it is."""
    if find_program("java") is not None:
        return None
    return install_optional({"java": PACKAGE}, "tests of runs on Spark are skipped: there is no Java 17")
