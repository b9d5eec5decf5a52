"""Tests of daemons that outlive their starter, and that other processes are never signalled."""

import json
import os
import signal
import subprocess
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from harness.cluster.debian.processes import Daemons, Process, strays
from harness.cluster.errors import ClusterError

SLEEP = ["/bin/sleep", "300"]


@pytest.fixture
def daemons(tmp_path: Path) -> Daemons:
    return Daemons(tmp_path)


def test_a_daemon_is_found_by_a_later_process_and_stopped(tmp_path: Path, daemons: Daemons) -> None:
    started = daemons.start("sleeper", SLEEP)
    later = Daemons(tmp_path)
    assert later.find("sleeper") == started
    assert later.start("sleeper", SLEEP) == started  # not a second one
    later.stop("sleeper")
    assert not started.alive()
    assert later.names() == []


def test_a_daemon_that_ignores_sigterm_is_killed(daemons: Daemons) -> None:
    process = daemons.start("deaf", ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"])
    time.sleep(0.3)
    process.stop(seconds=0.5)
    assert not process.alive()


def test_output_goes_to_the_log_and_into_the_error(daemons: Daemons) -> None:
    process = daemons.start("talker", ["/bin/sh", "-c", "echo out; echo why it failed >&2; sleep 0.3; exit 3"])
    while process.alive():
        time.sleep(0.02)
    with pytest.raises(ClusterError, match="talker stopped at once: why it failed"):
        daemons.require("talker")


def test_another_process_with_a_recycled_pid_is_not_signalled(tmp_path: Path, daemons: Daemons) -> None:
    with subprocess.Popen(SLEEP) as stranger:
        forged = replace(Process.of(stranger.pid), started=1)
        (tmp_path / "run").mkdir()
        (tmp_path / "run/kubelet.json").write_text(json.dumps(asdict(forged)))
        assert daemons.find("kubelet") is None
        daemons.kill("kubelet")
        forged.signal(signal.SIGKILL)
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("content", ["", "{", "{}", '{"pid": 1}'])
def test_a_damaged_record_is_ignored(tmp_path: Path, daemons: Daemons, content: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/etcd.json").write_text(content)
    assert daemons.find("etcd") is None


def test_a_program_that_is_missing_is_named(daemons: Daemons) -> None:
    with pytest.raises(ClusterError, match=r"/no/such/program could not be started: .*No such file"):
        daemons.start("none", ["/no/such/program"])
    assert daemons.names() == []


def test_a_process_without_a_record_is_found_by_its_arguments(tmp_path: Path, daemons: Daemons) -> None:
    programs = tmp_path / "cache"
    programs.mkdir()
    program = programs / "tail"
    program.symlink_to("/usr/bin/tail")
    mine, others = tmp_path / "one", tmp_path / "one-more"
    first = daemons.start("first", [program, "-f", "/dev/null", f"{mine}/file"])
    second = daemons.start("second", [program, "-f", "/dev/null", f"{others}/file"])
    try:
        assert strays(programs, mine) == [first]
        assert strays(programs, others) == [second]
        assert strays(Path("/usr/bin"), mine) == []
    finally:
        daemons.kill("first")
        daemons.kill("second")
    assert Process.of(os.getpid()).alive()
