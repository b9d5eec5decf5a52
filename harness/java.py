"""python3 -m harness.java prepare: install Debian's Java 17, which Spark needs, once, where that is possible."""

import sys

from harness.cluster.commands import find_program
from harness.cluster.debian import packages
from harness.cluster.errors import ClusterError

PACKAGE = "openjdk-17-jre-headless"


def prepare() -> str | None:
    """Install it where there is no Java; return why that is not possible."""
    if find_program("java") is not None:
        return None
    try:
        packages.require_debian()
        packages.install_missing({"java": PACKAGE})
    except ClusterError as error:
        return f"tests of runs on Spark are skipped: there is no Java 17: {error}"
    return None


def main(arguments: list[str]) -> int:
    """Run the one command there is; returns the exit code, which is 0 also where tests will be skipped."""
    if arguments != ["prepare"]:
        print(__doc__, file=sys.stderr)
        return 2
    if reason := prepare():
        print(f"java: {reason}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
