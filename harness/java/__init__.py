"""Which Java there is, and how it is had on Debian: Spark needs version 17."""

from harness.cluster.commands import find_program
from harness.cluster.debian import packages
from harness.cluster.errors import ClusterError

PACKAGE = "openjdk-17-jre-headless"


def prepare() -> str | None:
    """Install Debian's where there is none; return why that is not possible."""
    if find_program("java") is not None:
        return None
    try:
        packages.require_debian()
        packages.install_missing({"java": PACKAGE})
    except ClusterError as error:
        return f"tests of runs on Spark are skipped: there is no Java 17: {error}"
    return None
