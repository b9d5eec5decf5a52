"""Tests of following a run's log over connections that end before the Pod, and of the reasons for waiting."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from clustertrigger.cli import run_log
from clustertrigger.cli.cluster import Cluster
from clustertrigger.cli.progress_bar import Display
from clustertrigger.cli.run_log import lines_of, why_waiting
from clustertrigger.core.kube.answers import ApiError
from tests.core.jobs.raw import job, observe, pod, terminated

Json = dict[str, Any]
RUNNING: Json = {"running": {"startedAt": "2026-11-21T02:00:00Z"}}


@dataclass
class Server:
    """Answers each request for a log with the next of these connections, and then reports that the Pod has ended."""

    connections: list[Sequence[str | Exception]]
    asked: list[Json] = field(default_factory=list)

    async def follow(self, path: str, **parameters: str) -> AsyncIterator[str]:
        self.asked.append(parameters)
        for line in self.connections.pop(0):
            if isinstance(line, Exception):
                raise line
            yield line

    async def get(self, path: str) -> Json:
        return pod(RUNNING if self.connections else terminated())


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "POLL_SECONDS", 0.0)


def followed(server: Server, show: Callable[[str], None]) -> None:
    async def follow() -> None:
        cluster = Cluster(cast("Any", server), "search", cast("Any", None), cast("Any", None))
        async for line in lines_of(cluster, pod(RUNNING)):
            show(line)

    asyncio.run(follow())


def phases(*names: str) -> list[str]:
    return [json.dumps({"phase": name, "step": step, "steps": 7, "message": name}) for step, name in enumerate(names)]


BROKEN = ApiError(0, "reset", "the connection broke")
ALL = phases("open", "read", "cluster", "assign", "report", "publish")


@pytest.mark.parametrize(
    "connections",
    [
        [ALL],
        [ALL, ALL],
        [ALL[:3], ALL],
        [[*ALL[:4], BROKEN], [BROKEN], ALL[2:], ALL[1:]],
    ],
)
def test_without_a_terminal_each_phase_is_printed_once(connections: list[Sequence[str | Exception]]) -> None:
    """A log ends a moment before the Pod, and is then requested again."""
    stream = io.StringIO()
    server = Server(list(connections))
    followed(server, Display(stream, lambda: 0.0).line)
    told = [line.split()[0] for line in stream.getvalue().splitlines()]
    assert told == ["open", "read", "cluster", "assign", "report", "publish"]
    assert server.asked[1:] == [{"container": "worker", "tailLines": "20"}] * (len(connections) - 1)


def test_repeated_lines_are_kept() -> None:
    seen: list[str] = []
    followed(Server([["a", "b", "a"], ["b", "a", "a", "c"]]), seen.append)
    assert seen == ["a", "b", "a", "a", "c"]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (terminated(message='{"version": 1, "status": "failed", "error": "no column x"}'),
         "waiting for the Pod: the last attempt failed: no column x"),
        (terminated(exitCode=137, reason="OOMKilled"),
         "waiting for the Pod: the last attempt failed: OOMKilled: the worker needed more than its memory limit of "
         "512Mi: raise run.resources.limits.memory"),
        ({"waiting": {"reason": "ContainerCreating"}}, "waiting for the Pod: ContainerCreating"),
    ],
)  # fmt: skip
def test_reasons_for_waiting_are_not_in_raw_output(state: Json, words: str) -> None:
    assert why_waiting(observe(job(), pod(state))) == words
