"""Room for events that wait to be stored: what one namespace takes, it leaves to the others too."""

from __future__ import annotations

from typing import Any, cast

import pytest

from clustertrigger.shell.events.group_commit import MOST_WAITING, BacklogError, GroupCommit


@pytest.fixture
def commits() -> GroupCommit:
    nothing = cast("Any", None)  # nothing is counted here
    return GroupCommit(nothing, nothing, nothing, nothing)


def fill(commits: GroupCommit, namespace: str) -> int:
    """Sends batches of 1,000 until they are turned away; returns how many events wait then."""
    waiting = 0
    with pytest.raises(BacklogError) as refused:  # noqa: PT012 - which one, is what is looked for
        while True:
            commits.reserve(namespace, 1_000)
            waiting += 1_000
    assert str(refused.value) == f"{waiting} events wait to be stored"
    return waiting


def test_a_namespace_alone_gets_half(commits: GroupCommit) -> None:
    assert fill(commits, "a") == MOST_WAITING // 2 == 50_000


def test_there_is_always_room_for_the_next_one(commits: GroupCommit) -> None:
    taken = [fill(commits, f"greedy-{number}") for number in range(30)]
    assert taken == sorted(taken, reverse=True)
    assert sum(taken) <= MOST_WAITING + 30 * 1_000
    commits.reserve("honest", 1_000)


def test_what_is_given_back_can_be_taken_again(commits: GroupCommit) -> None:
    fill(commits, "a")
    commits.give_back("a", 50_000)
    assert fill(commits, "b") == 50_000
    commits.give_back("b", 50_000)
    assert not commits._backlog


def test_an_event_for_very_many_triggers_is_taken_when_nothing_waits(commits: GroupCommit) -> None:
    commits.reserve("a", MOST_WAITING + 1)
    with pytest.raises(BacklogError):
        commits.reserve("a", 1)
