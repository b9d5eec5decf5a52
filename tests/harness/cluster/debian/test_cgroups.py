"""Tests of control groups of both versions, as the mounts show them."""

from pathlib import Path

import pytest

from harness.cluster.debian.cgroups import hierarchies

VERSION_1 = "tmpfs /sys/fs/cgroup tmpfs rw\ncgroup /sys/fs/cgroup/memory cgroup rw,memory\n"
VERSION_2 = "cgroup2 /sys/fs/cgroup cgroup2 rw\n"
BOTH = VERSION_1 + "cgroup2 /sys/fs/cgroup/unified cgroup2 rw\n"


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        (VERSION_1, ([Path("/sys/fs/cgroup/memory")], False)),
        (VERSION_2, ([Path("/sys/fs/cgroup")], True)),
        (BOTH, ([Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup/unified")], False)),
        ("proc /proc proc rw\n", ([], True)),
    ],
    ids=["v1", "v2", "both", "none"],
)
def test_control_groups_of_either_version(mounts: str, expected: tuple[list[Path], bool]) -> None:
    assert hierarchies(mounts) == expected
