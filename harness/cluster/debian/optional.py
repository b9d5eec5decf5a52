"""Installs Debian's programs that only some tests need, once, if possible."""

import sys
from collections.abc import Callable, Sequence

from harness.cluster.debian import packages
from harness.cluster.errors import ClusterError


def install_optional(programs: dict[str, str], without: str) -> str | None:
    """Install the packages of PROGRAMS that are missing; return WITHOUT and the reason where that is not possible."""
    try:
        packages.require_debian()
        packages.install_missing(programs)
    except ClusterError as error:
        return f"{without}: {error}"
    return None


def prepare_command(name: str, usage: str | None, prepare: Callable[[], str | None], arguments: Sequence[str]) -> int:
    """Run the one command there is; returns the exit code, which is 0 also where tests will be skipped."""
    if list(arguments) != ["prepare"]:
        print(usage, file=sys.stderr)
        return 2
    if reason := prepare():
        print(f"{name}: {reason}", file=sys.stderr)
    return 0
