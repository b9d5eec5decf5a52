"""Tests of decisions that are made in advance: such a decision is used only if it is still the right one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from clustertrigger.core.decide import decide
from clustertrigger.core.decision import CreateJob, Observed
from clustertrigger.core.resources.trigger import Key, Trigger
from clustertrigger.shell.reconciling import foresight
from clustertrigger.shell.reconciling.foresight import Foresight
from tests.core.builders import HOURLY, MINUTELY, World, at, observed, refusal, run, spec

DUE = at(hours=1)
REPLACING = spec(run={"concurrency_policy": "Replace"})


def settled(raw_spec: dict[str, Any] = HOURLY) -> Trigger:
    """A trigger whose status contains everything that is known before its first slot."""
    world = World(raw_spec)
    world.step(at(1))
    return world.trigger


def recalled(now: Any, then: Observed | None = None, trigger: Trigger | None = None) -> Any:
    """Prepares a decision for DUE; returns what is recalled, for another trigger or another observation if given."""
    taken, known = Foresight(), settled()
    taken.foresee(known, observed(), DUE)
    return taken.recall(trigger or known, then or observed(), now)


@pytest.mark.parametrize("raw_spec", [HOURLY, MINUTELY, REPLACING])
@pytest.mark.parametrize("late", [0.0, 0.2, 5.5, 59.999])
def test_a_prepared_decision_is_valid_until_the_next_change(raw_spec: dict[str, Any], late: float) -> None:
    known, now = settled(raw_spec), DUE + timedelta(seconds=late)
    taken = Foresight()
    taken.foresee(known, observed(), DUE)
    decision = taken.recall(known, observed(), now)
    assert decision is not None
    assert decision.actions == decide(known, observed(), now).actions
    assert [type(action) for action in decision.actions] == [CreateJob]
    assert taken.recall(known, observed(), now) is None, "it is used once"


@pytest.mark.parametrize(
    "case",
    [
        {"now": DUE - timedelta(milliseconds=1)},
        {"now": DUE + timedelta(hours=1)},
        {"now": DUE, "then": observed([run(at(minutes=30), "running")])},
        {"now": DUE, "then": observed(refusals={"products": refusal(since=DUE, retry_at=DUE)})},
        {"now": DUE, "trigger": settled()},
    ],
    ids=["too early", "another slot has come", "a run has begun", "something was refused", "another version"],
)
def test_a_prepared_decision_is_invalid_after_a_change(case: dict[str, Any]) -> None:
    assert recalled(DUE) is not None
    assert recalled(**case) is None


def test_only_decisions_that_fire_are_kept() -> None:
    known, taken = settled(), Foresight()
    taken.foresee(known, observed(), at(minutes=30))
    assert taken.recall(known, observed(), at(minutes=30)) is None


def test_refused_jobs_are_not_prepared() -> None:
    known, taken = settled(), Foresight()
    refused = observed(refusals={"another": refusal(since=at(1), retry_at=at(1))})
    taken.foresee(known, refused, DUE)
    assert taken.recall(known, refused, DUE) is None


def test_a_deleted_trigger_is_forgotten() -> None:
    known, taken = settled(), Foresight()
    taken.foresee(known, observed(), DUE)
    taken.forget(known.key)
    assert taken.recall(known, observed(), DUE) is None


def test_the_number_of_prepared_decisions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foresight, "_MOST", 2)
    taken = Foresight()
    known = [replace(settled(), key=Key("search", f"t{n}")) for n in range(3)]
    for trigger in known:
        taken.foresee(trigger, observed(), DUE)
    assert [taken.recall(trigger, observed(), DUE) is not None for trigger in known] == [True, True, False]
