"""Tests that several processes can start at once when a killed test has left control planes that need cleaning up."""

import json
import os
import shutil
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest

from harness.cluster.debian.only_control_plane import OWNER, PREFIX, PROVIDER, sweep
from harness.cluster.debian.processes import Process
from harness.cluster.state import MARK, check_directory


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left_by(temporary: Path, owner: Process, name: str = "left") -> Path:
    directory = temporary / f"{PREFIX}{name}"
    check_directory(directory, PROVIDER, **{OWNER: json.dumps(asdict(owner))})
    data = directory / "etcd/member/wal"
    data.mkdir(parents=True)
    for number in range(200):
        (data / f"{number}.wal").touch()
    return directory


def ended() -> Process:
    child = subprocess.Popen(["/bin/sleep", "60"])
    process = Process.of(child.pid)
    child.kill()
    child.wait()
    return process


def test_concurrent_cleanups_do_not_conflict(temporary: Path) -> None:
    left = [left_by(temporary, ended(), str(number)) for number in range(10)]
    together = threading.Barrier(4)

    def one(_: int) -> None:
        together.wait()
        sweep()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(one, range(4)))
    assert not any(directory.exists() for directory in left)


def test_an_interrupted_cleanup_is_completed(temporary: Path) -> None:
    left = left_by(temporary, ended())
    shutil.rmtree(left / "etcd")
    assert [path.name for path in left.iterdir()] == [MARK]
    sweep()
    assert not left.exists()


def test_running_and_foreign_directories_are_kept(temporary: Path) -> None:
    running = left_by(temporary, Process.of(os.getpid()))
    check_directory(by_hand := temporary / f"{PREFIX}by-hand", PROVIDER)
    sweep()
    assert running.exists()
    assert by_hand.exists()
