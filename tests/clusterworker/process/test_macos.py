"""Tests that the worker runs without Linux' own system calls, as on macOS."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.cluster.files import REPOSITORY

WITHOUT_LINUX = '''
import ctypes, os

for name in [name for name in dir(os) if name.startswith(("sched_", "pidfd_", "setns", "unshare", "memfd", "eventfd"))]:
    delattr(os, name)

class LibC(ctypes.CDLL):
    """The C library without what only Linux has."""

    def __getattr__(self, name):
        if name in ("prctl", "renameat2"):
            raise AttributeError(name)
        return super().__getattr__(name)

ctypes.CDLL = LibC
'''


def python(tmp_path: Path, program: str, *arguments: str) -> subprocess.Popen[str]:
    """Starts a program on a Python without Linux' calls."""
    script = tmp_path / "program.py"
    script.write_text(WITHOUT_LINUX + program)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "operator")}
    command = [sys.executable, str(script), *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_run_completes_and_a_repetition_replaces_it(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    table = pa.table({"document_id": [f"d{row}" for row in range(60)], "embedding": list(vectors)})
    (tmp_path / "volume").mkdir()
    pq.write_table(table, tmp_path / "volume/data.parquet")
    spec = {
        "namespace": "search", "trigger": "nightly", "run": "nightly-1a2b", "slot": "2026-11-21T02:00:00Z",
        "collections": [
            {"collection_id": "c", "source": {"uri": "data.parquet"}, "mount_path": str(tmp_path / "volume")}
        ],
        "config": {"algorithm": "kmeans", "n_clusters": 3}, "seed": 7, "results": {"uri": str(tmp_path / "results")},
    }  # fmt: skip
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    (tmp_path / "scratch").mkdir()
    for _ in range(2):
        worker = python(
            tmp_path, "import runpy; runpy.run_module('clusterworker', run_name='__main__')",
            "run", "--spec", str(tmp_path / "spec.json"), "--result", str(tmp_path / "result.json"),
            "--scratch", str(tmp_path / "scratch"), "--secrets", str(tmp_path),
        )  # fmt: skip
        said, _ = worker.communicate(timeout=120)
        assert worker.returncode == 0, said
        assert json.loads((tmp_path / "result.json").read_text())["num_clusters"] == 3
    folder = tmp_path / "results/search/nightly"
    assert sorted(path.name for path in folder.iterdir()) == ["latest.json", "nightly-1a2b"]


def test_the_work_ends_with_its_parent(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    parent = python(
        tmp_path,
        "import os, sys, time\nfrom clusterworker.process.supervisor import supervise\n"
        "def work():\n    open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600); return 0\nsupervise(work)",
        str(pid_file),
    )
    deadline = time.monotonic() + 60
    while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    child = int(pid_file.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait(timeout=60)
    while time.monotonic() < deadline and _lives(child):
        time.sleep(0.05)
    assert not _lives(child)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
