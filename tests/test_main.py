"""Tests of how the operator's process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

from harness.control_plane.operator_process import environment

_ENDLESS = """
    import asyncio, threading, time
    from clustertrigger import main

    class Operator:
        def __init__(self, *_):
            pass

        async def run(self):
            threading.Thread(target=time.sleep, args=(600,)).start()
            left_behind = asyncio.create_task(self.stay())
            print("runs", flush=True)
            await {waits_for}

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


def _seconds_to_end(tmp_path: Path, waits_for: str) -> float:
    """The time from SIGTERM to the end of a process whose operator waits."""
    settings = {"worker_image": "worker:1", "log_format": "json"}
    with subprocess.Popen(
        [sys.executable, "-c", dedent(_ENDLESS).format(waits_for=waits_for)],
        env=environment(tmp_path / "no-kubeconfig", settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "runs\n"
            asked = time.monotonic()
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(60) == 0
            return time.monotonic() - asked
        finally:
            process.kill()


def test_the_process_ends_whatever_is_left_behind(tmp_path: Path) -> None:
    """A watcher of Kopf that is cancelled twice never ends, and a thread can be blocked."""
    assert _seconds_to_end(tmp_path, "asyncio.sleep(600)") < 30


def test_the_process_ends_although_the_operator_does_not(tmp_path: Path) -> None:
    assert _seconds_to_end(tmp_path, "left_behind") < 30
