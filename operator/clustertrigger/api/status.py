"""ClusterTrigger.status: what the API's response models have beyond the request, and the operator's memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from clustertrigger.api.base import TolerantModel
from clustertrigger.api.brief import ClusterBrief
from clustertrigger.api.check import Obstacle
from clustertrigger.api.conditions import ConditionType
from clustertrigger.api.trigger import DesiredStatus

LONGEST_CONDITION = 32_768
"""Characters that Kubernetes takes in the message of a condition."""
RunStatus = Literal["pending", "running", "completed", "failed"]


class Condition(TolerantModel):
    """A condition as of the core API (metav1.Condition)."""

    type: str = Field(max_length=316, description="Ready, Stalled or Running.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    observedGeneration: int | None = Field(None, description="Generation of the spec that it speaks of.")  # noqa: N815
    lastTransitionTime: AwareDatetime = Field(description="When status last changed.")  # noqa: N815
    reason: str = Field(max_length=1024, description="Why, as one word for programs; part of the API.")
    message: str = Field(
        "", max_length=LONGEST_CONDITION, description="Why, for people; may change from version to version."
    )


def find_condition(conditions: Iterable[Condition], kind: ConditionType) -> Condition | None:
    """The condition of a kind; there is at most one."""
    for condition in conditions:
        if condition.type == kind:
            return condition
    return None


class Execution(TolerantModel):
    """One run in the history."""

    job_id: str = Field(description="The Job's name.")
    slot: str = Field(description="What it was fired for: an RFC 3339 time, or manual/<token>.")
    triggered_at: AwareDatetime = Field(description="When the Job was created.")
    status: RunStatus = Field(description="State of the run.")
    queue_time_ms: int | None = Field(
        None, description="Milliseconds from the Job's creation to its start, where it waited in a queue."
    )
    execution_time_ms: int | None = Field(
        None, description="Milliseconds from the Job's start to the end of its worker; time in a queue does not count."
    )
    error: str | None = Field(None, description="Why it failed, in one line.")
    num_clusters: int | None = Field(None, description="Clusters found.")
    num_documents: int | None = Field(None, description="Documents clustered.")
    results_uri: str | None = Field(None, description="Folder of its results.")
    notes: list[str] | None = Field(None, description="What the worker decided by itself, such as a reduction.")


class LastResult(TolerantModel):
    """What the newest completed run found, in brief; all of it is in the run's folder."""

    job_id: str = Field(description="The run's Job.")
    num_noise: int | None = Field(None, description="Documents in no cluster.")
    clusters: list[ClusterBrief] = Field(
        default_factory=list, description="The largest clusters, as many as the worker's message of 4 KiB holds."
    )


class RunRequest(TolerantModel):
    """A manual request that waits."""

    token: str = Field(description="The value of the annotation clustertrigger.dev/run-requested.")
    since: AwareDatetime = Field(description="When it was first seen: the starting deadline counts from then.")


class Check(TolerantModel):
    """One check of the condition."""

    job_id: str = Field(description="The Job's name.")
    slot: AwareDatetime = Field(description="The instant for which it was due.")
    status: Literal["pending", "completed", "failed"] = Field(description="State of the check.")
    error: str | None = Field(None, description="Why it failed, or what was in the way of measuring, in one line.")
    value: float | None = Field(None, description="Of the metric.")
    fires: bool | None = Field(None, description="Whether it fired a run.")


class CheckState(TolerantModel):
    """The operator's memory of checks."""

    due: AwareDatetime | None = Field(None, description="Slot of a check that found drift, until its run exists.")
    due_since: AwareDatetime | None = Field(None, description="When that was found.")
    obstacle: Obstacle | None = Field(None, description="Why the last check had nothing to compare.")
    message: str | None = Field(None, description="The same, in one line.")
    baseline_run: str | None = Field(None, description="The run whose baseline that was; another baseline ends it.")


class ScheduleState(TolerantModel):
    """The operator's memory of the schedule."""

    fingerprint: str = Field(description="Of trigger_type and schedule_config; another one is another schedule.")
    live: bool = Field(description="Whether slots counted when this was written: valid, active, not failed.")
    anchor: AwareDatetime = Field(description="Slot 0 of an interval's grid: creation, or the schedule's last edit.")
    accounted_until: AwareDatetime = Field(
        description="Every slot up to here has been fired, skipped or named as missed."
    )


class SeenEvents(TolerantModel):
    """Events that are known, so that a repeated one does not count again."""

    until: AwareDatetime = Field(description="When they are forgotten.")
    ids: str = Field(description="Of each event 8 bytes of a hash of its source and id, oldest first, in base64.")


class EventState(TolerantModel):
    """The operator's memory of events, written together with event_counter."""

    counts: str = Field(description="Which events are counted: <event_type>/<collection_id>.")
    counted_at: AwareDatetime | None = Field(None, description="When events were last counted.")
    total: int = Field(0, description="Events ever counted; an event that fires is known by its number among these.")
    due_since: AwareDatetime | None = Field(
        None, description="Since when the threshold is reached and only a cooldown or an active run is waited for."
    )
    announced: bool = Field(False, description="Whether the events on the trigger say so already.")
    seen: list[SeenEvents] = Field(
        default_factory=list,
        max_length=16,
        description="Events of the last ten minutes, at most 16,384 of them, oldest first.",
    )


class ClusterTriggerStatus(TolerantModel):
    """What the operator observed and did. Nobody else writes it."""

    observedGeneration: int | None = Field(None, description="Generation of the spec that this status speaks of.")  # noqa: N815
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=8,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        description="Ready, Stalled and Running, as kstatus reads them.",
    )
    trigger_id: str | None = Field(None, description="trg_ and 16 hex digits of the object's uid.")
    namespace_id: str | None = Field(None, description="The namespace's name.")
    internal_id: str | None = Field(None, description="The cluster's id: the uid of the namespace kube-system.")
    status: DesiredStatus | None = Field(None, description="The effective state.")
    schedule: str | None = Field(None, description="The schedule in words, for the table.")
    last_triggered_at: AwareDatetime | None = Field(None, description="When the trigger last fired.")
    last_execution_job_id: str | None = Field(None, description="The last run's Job.")
    last_execution_task_id: str | None = Field(None, description="The same, under the unified model's name.")
    next_scheduled_at: AwareDatetime | None = Field(None, description="The next slot; absent when there is none.")
    execution_count: int = Field(0, description="Runs that succeeded.")
    failure_count: int = Field(0, description="Runs that failed.")
    consecutive_failures: int = Field(0, description="Failed runs since the last success.")
    last_execution_status: RunStatus | None = Field(None, description="State of the last run.")
    last_execution_error: str | None = Field(None, description="Why the last run failed, in one line.")
    last_result: LastResult | None = Field(None, description="What the last successful run found, in brief.")
    event_counter: int = Field(
        0, description="Events since the last fire; of those that came with it, the ones beyond the threshold."
    )
    last_cooldown_at: AwareDatetime | None = Field(None, description="When the cooldown last began.")
    baseline_snapshot: dict[str, Any] | None = Field(
        None,
        json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
        description="What the last successful run left for checks to compare with: uri, sha256, run, documents, "
        "dimensions, captured_at, and collections, which tells other collections apart.",
    )
    last_drift_measurement: dict[str, Any] | None = Field(
        None,
        json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
        description="Result of the last check: summary says all in one line; fires, metric, value, threshold, "
        "noise_floor, baseline_documents, current_documents, assignment_js, p_value, checked_at, and what it takes to "
        "compute them again: check, seed, baseline_run, baseline_uri, baseline_sha256.",
    )
    last_condition_check_at: AwareDatetime | None = Field(None, description="When the condition was last checked.")
    consecutive_check_failures: int = Field(0, description="Failed checks since the last one that did not fail.")
    last_check_error: str | None = Field(None, description="Why the last check failed, in one line.")
    checks: list[Check] = Field(
        default_factory=list,
        max_length=512,
        description="Checks, newest first: an active one and run.history_limit ended ones.",
    )
    created_at: AwareDatetime | None = Field(None, description="Creation of the object.")
    updated_at: AwareDatetime | None = Field(None, description="Last change of the spec.")
    created_by: str | None = Field(None, description="Who created the object, where the admission webhook saw it.")
    history: list[Execution] = Field(
        default_factory=list,
        max_length=512,
        description="Runs, newest first: active ones and run.history_limit ended ones.",
    )
    last_run_requested: str | None = Field(
        None, description="The last handled value of the annotation clustertrigger.dev/run-requested."
    )
    waiting_request: RunRequest | None = Field(
        None, description="A manual request for which something is missing, until it starts or expires."
    )
    last_reset_requested: str | None = Field(
        None, description="The last handled value of the annotation clustertrigger.dev/reset-requested."
    )
    schedule_state: ScheduleState | None = Field(None, description="The operator's memory of the schedule.")
    event_state: EventState | None = Field(None, description="The operator's memory of events.")
    check_state: CheckState | None = Field(None, description="The operator's memory of checks.")
