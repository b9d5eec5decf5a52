"""Tests that long texts of tenants are shortened: the API server refuses a status that is too long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from clustertrigger.core.actions.registry import resolve
from clustertrigger.core.jobs.job_view import read_job
from clustertrigger.core.resources.catalog import COLLECTION, Catalog, Unresolved
from clustertrigger.core.resources.validation import parse_trigger
from tests.core.builders import EXECUTION, HOURLY, World, at, refusal, spec
from tests.core.jobs.raw import job

CONDITION = 32_768
"""Maximum number of characters in the message of a condition."""
ANNOTATIONS = 262_144
"""Maximum number of characters in all annotations of an object."""


def messages(it: World) -> list[str]:
    return [condition.message for condition in it.trigger.status.conditions]


@pytest.mark.parametrize(
    ("run", "begins"),
    [
        ({"node_selector": {f"{n}-" + "x" * 2_000: "ssd" for n in range(64)}}, "spec.run.node_selector.0-xxx"),
        ({"node_selector": {"x" * 500_000: "ssd"}}, "spec.run.node_selector.xxx"),
        ({"resources": {"limits": {"y" * 500_000: "1"}}}, "spec.run.resources.limits.yyy"),
        ({"resources": {"requests": {"cpu": "9" * 200_000}, "limits": {"cpu": "1" * 100_000}}},
         "spec.run.resources.requests.cpu: '999"),
        ({"tolerations": [{"key": f"{n}" + "!" * 310, "operator": "Exists"} for n in range(64)]},
         "spec.run.tolerations[0].key: '0!!!"),
    ],
)  # fmt: skip
def test_problems(run: dict[str, Any], begins: str) -> None:
    it = World(spec(run=run))
    it.step(at(1))
    assert all(len(message) <= CONDITION for message in messages(it))
    assert messages(it)[0].startswith(begins)


def test_omitted_problems_are_counted() -> None:
    it = World(spec(run={"node_selector": {f"{n}-" + "x" * 2_000: "ssd" for n in range(64)}}))
    it.step(at(1))
    told = messages(it)[0].count("is not valid: write up to 63")
    assert 3 < told < 64
    assert messages(it)[0].endswith(f"; and {64 - told} more")


def test_problems_of_referenced_objects() -> None:
    catalog = Catalog()
    nested: dict[str, Any] = {"field": "a", "operator": "eq", "value": ["x" * 500_000]}
    catalog.put(COLLECTION, "search", "col_a", {"source": {"uri": "a.parquet", "filters": nested}, "volume": "data"})
    parsed, _ = parse_trigger(HOURLY)
    assert parsed is not None
    found = resolve(catalog, "search", parsed)
    assert isinstance(found, Unresolved)
    assert found.message.startswith("Collection 'col_a' is invalid: spec.source.filters.value: value ['xxx")
    assert len(found.message) < CONDITION


def test_a_refusal() -> None:
    it = World(spec(schedule_config={"interval_seconds": 3600, "start_immediately": True}))
    it.step(at(0))
    name = next(iter(it.runs))
    it.runs.clear()
    it.refusals[name] = refusal(since=at(0), retry_at=at(30), message="no: " + "9" * 200_000)
    it = World(spec(schedule_config={"interval_seconds": 3600, "start_immediately": True}))
    it.refusals[name] = refusal(since=at(0), retry_at=at(30), message="no: " + "9" * 200_000)
    it.step(at(1))
    assert messages(it)[2].startswith("no: 999")
    assert all(len(message) <= CONDITION for message in messages(it))


def test_a_requests_token() -> None:
    it = World(annotations={"run-requested": "r" * 200_000, "reset-requested": "r" * 200_000})
    it.step(at(1))
    it.end()
    it.step(at(2))
    assert it.trigger.status.execution_count == 1
    it.step(at(3))
    assert len(it.created) == 1
    assert len(str(it.trigger.raw_status)) < 10_000

    it = World(annotations={"run-requested": "r" * 200_000 + "2"}, status=it.trigger.raw_status)
    it.step(at(4))
    assert len(it.created) == 1, "another token, which begins like the first"


def test_why_a_job_was_ended() -> None:
    raw = job(annotations={"clustertrigger.dev/slot": "2026-03-02T13:00:00Z", "clustertrigger.dev/failure": "x" * 9999})
    seen = read_job(raw)
    assert seen is not None
    assert seen.failure is not None
    assert len(seen.failure) <= 1000


def test_active_runs_do_not_fill_the_history() -> None:
    """The API server accepts 512 entries."""
    every_second = {"interval_seconds": 1}
    run = {"concurrency_policy": "Allow", "pending_timeout_seconds": 3600, "history_limit": 100}
    it = World({**HOURLY, "schedule_config": every_second, "run": run, "execution_config": EXECUTION})
    for second in range(1, 600):
        it.step(at() + timedelta(seconds=second))
    assert 100 <= len(it.created) <= 400
    assert len(it.trigger.status.history) <= 512
    assert all(len(message) <= CONDITION for message in messages(it))
    skipped = [event for event in it.events if event.startswith("SlotSkipped")]
    assert len(skipped) == 599 - len(it.created)
    assert "concurrency_policy: Allow" in skipped[0]
