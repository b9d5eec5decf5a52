"""Tests of a status as one word, as one line, and as advice."""

from __future__ import annotations

from typing import Any

import pytest

from clustertrigger.api.conditions import Reason
from clustertrigger.cli.main import program
from clustertrigger.core.trigger_state import UNSEEN, TriggerState, advice, work_in_words
from harness.control_plane.manifests import Object, rarely


def condition(kind: str, status: str, reason: str, message: str) -> Object:
    at = "2026-03-02T11:00:00Z"
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": at}


READY = condition("Ready", "True", "Scheduled", "The schedule is live: every 1d")
RUN: Object = {
    "job_id": "a-1", "slot": "2026-03-02T02:00:00Z", "triggered_at": "2026-03-02T02:00:00Z", "status": "completed",
}  # fmt: skip
FAILED: Object = {**RUN, "status": "failed", "error": "no column\n'embedding'"}


def state(*conditions: Object, generation: int = 1, wish: str = "active", **status: object) -> TriggerState:
    return TriggerState(
        {
            "metadata": {"name": "nightly", "namespace": "search", "generation": 1},
            "spec": {**rarely(), "status": wish},
            "status": {
                "observedGeneration": generation,
                "status": "active",
                "conditions": list(conditions or [READY]),
                **status,
            },
        }
    )


def not_ready(reason: Reason, **status: Any) -> TriggerState:
    return state(condition("Ready", "False", reason, f"about {reason}"), **status)


UNSEEN_STATE = TriggerState({"metadata": {"name": "nightly", "namespace": "search"}, "spec": rarely()})
DEFAULT_STATE = state(condition("Ready", "Unknown", "Unseen", ""), generation=-1)
REFUSED = condition("Running", "False", "CreateRefused", "exceeded quota")


@pytest.mark.parametrize(
    ("seen", "word", "trouble"),
    [
        (UNSEEN_STATE, "not seen", UNSEEN),
        (DEFAULT_STATE, "not seen", UNSEEN),
        (state(), "active", ""),
        (state(generation=2), "active", "the operator has not seen the last edit"),
        (state(generation=2, wish="paused"), "paused", "the operator has not seen the last edit"),
        (state(generation=2, status="failed"), "active", "the operator has not seen the last edit"),
        (state(history=[{**RUN, "status": "running"}]), "running", ""),
        (state(history=[RUN, FAILED]), "active", ""),
        (state(history=[FAILED]), "active", "the last run failed: no column 'embedding'"),
        (state(history=[{**FAILED, "error": None}]), "active", "the last run failed: no reason is known"),
        (state(last_check_error="no such file"), "active", "the last check failed: no such file"),
        (state(READY, REFUSED), "active", "exceeded quota"),
        (not_ready(Reason.INVALID_SPEC), "not ready", "about InvalidSpec"),
        (not_ready(Reason.TOO_MANY_FAILURES, status="failed"), "failed", "about TooManyFailures"),
        (state(condition("Ready", "True", "Paused", "Paused"), status="paused"), "paused", ""),
    ],
)
def test_a_word_and_a_line(seen: TriggerState, word: str, trouble: str) -> None:
    assert (seen.word, seen.trouble) == (word, trouble)


C = "kubectl clustertrigger"
N = "nightly -n search"


@pytest.mark.parametrize(
    ("seen", "steps"),
    [
        (UNSEEN_STATE, ["Check that the operator runs and watches this namespace: kubectl get pods -A -l "
                        "app.kubernetes.io/part-of=clustertrigger"]),
        (state(), [f"Run it now: {C} run {N} --wait"]),
        (state(history=[RUN]), []),
        (state(history=[RUN], last_result={"job_id": "a-1"}), [f"Look at the results: {C} report {N}"]),
        (state(history=[{**RUN, "status": "pending"}]), [f"Follow the run: {C} watch {N}"]),
        (state(history=[FAILED]), [f"See why the last run failed: {C} logs {N}", f"Try again: {C} run {N} --wait"]),
        (not_ready(Reason.TOO_MANY_FAILURES, history=[FAILED]),
         [f"See why the runs failed: {C} logs {N}", f"After you fix the cause, let the trigger fire again: {C} reset "
                                                    f"{N}"]),
        (not_ready(Reason.INVALID_SPEC), ["Correct the fields that the Ready condition names, and apply the trigger "
                                          "again."]),
        (not_ready(Reason.COLLECTION_NOT_FOUND),
         ["Apply the Collection, or correct the id: kubectl get collections -n search"]),
        (not_ready(Reason.DEFINITION_NOT_FOUND),
         ["Apply the ClusterDefinition, or correct the id: kubectl get clusterdefinitions -n search"]),
        (not_ready(Reason.POD_TEMPLATE_NOT_FOUND),
         ["Apply the PodTemplate, or correct its name: kubectl get podtemplates -n search"]),
        (not_ready(Reason.BATCH_NOT_FOUND),
         ["Set batch_id to a run that is still in a trigger's history: kubectl get clustertriggers -n search"]),
        (not_ready(Reason.CLUSTERS_NOT_FOUND),
         ["Request a run of the trigger that clusters with mode full: kubectl get clustertriggers -n search"]),
        (not_ready(Reason.AMBIGUOUS_REFERENCE), ["Correct the objects that the Ready condition names."]),
        (not_ready(Reason.MARKED_FAILED), [f"Let the trigger fire again: {C} resume {N}"]),
        (state(condition("Ready", "True", "Paused", "")), [f"Let the trigger fire again: {C} resume {N}"]),
        (not_ready(Reason.CHECKS_FAILING), [f"See why the checks fail: {C} logs {N} --check"]),
        (not_ready(Reason.NOT_COMPARABLE), [f"Create a new baseline: {C} run {N} --wait"]),
        (state(READY, REFUSED, history=[RUN]),
         ["Fix what prevents the API server from creating the Job. The operator retries until the starting deadline."]),
    ],
)  # fmt: skip
def test_advice(seen: TriggerState, steps: list[str]) -> None:
    assert list(advice(seen, "-n search")) == steps
    for step in steps:
        words = step.partition(f"{C} ")[2].split()
        if words:
            with program.commands[words[0]].make_context(words[0], words[1:]):
                pass


def test_every_reason_for_not_being_ready_has_advice() -> None:
    others = {Reason.NOT_STALLED, Reason.RUN_ACTIVE, Reason.NO_ACTIVE_RUN, Reason.CREATE_REFUSED}
    for reason in set(Reason) - others:
        assert list(advice(not_ready(reason), "-n search")), reason


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"cluster_id": "topics"}, "as defined by ClusterDefinition 'topics'"),
        ({"execution_config": {"collection_ids": ["a", "b"], "config": {"algorithm": "kmeans", "n_clusters": 3}}},
         "a, b by kmeans (n_clusters 3)"),
        ({"execution_config": {"collection_ids": ["a"], "config": {"algorithm": "evoc"}, "mode": "full"}}, "a by evoc"),
        ({"execution_config": {"collection_ids": ["a"], "config": {"algorithm": "evoc"}, "mode": "assign"}},
         "a by evoc, mode assign"),
        ({"action_config": {"cluster_id": "topics", "mode": "assign"}}, "cluster  cluster_id topics, mode assign"),
    ],
)  # fmt: skip
def test_descriptions_of_actions(spec: dict[str, Any], said: str) -> None:
    assert work_in_words(spec) == said
