"""Tests of the index of runs: which triggers a new run affects. Lookups in it are tested with the actions."""

from __future__ import annotations

from dataclasses import replace

from clustertrigger.core.resources.trigger import Key
from tests.core.actions.test_cluster_mode import (
    ASSIGN,
    ASSIGN_OWN,
    COMPOSITE,
    EVERY,
    OWN,
    SHARED,
    catalog,
    clustered,
    with_run,
)
from tests.core.builders import trigger


def test_triggers_that_wait_for_clusters_are_reconciled() -> None:
    hourly, other = replace(trigger(ASSIGN), key=Key("search", "hourly")), clustered("nightly", OWN)
    batches = catalog(hourly, replace(trigger(ASSIGN_OWN), key=Key("search", "own"))).batches
    fresh = replace(trigger(SHARED), key=Key("search", "nightly"))
    assert set(batches.put(fresh)) == set()
    assert set(batches.put(clustered("nightly", {**EVERY, "cluster_id": "by-topic"}, "n-1"))) == {hourly.key}
    assert set(batches.put(clustered("nightly", {**EVERY, "cluster_id": "by-topic"}, "n-1", minute=1))) == set()
    assert set(batches.put(clustered("nightly", run="n-2"))) == {hourly.key}
    assert set(batches.put(other)) == {hourly.key, Key("search", "own")}
    assert set(batches.remove(other.key)) == {Key("search", "own")}
    assert set(batches.remove(hourly.key)) == set()
    assert set(batches.put(clustered("nightly", run="n-3"))) == set()


def test_triggers_that_wait_for_a_run_are_reconciled() -> None:
    waiting = replace(trigger(COMPOSITE), key=Key("search", "joint"))
    batches = catalog(waiting).batches
    assert set(batches.put(with_run("weekly", "weekly-1-1", status="running"))) == set()
    assert set(batches.put(with_run("weekly", "weekly-1-1"))) == {waiting.key}
    assert set(batches.put(with_run("weekly", "weekly-1-1", execution_time_ms=3))) == set()
    assert set(batches.remove(Key("search", "weekly"))) == {waiting.key}
