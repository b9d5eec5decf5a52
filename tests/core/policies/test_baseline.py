"""Tests of the baseline of a check: it exists, it can be read, and it belongs to the same collections."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clustercontract.run import RunResult
from tests.core.builders import (
    HOURLY_CHECK,
    World,
    at,
    condition,
    observed,
)
from tests.core.checked import (
    BASELINE,
    COLLECTIONS,
    check,
    conditional,
    in_the_way,
    world,
)


def test_without_a_baseline_the_first_slot_runs() -> None:
    it = World(HOURLY_CHECK)
    it.step(at(1))
    assert it.created == []
    ready = it.trigger.status.conditions[0]
    assert ready.message == (
        "The schedule is live: cosine_drift > 0.3 every 1h; the next slot starts a run: there is no baseline yet"
    )
    it.step(at(hours=1))
    assert it.created == ["2026-03-02T13:00:00Z"]
    result = RunResult(status="completed", num_clusters=3, num_documents=6000, baseline=BASELINE)
    it.end("completed", result=result, collections=COLLECTIONS)
    it.step(at(hours=1, seconds=30))
    assert it.trigger.status.baseline_snapshot == {**BASELINE.model_dump(mode="json"), "collections": COLLECTIONS}
    it.step(at(hours=2))
    assert it.created[1:] == ["check/2026-03-02T14:00:00Z"]


def test_an_unreadable_baseline_is_ignored() -> None:
    it = World(conditional(), status={"baseline_snapshot": {**BASELINE.model_dump(mode="json"), "documents": "many"}})
    it.step(at(1))
    it.step(at(hours=1))
    assert it.created == ["2026-03-02T13:00:00Z"]


@pytest.mark.parametrize("obstacle", ["baseline_missing", "baseline_altered"])
def test_a_lost_baseline_is_renewed_by_the_next_slot(obstacle: str) -> None:
    it = world()
    check(it, 1, in_the_way(obstacle, "/results/b.npz: no such file"))
    assert len(it.created) == 1, "it does not fire by itself"
    assert it.events == [
        "BaselineLost: /results/b.npz: no such file: the next slot starts a run, which writes a new baseline"
    ]
    status = it.trigger.status
    assert status.last_drift_measurement is not None
    assert status.last_drift_measurement["summary"] == "/results/b.npz: no such file"
    assert condition(it, "Stalled")[0] == "False"
    it.step(at(hours=2))
    assert it.created[1:] == ["2026-03-02T14:00:00Z"]
    renewed = BASELINE.model_copy(update={"run": "newer"})
    it.end("completed", result=RunResult(status="completed", baseline=renewed), collections=COLLECTIONS)
    it.step(at(hours=2, seconds=30))
    it.step(at(hours=3))
    assert it.created[2:] == ["check/2026-03-02T15:00:00Z"]


@pytest.mark.parametrize("obstacle", ["dimensions_changed", "model_changed"])
def test_an_incomparable_baseline_needs_intervention(obstacle: str) -> None:
    it = world()
    check(it, 1, in_the_way(obstacle, "the vectors have 256 dimensions, the baseline's 384"))
    for kind, holds in (("Ready", "False"), ("Stalled", "True")):
        assert condition(it, kind) == (holds, "NotComparable")
    assert it.events[0].startswith("NotComparable: the vectors have 256 dimensions, the baseline's 384: ")
    check(it, 2, in_the_way(obstacle, "the vectors have 256 dimensions, the baseline's 384"))
    assert it.created == ["check/2026-03-02T13:00:00Z", "check/2026-03-02T14:00:00Z"], (
        "it goes on looking, and fires not"
    )
    it.request(run="renew")
    it.step(at(hours=2, minutes=5))
    renewed = BASELINE.model_copy(update={"run": "newer", "dimensions": 256})
    it.end("completed", result=RunResult(status="completed", baseline=renewed), collections=COLLECTIONS)
    it.step(at(hours=2, minutes=6))
    assert condition(it, "Ready") == ("True", "Scheduled")
    assert condition(it, "Stalled")[0] == "False"


def test_other_collections_need_another_baseline() -> None:
    it = world()
    it.work = replace(observed().work, collections=(("col_b", observed().work.collections[0][1]),))  # type: ignore
    it.step(at(hours=1))
    assert it.created == ["2026-03-02T13:00:00Z"]
