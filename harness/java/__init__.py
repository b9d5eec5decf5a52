"""Which Java there is, and how it is had on Debian: Spark needs version 17."""

from harness.cluster.commands import find_program
from harness.cluster.debian.optional import install_optional

PACKAGE = "openjdk-17-jre-headless"


def prepare() -> str | None:
    """Install Debian's where there is none; return why that is not possible."""
    if find_program("java") is not None:
        return None
    return install_optional({"java": PACKAGE}, "tests of runs on Spark are skipped: there is no Java 17")
