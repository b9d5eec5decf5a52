"""Tests that threads and memory follow the container's limits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clusterworker.process.cgroup import ControlGroup
from clusterworker.process.threads import VARIABLES, limit


def group(root: Path, membership: str, files: dict[str, str]) -> ControlGroup:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    (root / "membership").write_text(membership)
    return ControlGroup(root, root / "membership")


V1 = "4:memory:/kubepods/pod1/c1\n2:cpu,cpuacct:/kubepods/pod1/c1\n"


@pytest.mark.parametrize(
    ("membership", "files", "cpus"),
    [
        ("0::/\n", {"cpu.max": "200000 100000"}, 2),
        ("0::/\n", {"cpu.max": "250000 100000"}, 3),
        ("0::/\n", {"cpu.max": "10000 100000"}, 1),
        ("0::/\n", {"cpu.max": "max 100000"}, 64),
        ("0::/kubepods/pod1/c1\n", {"kubepods/pod1/c1/cpu.max": "300000 100000"}, 3),
        ("0::/\n", {}, 64),
        (V1, {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, 2),
        (V1, {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 64),
        (V1, {"cpu,cpuacct/kubepods/pod1/c1/cpu.cfs_quota_us": "400000",
              "cpu,cpuacct/kubepods/pod1/c1/cpu.cfs_period_us": "100000"}, 4),
        ("0::/\n", {"cpu.max": "99999999 100000"}, 64),
    ],
)  # fmt: skip
def test_cpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, membership: str, files: dict[str, str], cpus: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert group(tmp_path, membership, files).cpus() == cpus


@pytest.mark.parametrize(
    ("membership", "files", "limited"),
    [
        ("0::/\n", {"memory.max": "1073741824"}, 1 << 30),
        ("0::/\n", {"memory.max": "max"}, None),
        (V1, {"memory/memory.limit_in_bytes": "536870912"}, 512 << 20),
        (V1, {"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
        ("0::/a\n", {"a/memory.max": "1048576", "memory.max": "max"}, 1 << 20),
    ],
)
def test_memory(tmp_path: Path, membership: str, files: dict[str, str], limited: int | None) -> None:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert group(tmp_path, membership, files).memory() == (limited or machine)


@pytest.mark.parametrize(
    ("files", "kills"),
    [
        ({"memory.events": "low 0\noom 3\noom_kill 2"}, 2),
        ({"memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1"}, 1),
        ({}, 0),
    ],
)
def test_oom_kills(tmp_path: Path, files: dict[str, str], kills: int) -> None:
    assert group(tmp_path, V1 + "0::/\n", files).oom_kills() == kills


def test_what_the_pod_sets_is_kept() -> None:
    environment = {"OMP_NUM_THREADS": "7"}
    limit(2, environment)
    assert environment["OMP_NUM_THREADS"] == "7"
    assert {environment[name] for name in VARIABLES if name != "OMP_NUM_THREADS"} == {"2"}


def test_libraries_obey() -> None:
    program = (
        "from clusterworker.process.threads import limit\nlimit(1)\n"
        "import faiss, sklearn, threadpoolctl\n"
        "import scipy.linalg\n"
        "assert faiss.omp_get_max_threads() == 1\n"
        "assert {pool['num_threads'] for pool in threadpoolctl.threadpool_info()} == {1}"
    )
    environment = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    sources = str(Path(__file__).resolve().parents[3] / "operator")
    subprocess.run([sys.executable, "-c", program], env=environment | {"PYTHONPATH": sources}, check=True)
