"""Tests of a trigger's effective state and of what prevents a run: the command, the API and the page use one rule."""

from __future__ import annotations

from typing import Any

import pytest

from clustertrigger.core.effective_state import Obstacle, effective_status, has_stopped, obstacle
from clustertrigger.core.requested import reset_requested

Json = dict[str, Any]
RESET = "clustertrigger.dev/reset-requested"
LONG = "long" * 100
SHORT = reset_requested({"metadata": {"annotations": {RESET: LONG}}})


def seen(
    spec: Json | None = None, generation: int = 3, annotations: dict[str, str] | None = None, **status: Any
) -> Json:
    """A trigger of generation 3, with the given status."""
    return {
        "metadata": {"name": "a", "generation": 3, **({"annotations": annotations} if annotations else {})},
        "spec": spec or {},
        "status": {"observedGeneration": generation, "status": "active", **status},
    }


def runs(*states: str) -> list[Json]:
    return [{"job_id": f"j-{number}", "status": state} for number, state in enumerate(states)]


@pytest.mark.parametrize(
    ("raw", "status", "stopped"),
    [
        (seen(), "active", False),
        ({"metadata": {"generation": 1}, "spec": {}}, "active", False),
        (seen({"status": "paused"}), "paused", False),
        (seen({"status": "paused"}, generation=2, status="failed"), "paused", False),
        (seen({"status": "failed"}, status="failed"), "failed", False),
        (seen(status="failed"), "failed", True),
        (seen(generation=2, status="failed"), "active", False),
        (seen(annotations={RESET: "2"}, status="failed", last_reset_requested="1"), "active", False),
        (seen(annotations={RESET: "2"}, status="failed", last_reset_requested="2"), "failed", True),
        (seen(annotations={RESET: LONG}, status="failed", last_reset_requested=SHORT), "failed", True),
        (seen(annotations={RESET: f"{LONG}er"}, status="failed", last_reset_requested=SHORT), "active", False),
    ],
    ids=[
        "active", "not seen", "paused", "paused after it had stopped", "marked as failed", "stopped", "edited since",
        "reset since", "stopped after a reset", "stopped after a reset by a long token", "reset by another long token",
    ],
)  # fmt: skip
def test_the_state_that_a_trigger_is_in(raw: Json, status: str, stopped: bool) -> None:
    assert (effective_status(raw), has_stopped(raw)) == (status, stopped)
    assert obstacle(raw) == (None if status == "active" else Obstacle(status))


@pytest.mark.parametrize(
    ("run", "history", "found"),
    [
        ({}, runs("completed", "failed"), None),
        ({}, runs("running"), "j-0"),
        ({}, runs("completed", "pending"), "j-1"),
        ({"concurrency_policy": "Forbid"}, runs("pending", "running"), "j-0"),
        ({"concurrency_policy": "Allow"}, runs("running"), None),
        ({"concurrency_policy": "Replace"}, runs("running"), None),
    ],
)
def test_an_active_run_that_prevents_a_run(run: Json, history: list[Json], found: str | None) -> None:
    told = obstacle(seen({"run": run}, history=history))
    assert (told.run if told else None) == found


def test_the_state_takes_precedence_over_the_active_run() -> None:
    assert obstacle(seen({"status": "disabled"}, history=runs("running"))) == Obstacle("disabled")
