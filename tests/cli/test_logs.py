"""Tests of `kubectl clustertrigger logs`; a story on the whole cluster tests it with real logs."""

from __future__ import annotations

import json

import pytest

from clustertrigger.cli.logs import readable
from clustertrigger.cli.main import main
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import rarely
from harness.control_plane.sandbox import Sandbox
from tests.cli.test_terminal import HOSTILE
from tests.cli.test_watch import fire

TIME = "2026-03-02T12:34:56.789Z"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ({"time": TIME, "phase": "read", "step": 2, "steps": 7, "message": "reading 9 documents", "done": 0.0},
         "12:34:56  read 2/7      reading 9 documents"),
        ({"time": TIME, "phase": "read", "step": 2, "steps": 7, "message": "", "done": 0.5, "seconds_left": 90},
         "12:34:56  read 2/7      50%, 90s left"),
        ({"time": TIME, "phase": "start", "message": "hello"}, "12:34:56  start         hello"),
        ({"message": "bare"}, "                        bare"),
        ({"message": HOSTILE, "phase": HOSTILE, "time": HOSTILE},
         "[2Jabc\ufffd\ufffd  \ufffd]0;owned\ufffd\ufffd[2Jabc\ufffd\ufffd\ufffddef  "
         "\ufffd]0;owned\ufffd\ufffd[2Jabc\ufffd\ufffd\ufffddef"),
        ({"level": "info"}, '{"level": "info"}'),
        ([1], "[1]"),
    ],
)  # fmt: skip
def test_lines_for_people(line: object, shown: str) -> None:
    assert readable(json.dumps(line)).plain == shown


def test_other_lines_are_kept() -> None:
    assert readable("Traceback (most recent call last):").plain == "Traceback (most recent call last):"
    assert readable("\x1b[2J").plain == "\ufffd[2J"


def test_missing_triggers_and_runs(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, capsys: pytest.CaptureFixture[str]
) -> None:
    operator()
    sandbox.trigger("nightly", rarely())
    eventually(lambda: sandbox.status("nightly"))

    def said(*arguments: str, code: int = 1) -> str:
        capsys.readouterr()
        scope = ["-n", sandbox.namespace, "--kubeconfig", str(sandbox.kube.kubeconfig)]
        assert main(["logs", *arguments, *scope]) == code
        return capsys.readouterr().err.removeprefix("kubectl clustertrigger: ").strip()

    assert said("nightly") == (
        "trigger 'nightly' has not run yet: kubectl clustertrigger run nightly --wait runs it now"
    )
    assert said("nightly", "--check") == ("trigger 'nightly' has no checks yet: only conditional triggers have checks")
    assert "--run and --check cannot be used together" in said("nightly", "--check", "--run", "a", code=2)
    gone = f"x has no log: its Pods were deleted, or namespace '{sandbox.namespace}' has no such run"
    assert said("nightly", "--run", "x") == gone
    assert said("nightly", "--run", "x", "-f") == gone
    job = fire(sandbox, "nightly", "a")
    kubelet.wait(job, "ImagePullBackOff", "no such image")
    assert said("nightly") == (
        f"{job} has no log yet: waiting for the Pod: ImagePullBackOff: no such image: -f waits for it"
    )
