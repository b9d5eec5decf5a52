"""Reads the CPU and memory limits of the container's control group, versions 1 and 2.

Sources: the kernel's cgroup-v2.rst (``cpu.max``, ``memory.max``) and scheduler/sched-bwc.rst (``cpu.cfs_quota_us``).
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_UNLIMITED_BYTES = 1 << 60
"""Version 1 writes a huge number for "no limit"."""


@dataclass(frozen=True)
class ControlGroup:
    """The control group of this process. Both roots are arguments for tests."""

    mount: Path = Path("/sys/fs/cgroup")
    membership: Path = Path("/proc/self/cgroup")

    def cpus(self) -> int:
        """Returns the number of CPUs that this process can use.

        It is the quota rounded up, at most the number of CPUs that the process may be scheduled on.
        """
        # macOS does not report on which CPUs a process may be scheduled.
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        quotas = [quota for directory in self._directories("cpu") if (quota := _cpu_quota(directory)) is not None]
        return max(1, min([available, *(math.ceil(quota) for quota in quotas)]))

    def memory(self) -> int:
        """Returns the number of bytes that this process may use: the limit, or the machine's memory."""
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        limits = [limit for directory in self._directories("memory") if (limit := _memory_limit(directory)) is not None]
        return min([machine, *limits])

    def oom_kills(self) -> int:
        """Returns how often the kernel killed a process of this group because memory ran out; 0 if unknown."""
        names = ("memory.events", "memory.oom_control")
        return max(
            (_counter(directory / name) for directory in self._directories("memory") for name in names), default=0
        )

    def _directories(self, controller: str) -> Iterator[Path]:
        """Yields where limits can be: in a container, the mount itself is the group; outside, it is a path below."""
        for line in _read(self.membership).splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                yield self.mount / path.lstrip("/")
            elif controller in controllers.split(","):
                yield self.mount / controllers / path.lstrip("/")
                yield self.mount / controller / path.lstrip("/")
        yield self.mount
        yield self.mount / controller


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""


def _cpu_quota(directory: Path) -> float | None:
    match _read(directory / "cpu.max").split():
        case [quota, period] if quota != "max":
            return int(quota) / int(period)
    match _read(directory / "cpu.cfs_quota_us").split(), _read(directory / "cpu.cfs_period_us").split():
        case [quota], [period] if int(quota) > 0:
            return int(quota) / int(period)
    return None


def _memory_limit(directory: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        text = _read(directory / name).strip()
        if text.isdigit() and int(text) < _UNLIMITED_BYTES:
            return int(text)
    return None


def _counter(file: Path) -> int:
    fields = dict(line.split(maxsplit=1) for line in _read(file).splitlines() if " " in line)
    return int(fields.get("oom_kill", 0))
