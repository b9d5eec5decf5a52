"""promtool of Prometheus, from Debian's package, unpacked into the cache: no server is installed."""

import platform
import tempfile
from pathlib import Path

from harness.cluster.commands import find_program
from harness.cluster.debian import packages
from harness.cluster.errors import ClusterError
from harness.cluster.files import cache_directory, locked
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
        with locked(cache_directory() / "promtool.lock", "another download of promtool to finish"):
            if not _fetched().exists():
                _fetch(_fetched())
    except ClusterError as error:
        return f"the test that fires the alerts is skipped, because there is no promtool: {error}"
    return None


def _fetched() -> Path:
    return cache_directory() / f"promtool-{platform.machine()}"


def _fetch(target: Path) -> None:
    with (
        stage("fetching promtool from Debian, once"),
        tempfile.TemporaryDirectory(prefix="promtool-", dir=target.parent) as directory,
    ):
        packages.unpack([PACKAGE], Path(directory))
        (Path(directory) / "usr/bin/promtool").rename(target)
