"""Libraries of Debian that stand between a process and what the system tells it: its clock, the names of hosts."""

from __future__ import annotations

import platform
import tempfile
from pathlib import Path

from harness.cluster.debian import packages
from harness.cluster.files import cache_directory, locked

_PACKAGES = ("libfaketime", "libnss-wrapper")


def _library(name: str) -> Path:
    """One library, from the cache.

    Raises:
        ClusterError: this is not Debian 12, or its mirror does not answer.
    """
    packages.require_debian()
    root = cache_directory() / "preloads-1"
    with locked(cache_directory() / "preloads.lock", "another download of Debian's packages to finish"):
        if not root.is_dir():
            with tempfile.TemporaryDirectory(prefix="preloads-", dir=root.parent) as directory:
                unpacked = Path(directory) / "root"
                packages.unpack(list(_PACKAGES), unpacked)
                unpacked.rename(root)
    return root / "usr/lib" / f"{platform.machine()}-linux-gnu" / name


class SettableClock:
    """The wall clock of the processes that get `environment`; their steady clocks go on undisturbed."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self.step(0)
        self.environment = {
            "LD_PRELOAD": str(_library("faketime/libfaketimeMT.so.1")),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",  # read at each call, the file would take half a core
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, seconds: int) -> None:
        """Sets it so far from the true time."""
        replacement = self._file.with_suffix(".new")
        replacement.write_text(f"{seconds:+d}")
        replacement.rename(self._file)


class HostNames:
    """What the names of hosts stand for, for the processes that get `environment`."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "hosts"
        self._file.write_text("")
        self.environment = {"LD_PRELOAD": str(_library("libnss_wrapper.so")), "NSS_WRAPPER_HOSTS": str(self._file)}

    def resolve(self, name: str, address: str) -> None:
        """From now on."""
        self._file.write_text(f"{address} {name}\n")

    def forget(self) -> None:
        """No name resolves any more."""
        self._file.write_text("")
