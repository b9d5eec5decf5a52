"""Preloads Debian's libraries that change the clock and the name resolution of a process."""

from __future__ import annotations

import platform
from pathlib import Path

from harness.cluster.debian import packages
from harness.cluster.files import cache_directory, made_once

_PACKAGES = ("libfaketime", "libnss-wrapper")


def _library(name: str) -> Path:
    """Returns the path of a library in the cache, and downloads it if it is missing.

    Raises:
        ClusterError: this machine does not run Debian 12, or the mirror does not respond.
    """
    packages.require_debian()
    root = cache_directory() / "preloads-1"
    made_once(root, "preloads", "another download of Debian's packages to finish", _fetch)
    return root / "usr/lib" / f"{platform.machine()}-linux-gnu" / name


def _fetch(draft: Path) -> None:
    packages.unpack(list(_PACKAGES), draft)


class SettableClock:
    """Sets the wall clock of processes with `environment`; their monotonic clocks do not change."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self.step(0)
        self.environment = {
            "LD_PRELOAD": str(_library("faketime/libfaketimeMT.so.1")),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",  # reading the file at each call would take half a core
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, seconds: int) -> None:
        """Sets the clock to the true time plus this number of seconds."""
        replacement = self._file.with_suffix(".new")
        replacement.write_text(f"{seconds:+d}")
        replacement.rename(self._file)


class HostNames:
    """Sets the IP addresses of host names for processes with `environment`."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "hosts"
        self._file.write_text("")
        self.environment = {"LD_PRELOAD": str(_library("libnss_wrapper.so")), "NSS_WRAPPER_HOSTS": str(self._file)}

    def resolve(self, name: str, address: str) -> None:
        """Resolves this name to an address, and no other name."""
        self._file.write_text(f"{address} {name}\n")

    def forget(self) -> None:
        """Resolves no names."""
        self._file.write_text("")
