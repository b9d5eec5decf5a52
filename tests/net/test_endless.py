"""Tests of tasks that must not end, and that no background task of a process is started without care for its end."""

from __future__ import annotations

import ast
import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import clustertrigger
from clustertrigger.net.endless import Work, start_endless

PACKAGE = Path(clustertrigger.__file__).parent
OTHERWISE = {
    "net/endless.py: _guard",
    "net/endless.py: start_endless",
    # They wait for the task, and judge its end.
    "cli/watch.py: _follow",
    "kopf_loop.py: Watcher._run_once",
    "main.py: _operate",
    "rest/app.py: create_app.lifespan",
    "shell/election/leader.py: _one_term",
    # Their tasks end when there is nothing left to do, and a later call starts new ones.
    "rest/page/live.py: _Reader.read",
    "rest/page/live.py: _wait_for_any",
    "rest/rights.py: Rights._ask",
    "shell/events/group_commit.py: GroupCommit.count",
    "shell/events/senders.py: Senders._answer",
    "shell/notifications/courier.py: Courier.follow",
    "shell/reconciling/admissions.py: Admissions._advance_in_each",
    "shell/serving/http_server.py: _Entrance._admit",
    "shell/status/recorder.py: Recorder.run",
    # Without their task, the process continues with the certificate that it has.
    "rest/serving.py: Server.serve",
    "shell/serving/http_server.py: serve",
}
"""Functions that start tasks by themselves."""


async def returns() -> None:
    pass


async def is_cancelled() -> None:
    raise asyncio.CancelledError


async def is_cancelled_in_a_group() -> None:
    raise BaseExceptionGroup("several", [asyncio.CancelledError()])


async def fails() -> None:
    raise ZeroDivisionError


async def waits() -> None:
    await asyncio.get_running_loop().create_future()


ENDS = [returns, is_cancelled, is_cancelled_in_a_group, fails]


async def group_of(*works: Work, failed: Callable[[], None] = lambda: None) -> None:
    async with asyncio.TaskGroup() as group:
        for work in works:
            start_endless(group, work, patience=0.1, failed=failed)


@pytest.mark.parametrize("end", ENDS)
async def test_any_end_is_an_error_of_the_group(end: Work) -> None:
    noticed: list[bool] = []
    async with asyncio.timeout(60):
        with pytest.raises(BaseExceptionGroup) as caught:
            await group_of(waits, end, waits, failed=lambda: noticed.append(True))
    assert len(caught.value.exceptions) == 1
    assert noticed == [True]


@pytest.mark.parametrize("end", [returns, is_cancelled])
async def test_the_error_names_the_task(end: Work, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(ExceptionGroup) as caught:
        await group_of(end)
    (error,) = caught.value.exceptions
    assert end.__name__ in str(error)
    assert end.__name__ in caplog.messages[0]


async def test_a_group_that_is_cancelled_ends_without_an_error() -> None:
    noticed: list[bool] = []
    group = asyncio.create_task(group_of(waits, waits, failed=lambda: noticed.append(True)))
    await asyncio.sleep(0.01)
    group.cancel()
    with pytest.raises(asyncio.CancelledError):
        await group
    assert noticed == []


async def stays() -> None:
    while True:
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            if STAYED:
                raise
            STAYED.append(True)


STAYED: list[bool] = []


@pytest.mark.parametrize("end", [fails, None], ids=["error", "cancellation"])
async def test_a_task_that_ignores_its_cancellation_is_an_error(end: Work | None) -> None:
    STAYED.clear()
    before = asyncio.all_tasks()
    group = asyncio.create_task(group_of(stays, end or waits))
    await asyncio.sleep(0.01)
    group.cancel()
    async with asyncio.timeout(60):
        with pytest.raises(ExceptionGroup) as caught:
            await group
    assert any("stays has not ended" in str(error) for error in caught.value.exceptions)
    for task in asyncio.all_tasks() - before:
        task.cancel()


def _starts(tree: ast.AST, inside: tuple[str, ...] = ()) -> Iterator[str]:
    """Yields the qualified names of functions that start tasks."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _starts(node, (*inside, node.name))
            continue
        if isinstance(node, ast.Attribute) and node.attr in (
            "create_task",
            "ensure_future",
            "run_coroutine_threadsafe",
        ):
            yield ".".join(inside)
        yield from _starts(node, inside)


def test_endless_tasks_are_started_with_care_for_their_end() -> None:
    """Use start_endless for an endless task. Add other tasks to the list above, with what notices their end."""
    found = {
        f"{path.relative_to(PACKAGE).as_posix()}: {name}"
        for path in PACKAGE.rglob("*.py")
        for name in _starts(ast.parse(path.read_text()))
    }
    assert found == OTHERWISE
