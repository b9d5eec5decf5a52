"""Tests of what the operator keeps of admission requests, which any client can invent."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import Any, cast

import pytest

from clustertrigger.core.resources.trigger import Key, Trigger
from clustertrigger.shell.admission.creators import Creators
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.observed.triggers import Triggers
from clustertrigger.shell.status.status_writer import Outcome
from tests.shell.in_process import TRIGGER

KEY = Key("search", "ingest")
UID = "5dd2a1cb-6b0c-4f8e-9a53-0b5c8d0f6a11"


class Statuses:
    """Stores what is written instead of sending it."""

    def __init__(self) -> None:
        self.written: list[object] = []

    async def write(self, trigger: Trigger, status: dict[str, object]) -> Outcome:
        self.written.append((trigger.key, status["created_by"]))
        return Outcome.WRITTEN


async def written_after(key: Key, uid: str, username: str) -> list[object]:
    """Returns what is written if a trigger appears after such an admission."""
    triggers, statuses = Triggers(lambda _: None, Metrics()), Statuses()
    creators = Creators(triggers, cast("Any", statuses))
    creators.admitted(key, uid, username)
    triggers.saw({**TRIGGER, "metadata": {**TRIGGER["metadata"], "uid": UID}})
    running = asyncio.create_task(creators.run())
    await asyncio.sleep(0.7)
    running.cancel()
    return statuses.written


async def test_the_user_is_written_and_a_longer_name_is_cut() -> None:
    account = f"system:serviceaccount:{'n' * 63}:{'a' * 253}"
    assert await written_after(KEY, UID, account) == [(KEY, account)]
    ((_, name),) = cast("Any", await written_after(KEY, UID, "u" * 8_300_000))
    assert name == "u" * 511 + "…"


def test_invented_admissions_of_any_length_take_little_memory() -> None:
    creators = Creators(Triggers(lambda _: None, Metrics()), cast("Any", None))
    tracemalloc.start()
    try:
        for number in range(12_000):
            key = Key(f"{number % 6}".rjust(63, "n"), "x" * 253)
            creators.admitted(key, f"{number:036}", "\U0001f600" * 20_000)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 50 * 2**20, "of 900 MB"


@pytest.mark.parametrize(
    ("namespace", "name", "uid", "username"),
    [
        ("n" * 64, "x", UID, "me"),
        ("n", "x" * 254, UID, "me"),
        ("n", "x", "u" * 37, "me"),
        ("n", "x", "", "me"),
        (["n"], "x", UID, "me"),
        ("n", None, UID, "me"),
        ("n", "x", [UID], "me"),
        ("n", "x", UID, ["me"] * 1_000),
    ],
)
def test_impossible_admissions_are_ignored(namespace: Any, name: Any, uid: Any, username: Any) -> None:
    creators = Creators(Triggers(lambda _: None, Metrics()), cast("Any", None))
    creators.admitted(Key(namespace, name), uid, username)
    assert not creators._admitted
