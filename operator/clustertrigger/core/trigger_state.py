"""Describes a trigger's status for people: its state, what went wrong, and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from clustertrigger.api.conditions import ConditionType, Reason
from clustertrigger.api.names import COMMAND
from clustertrigger.api.status import ClusterTriggerStatus, Condition, Execution, find_condition
from clustertrigger.core.effective_state import effective_status, is_current
from clustertrigger.core.humanize import until
from clustertrigger.core.text import one_line

_WORDS = {
    ("Ready", "True"): "ready",
    ("Ready", "False"): "not ready",
    ("Stalled", "True"): "needs intervention",
    ("Stalled", "False"): "needs no intervention",
    ("Running", "True"): "running",
    ("Running", "False"): "not running",
}
UNSEEN = "the operator has not seen this trigger"


@dataclass(frozen=True)
class TriggerState:
    """One trigger of the API server.

    Attributes:
        raw: The object.
    """

    raw: Mapping[str, Any]

    @property
    def name(self) -> str:
        """metadata.name."""
        return str(self.raw["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """metadata.namespace."""
        return str(self.raw["metadata"]["namespace"])

    @cached_property
    def status(self) -> ClusterTriggerStatus:
        """The status; empty if the operator has not seen the trigger."""
        return ClusterTriggerStatus.read(self.raw.get("status") or {})

    @property
    def is_seen(self) -> bool:
        """Whether the operator has written a status. By default, observedGeneration is below 1."""
        generation: int = self.status.observedGeneration or 0
        return generation > 0

    @property
    def is_current(self) -> bool:
        """Whether the status describes the current spec."""
        return is_current(self.raw)

    @property
    def active(self) -> list[Execution]:
        """Runs that have not ended."""
        return [run for run in self.status.history if run.status in ("pending", "running")]

    @property
    def last(self) -> Execution | None:
        """The newest run."""
        return next(iter(self.status.history), None)

    def condition(self, kind: ConditionType) -> Condition | None:
        """Returns the condition of a type."""
        return find_condition(self.status.conditions, kind)

    @property
    def word(self) -> str:
        """Returns the state in a word or two."""
        if not self.is_seen:
            return "not seen"
        if self.active:
            return "running"
        ready = self.condition(ConditionType.READY)
        effective = effective_status(self.raw)
        return "not ready" if effective == "active" and ready and ready.status != "True" else effective

    @property
    def trouble(self) -> str:
        """Returns what went wrong, in one line; an empty string if nothing did."""
        if not self.is_seen:
            return UNSEEN
        ready, running = self.condition(ConditionType.READY), self.condition(ConditionType.RUNNING)
        if ready and ready.status != "True":
            return one_line(ready.message)
        if running and running.reason == Reason.CREATE_REFUSED:
            return one_line(running.message)
        stalled = self.condition(ConditionType.STALLED)
        if stalled and stalled.status == "True" and stalled.reason == Reason.CHAIN_LOOP:
            return one_line(stalled.message)
        if self.status.last_check_error:
            return one_line(f"the last check failed: {self.status.last_check_error}")
        if self.last and self.last.status == "failed":
            return one_line(f"the last run failed: {self.last.error or 'no reason is known'}")
        return "" if self.is_current else "the operator has not seen the last edit"


def condition_in_words(condition: Condition) -> str:
    """Returns a condition in a word or two."""
    return _WORDS.get((condition.type, condition.status), f"{condition.type} {condition.status}")


def is_bad(condition: Condition) -> bool:
    """Returns whether a condition reports a problem."""
    return (condition.type, condition.status) in (("Ready", "False"), ("Stalled", "True"))


def coming(state: TriggerState, now: datetime) -> str:
    """Returns when a trigger is due: after some time, or after more events; empty if neither is known."""
    status, schedule = state.status, state.raw["spec"].get("schedule_config") or {}
    if status.next_scheduled_at:
        return until(status.next_scheduled_at, now)
    if threshold := schedule.get("event_threshold"):
        return f"{status.event_counter}/{threshold} events"
    return ""


def work_in_words(spec: Mapping[str, Any]) -> str:
    """Returns what a trigger's runs do."""
    execution, action_config = spec.get("execution_config"), spec.get("action_config")
    if isinstance(action_config, dict):
        settings = ", ".join(f"{name} {_as_written(value)}" for name, value in action_config.items())
        return f"{spec.get('action_type') or 'cluster'}  {settings}".rstrip()
    if not isinstance(execution, dict):
        return f"as defined by ClusterDefinition {spec.get('cluster_id')!r}"
    config = execution.get("config") or {}
    parameters = ", ".join(f"{name} {value}" for name, value in config.items() if name != "algorithm")
    collections = ", ".join(map(str, execution.get("collection_ids") or ()))
    mode = f", mode {execution['mode']}" if execution.get("mode", "full") != "full" else ""
    return f"{collections} by {config.get('algorithm')}" + (f" ({parameters})" if parameters else "") + mode


def _as_written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def advice(state: TriggerState, scope: str) -> Iterator[str]:
    """Yields what a person can do, the most urgent first. Each line is a sentence, or ends with a command.

    Args:
        state: The trigger.
        scope: kubectl's options for its cluster and namespace, such as `-n search`.
    """
    name = f"{state.name} {scope}"
    if not state.is_seen:
        yield "Check that the operator runs and watches this namespace: kubectl get pods -A -l " + (
            "app.kubernetes.io/part-of=clustertrigger"
        )
        return
    ready, running = state.condition(ConditionType.READY), state.condition(ConditionType.RUNNING)
    reason = ready.reason if ready else ""
    yield from _about_ready(state, reason, name, scope)
    if running and running.reason == Reason.CREATE_REFUSED:
        yield (
            "Fix what prevents the API server from creating the Job. The operator retries until the starting deadline."
        )
    stalled = state.condition(ConditionType.STALLED)
    if stalled and stalled.reason == Reason.CHAIN_LOOP:
        yield "Change what one of the triggers of the loop waits for, or what it writes."
        yield f"After that, clear the condition: {COMMAND} reset {name}"
    if state.active:
        yield f"Follow the run: {COMMAND} watch {name}"
    elif state.last is None and reason == Reason.SCHEDULED:
        yield f"Run it now: {COMMAND} run {name} --wait"
    elif state.last and state.last.status == "failed" and reason != Reason.TOO_MANY_FAILURES:
        yield f"See why the last run failed: {COMMAND} logs {name}"
        if reason == Reason.SCHEDULED:
            yield f"Try again: {COMMAND} run {name} --wait"
    if state.status.last_result:
        yield f"Look at the results: {COMMAND} report {name}"


_REFERENCES = {
    Reason.COLLECTION_NOT_FOUND: "Apply the Collection, or correct the id: kubectl get collections",
    Reason.DEFINITION_NOT_FOUND: "Apply the ClusterDefinition, or correct the id: kubectl get clusterdefinitions",
    Reason.POD_TEMPLATE_NOT_FOUND: "Apply the PodTemplate, or correct its name: kubectl get podtemplates",
    Reason.BATCH_NOT_FOUND: "Set batch_id to a run that is still in a trigger's history: kubectl get clustertriggers",
    Reason.CLUSTERS_NOT_FOUND: "Request a run of the trigger that clusters with mode full: kubectl get clustertriggers",
    Reason.TAXONOMY_NOT_FOUND: "Apply the Taxonomy, or correct the id: kubectl get taxonomies",
    Reason.CHAIN_LOOP: "Let the trigger wait for a collection that it does not write: kubectl edit clustertriggers",
    Reason.OUTPUT_NOT_WRITABLE: "Set spec.write of the Collection that is to be written: kubectl edit collections",
}
"""Yields what to do about a missing or wrong referenced object. The caller appends the namespace."""


def _about_ready(state: TriggerState, reason: str, name: str, scope: str) -> Iterator[str]:
    match reason:
        case Reason.INVALID_SPEC:
            yield "Correct the fields that the Ready condition names, and apply the trigger again."
        case _ if reason in _REFERENCES:
            yield f"{_REFERENCES[Reason(reason)]} {scope}"
        case Reason.AMBIGUOUS_REFERENCE | Reason.INVALID_REFERENCE:
            yield "Correct the objects that the Ready condition names."
        case Reason.TOO_MANY_FAILURES:
            yield f"See why the runs failed: {COMMAND} logs {name}"
            yield f"After you fix the cause, let the trigger fire again: {COMMAND} reset {name}"
        case Reason.MARKED_FAILED | Reason.PAUSED | Reason.DISABLED:
            yield f"Let the trigger fire again: {COMMAND} resume {name}"
        case Reason.CHECKS_FAILING:
            yield f"See why the checks fail: {COMMAND} logs {name} --check"
        case Reason.NOT_COMPARABLE:
            yield f"Create a new baseline: {COMMAND} run {name} --wait"
