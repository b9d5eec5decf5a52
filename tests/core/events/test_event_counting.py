"""Tests that events of senders count once within ten minutes, and events of runs once without a time limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from clustertrigger.core.events.event_counting import Arrival, count_events
from clustertrigger.core.events.seen_events import MOST_OWN
from clustertrigger.core.resources.trigger import Trigger
from tests.core.builders import CREATED, trigger

SPEC = {
    "execution_config": {"collection_ids": ["products"], "config": {"algorithm": "kmeans", "n_clusters": 2}},
    "trigger_type": "event",
    "schedule_config": {"event_type": "documents_added", "event_threshold": 1_000_000, "collection_id": "col_a"},
}


def counted(it: Trigger, arrivals: Sequence[Arrival], now: datetime) -> Trigger:
    found = count_events(it, arrivals, now)
    assert found is not None
    return replace(it, status=found.status)


def test_a_run_counts_once_however_long_the_operator_was_down() -> None:
    it = counted(trigger(SPEC), [Arrival(1, 400, is_own=True)], CREATED)
    for days in (0, 1, 400):
        it = counted(it, [Arrival(1, 400, is_own=True), Arrival(2 + days, 10, is_own=True)], CREATED + timedelta(days))
    assert it.status.event_counter == 430


def test_a_sender_s_event_counts_again_after_ten_minutes() -> None:
    it = counted(trigger(SPEC), [Arrival(1, 400)], CREATED)
    it = counted(it, [Arrival(1, 400)], CREATED + timedelta(minutes=9))
    assert it.status.event_counter == 400
    it = counted(it, [Arrival(1, 400)], CREATED + timedelta(minutes=12))
    assert it.status.event_counter == 800


def test_senders_do_not_push_runs_out_of_the_memory_and_it_stays_small() -> None:
    it = counted(trigger(SPEC), [Arrival(0, 1, is_own=True)], CREATED)
    it = counted(it, [Arrival(number, 1) for number in range(1, 20_000)], CREATED)
    it = counted(it, [Arrival(0, 1, is_own=True)], CREATED)
    assert it.status.event_counter == 20_000
    for number in range(1, 3 * MOST_OWN):
        it = counted(it, [Arrival(number, 1, is_own=True)], CREATED)
    state = it.status.event_state
    assert state is not None
    assert state.own is not None
    assert len(state.own) < 3_000
    last = counted(it, [Arrival(3 * MOST_OWN - 1, 1, is_own=True)], CREATED)
    assert last.status.event_counter == it.status.event_counter


def test_a_trigger_without_such_events_stores_nothing_of_them() -> None:
    it = counted(trigger(SPEC), [Arrival(1, 1)], CREATED)
    state = it.status.event_state
    assert state is not None
    assert state.own is None
