"""Tests of how the operator's process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest

from harness.control_plane.operator_process import environment

_ENDLESS = """
    import asyncio, threading, time
    from clustertrigger import main

    class Operator:
        def __init__(self, *_):
            self.failed = asyncio.Event()

        async def run(self):
            threading.Thread(target=time.sleep, args=(600,)).start()
            left_behind = asyncio.create_task(self.stay())
            print("runs", flush=True)
            {does}

        async def stay(self):
            while True:
                try:
                    await asyncio.sleep(600)
                except asyncio.CancelledError:
                    pass

    async def configuration():
        return None

    main.Operator = Operator
    main.load_configuration = configuration
    main._LONGEST_END = 0.5
    main.end(main.main())
"""


def _end(tmp_path: Path, does: str, *, is_asked: bool = True) -> tuple[int, float, str]:
    """Exit code of a process with such an operator, the seconds from SIGTERM to its end, and its log."""
    settings = {"worker_image": "worker:1", "log_format": "json"}
    with subprocess.Popen(
        [sys.executable, "-c", dedent(_ENDLESS).format(does=does)],
        env=environment(tmp_path / "no-kubeconfig", settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "runs\n"
            asked = time.monotonic()
            if is_asked:
                os.kill(process.pid, signal.SIGTERM)
            _, log = process.communicate(timeout=60)
            return process.returncode, time.monotonic() - asked, log
        finally:
            process.kill()


@pytest.mark.parametrize("does", ["await asyncio.sleep(600)", "await left_behind"], ids=["left behind", "operator"])
def test_the_process_ends_whatever_does_not(tmp_path: Path, does: str) -> None:
    """A watcher of Kopf that is cancelled twice never ends, and a thread can be blocked."""
    code, seconds, _ = _end(tmp_path, does)
    assert (code, seconds < 30) == (0, True)


@pytest.mark.parametrize(
    "does",
    [
        "self.failed.set(); await left_behind",
        "return",
        "raise asyncio.CancelledError",
        "raise OSError('no')",
        "raise BaseExceptionGroup('some', [asyncio.CancelledError()])",
    ],
    ids=["a task stays", "return", "cancellation", "error", "group"],
)
def test_an_operator_that_failed_ends_the_process(tmp_path: Path, does: str) -> None:
    """Otherwise, /livez would answer ok, and Kubernetes would not restart it."""
    code, seconds, log = _end(tmp_path, does, is_asked=False)
    assert (code, seconds < 30) == (1, True)
    assert "The operator has failed" in log
