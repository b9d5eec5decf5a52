"""Tests of the draft of a decision: mypy and the run time both find a misspelt field and a wrong type."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from clustertrigger.api.status import ClusterTriggerStatus, Execution
from clustertrigger.core.draft import Draft
from tests.core.builders import HOURLY, World, at, observed, trigger

ROOT = Path(__file__).parents[2]
SNIPPET = """
from dataclasses import replace
from clustertrigger.core.draft import Draft

def policy(draft: Draft) -> None:
    draft.status.execution_count += 1
    draft.status.last_execution_error = None
    draft.status.history = [replace(entry, status="completed") for entry in draft.history]
    {}
"""
RIGHT = "draft.status.next_scheduled_at = draft.now"
ENTRY = Execution(job_id="products-1", slot="manual/x", triggered_at=at(), status="pending")


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The errors of mypy, as `make lint` runs it, for a line in a policy."""
    folder, numbers = tmp_path_factory.mktemp("mypy"), count()

    def run(line: str) -> str:
        words = ["-m", "mypy", "--config-file", "pyproject.toml", "--cache-dir", str(folder / "cache"), "--no-pretty"]
        # mypy takes a file of the same name, size and second for the one that it knows.
        snippet = folder / f"snippet_{next(numbers)}.py"
        snippet.write_text(SNIPPET.format(line))
        done = subprocess.run(
            [sys.executable, *words, str(snippet)], capture_output=True, text=True, check=False, cwd=ROOT
        )
        return done.stdout

    return run


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (RIGHT, "Success: no issues found"),
        ("draft.status.next_schedueld_at = draft.now", '"ClusterTriggerStatus" has no attribute "next_schedueld_at"'),
        ('draft.status.next_scheduled_at = "soon"', "Incompatible types in assignment"),
        ("draft.status.failure_count = None", "Incompatible types in assignment"),
        ('draft.status.status = "actve"', "Incompatible types in assignment"),
        ('replace(draft.history[0], stauts="failed")', 'Unexpected keyword argument "stauts"'),
        ("replace(draft.history[0], error=7)", 'Argument "error"'),
        ("print(draft.status.last_reslut)", '"ClusterTriggerStatus" has no attribute "last_reslut"'),
        ("draft.set(failure_count=1)", '"Draft" has no attribute "set"'),
    ],
)
def test_mypy_finds_it(complaints: Callable[[str], str], line: str, complaint: str) -> None:
    assert complaint in complaints(line)


@pytest.mark.parametrize("field", ["next_schedueld_at", "histroy", "Status"])
def test_a_misspelt_field_fails_at_run_time(field: str) -> None:
    with pytest.raises(AttributeError):
        setattr(Draft(trigger(), observed(), at()).status, field, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("failure_count", "1"),
        ("failure_count", None),
        ("failure_count", 1.5),
        ("status", "actve"),
        ("next_scheduled_at", "2026-03-02T13:00:00Z"),
        ("next_scheduled_at", at().replace(tzinfo=None)),
        ("history", [ENTRY, {"job_id": "products-2"}]),
        ("history", (ENTRY,)),
        ("history", [replace(ENTRY, status="compleetd")]),  # type: ignore[arg-type]
        ("history", [replace(ENTRY, error=7)]),  # type: ignore[arg-type]
        ("schedule_state", {}),
        ("last_drift_measurement", []),
    ],
)
def test_a_wrong_type_fails_at_run_time(field: str, value: Any) -> None:
    draft = Draft(trigger(), observed(), at())
    setattr(draft.status, field, value)
    with pytest.raises(ValidationError):
        draft.decision()


def test_a_shared_part_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        ENTRY.status = "completed"  # type: ignore[misc]
    with pytest.raises(TypeError, match="stauts"):
        replace(ENTRY, stauts="completed")  # type: ignore[call-arg]


def test_a_decision_does_not_change_the_trigger() -> None:
    world = World(HOURLY)
    for seconds in (1, 3600, 3610, 7200):
        known = world.trigger
        before, lists = known.status.as_json(), [known.status.history, known.status.conditions]
        world.step(at(seconds))
        assert known.status.as_json() == before
        assert all(
            now is then for now, then in zip((known.status.history, known.status.conditions), lists, strict=True)
        )


def test_unknown_values_of_a_newer_version_are_omitted() -> None:
    entry = {"job_id": "a", "slot": "s", "triggered_at": "2026-03-02T13:00:00Z", "status": "running", "newer": 1}
    status = ClusterTriggerStatus.read({"newest": {}, "history": [entry]})
    assert status.as_json()["history"] == [{name: value for name, value in entry.items() if name != "newer"}]
