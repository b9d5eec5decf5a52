"""promtool of Prometheus, from Debian's package, unpacked into the cache: no server is installed."""

import platform
from pathlib import Path

from harness.cluster.commands import find_program
from harness.cluster.debian import packages
from harness.cluster.errors import ClusterError
from harness.cluster.files import cache_directory, made_once
from harness.cluster.progress import stage

PACKAGE = "prometheus"


def promtool() -> Path | None:
    """Returns the program on the PATH, or the one that prepare has fetched; None if there is neither."""
    if installed := find_program("promtool"):
        return Path(installed)
    return _fetched() if _fetched().exists() else None


def prepare() -> str | None:
    """Fetches the program if there is none. Returns why that is not possible; None if it is."""
    if promtool() is not None:
        return None
    try:
        packages.require_debian()
        made_once(_fetched(), "promtool", "another download of promtool to finish", _fetch)
    except ClusterError as error:
        return f"the test that fires the alerts is skipped, because there is no promtool: {error}"
    return None


def _fetched() -> Path:
    return cache_directory() / f"promtool-{platform.machine()}"


def _fetch(draft: Path) -> None:
    root = draft.parent / "root"
    with stage("fetching promtool from Debian, once"):
        packages.unpack([PACKAGE], root)
    (root / "usr/bin/promtool").rename(draft)
