"""ClusterTrigger.status: what the API's response models have beyond the request, and the operator's memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field

from clustercontract.brief import Changes, ClusterBrief
from clustercontract.check import Obstacle
from clustertrigger.api.conditions import ConditionType
from clustertrigger.api.stored import as_json, read_part, require_types
from clustertrigger.api.trigger import DesiredStatus

LONGEST_CONDITION = 32_768
"""Characters that Kubernetes takes in the message of a condition."""
RunStatus = Literal["pending", "running", "completed", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition as of the core API (metav1.Condition)."""

    type: Annotated[str, Field(max_length=316, description="Ready, Stalled or Running.")]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="Whether it holds.")]
    observedGeneration: Annotated[int | None, Field(description="Generation of the spec that it speaks of.")] = None  # noqa: N815
    lastTransitionTime: Annotated[AwareDatetime, Field(description="When status last changed.")]  # noqa: N815
    reason: Annotated[str, Field(max_length=1024, description="Why, as one word for programs; part of the API.")]
    message: Annotated[
        str, Field(max_length=LONGEST_CONDITION, description="Why, for people; may change from version to version.")
    ] = ""


def find_condition(conditions: Iterable[Condition], kind: ConditionType) -> Condition | None:
    """The condition of a kind; there is at most one."""
    for condition in conditions:
        if condition.type == kind:
            return condition
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One run in the history."""

    job_id: Annotated[str, Field(description="The Job's name.")]
    slot: Annotated[str, Field(description="What it was fired for: an RFC 3339 time, or manual/<token>.")]
    triggered_at: Annotated[AwareDatetime, Field(description="When the Job was created.")]
    status: Annotated[RunStatus, Field(description="State of the run.")]
    queue_time_ms: Annotated[
        int | None, Field(description="Milliseconds from the Job's creation to its start, where it waited in a queue.")
    ] = None
    execution_time_ms: Annotated[
        int | None,
        Field(
            description="Milliseconds from the Job's start to the end of its worker; time in a queue does not count."
        ),
    ] = None
    error: Annotated[str | None, Field(description="Why it failed, in one line.")] = None
    num_clusters: Annotated[int | None, Field(description="Clusters found.")] = None
    num_documents: Annotated[int | None, Field(description="Documents clustered.")] = None
    results_uri: Annotated[str | None, Field(description="Folder of its results.")] = None
    notes: Annotated[list[str] | None, Field(description="What the worker decided by itself, such as a reduction.")] = (
        None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LastResult:
    """What the newest completed run found, in brief; all of it is in the run's folder."""

    job_id: Annotated[str, Field(description="The run's Job.")]
    num_noise: Annotated[int | None, Field(description="Documents in no cluster.")] = None
    clusters: Annotated[
        list[ClusterBrief], Field(description="The largest clusters, as many as the worker's message of 4 KiB holds.")
    ] = field(default_factory=list)
    changes: Annotated[
        Changes | None, Field(description="Since the run before; absent where clusters are numbered anew.")
    ] = None
    next_cluster_id: Annotated[
        int | None, Field(description="The operator's memory of cluster ids: lower ones were used by a run.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A manual request that waits."""

    token: Annotated[str, Field(description="The value of the annotation clustertrigger.dev/run-requested.")]
    since: Annotated[
        AwareDatetime, Field(description="When it was first seen: the starting deadline counts from then.")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of the condition."""

    job_id: Annotated[str, Field(description="The Job's name.")]
    slot: Annotated[AwareDatetime, Field(description="The instant for which it was due.")]
    status: Annotated[Literal["pending", "completed", "failed"], Field(description="State of the check.")]
    error: Annotated[
        str | None, Field(description="Why it failed, or what was in the way of measuring, in one line.")
    ] = None
    value: Annotated[float | None, Field(description="The metric's value.")] = None
    fires: Annotated[bool | None, Field(description="Whether it fired a run.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckState:
    """The operator's memory of checks."""

    due: Annotated[
        AwareDatetime | None, Field(description="Slot of a check that found drift, until its run exists.")
    ] = None
    due_since: Annotated[AwareDatetime | None, Field(description="When that was found.")] = None
    obstacle: Annotated[Obstacle | None, Field(description="Why the last check had nothing to compare.")] = None
    message: Annotated[str | None, Field(description="The same, in one line.")] = None
    baseline_run: Annotated[
        str | None, Field(description="The run whose baseline that was; another baseline ends it.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleState:
    """The operator's memory of the schedule."""

    fingerprint: Annotated[
        str, Field(description="Of trigger_type and schedule_config; another one is another schedule.")
    ]
    live: Annotated[bool, Field(description="Whether slots counted when this was written: valid, active, not failed.")]
    anchor: Annotated[
        AwareDatetime, Field(description="Slot 0 of an interval's grid: creation, or the schedule's last edit.")
    ]
    accounted_until: Annotated[
        AwareDatetime, Field(description="Every slot up to here has been fired, skipped or named as missed.")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEvents:
    """Events that are known, so that a repeated one does not count again."""

    until: Annotated[AwareDatetime, Field(description="When they are forgotten.")]
    ids: Annotated[
        str, Field(description="Of each event 8 bytes of a hash of its source and id, oldest first, in base64.")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventState:
    """The operator's memory of events, written together with event_counter."""

    counts: Annotated[str, Field(description="Which events are counted: <event_type>/<collection_id>.")]
    counted_at: Annotated[AwareDatetime | None, Field(description="When events were last counted.")] = None
    total: Annotated[
        int, Field(description="Events ever counted; an event that fires is known by its number among these.")
    ] = 0
    due_since: Annotated[
        AwareDatetime | None,
        Field(description="Since when the threshold is reached and only a cooldown or an active run is waited for."),
    ] = None
    announced: Annotated[bool, Field(description="Whether the events on the trigger say so already.")] = False
    seen: Annotated[
        list[SeenEvents],
        Field(max_length=16, description="Events of the last ten minutes, at most 16,384 of them, oldest first."),
    ] = field(default_factory=list)


@dataclass(slots=True)
class ClusterTriggerStatus:
    """What the operator observed and did. Nobody else writes it."""

    observedGeneration: Annotated[  # noqa: N815
        int | None, Field(description="Generation of the spec that this status speaks of.")
    ] = None
    conditions: Annotated[
        list[Condition],
        Field(
            max_length=8,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
            description="Ready, Stalled and Running, as kstatus reads them.",
        ),
    ] = field(default_factory=list)
    trigger_id: Annotated[str | None, Field(description="trg_ and 16 hex digits of the object's uid.")] = None
    namespace_id: Annotated[str | None, Field(description="The namespace's name.")] = None
    internal_id: Annotated[str | None, Field(description="The cluster's id: the uid of the namespace kube-system.")] = (
        None
    )
    status: Annotated[DesiredStatus | None, Field(description="The effective state.")] = None
    schedule: Annotated[str | None, Field(description="The schedule in words, for the table.")] = None
    last_triggered_at: Annotated[AwareDatetime | None, Field(description="When the trigger last fired.")] = None
    last_execution_job_id: Annotated[str | None, Field(description="The last run's Job.")] = None
    last_execution_task_id: Annotated[str | None, Field(description="The same, under the unified model's name.")] = None
    next_scheduled_at: Annotated[
        AwareDatetime | None, Field(description="The next slot; absent when there is none.")
    ] = None
    execution_count: Annotated[int, Field(description="Runs that succeeded.")] = 0
    failure_count: Annotated[int, Field(description="Runs that failed.")] = 0
    consecutive_failures: Annotated[int, Field(description="Failed runs since the last success.")] = 0
    last_execution_status: Annotated[RunStatus | None, Field(description="State of the last run.")] = None
    last_execution_error: Annotated[str | None, Field(description="Why the last run failed, in one line.")] = None
    last_result: Annotated[LastResult | None, Field(description="What the last successful run found, in brief.")] = None
    event_counter: Annotated[
        int, Field(description="Events since the last fire; of those that came with it, the ones beyond the threshold.")
    ] = 0
    last_cooldown_at: Annotated[AwareDatetime | None, Field(description="When the cooldown last began.")] = None
    baseline_snapshot: Annotated[
        dict[str, Any] | None,
        Field(
            json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
            description="What the last successful run left for checks to compare with: uri, sha256, run, documents, "
            "dimensions, captured_at, and collections, which tells other collections apart.",
        ),
    ] = None
    last_drift_measurement: Annotated[
        dict[str, Any] | None,
        Field(
            json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
            description="Result of the last check: summary says all in one line; fires, metric, value, threshold, "
            "noise_floor, baseline_documents, current_documents, assignment_js, p_value, checked_at, and what it takes "
            "to compute them again: check, seed, baseline_run, baseline_uri, baseline_sha256.",
        ),
    ] = None
    last_condition_check_at: Annotated[
        AwareDatetime | None, Field(description="When the condition was last checked.")
    ] = None
    consecutive_check_failures: Annotated[
        int, Field(description="Failed checks since the last one that did not fail.")
    ] = 0
    last_check_error: Annotated[str | None, Field(description="Why the last check failed, in one line.")] = None
    checks: Annotated[
        list[Check],
        Field(max_length=512, description="Checks, newest first: an active one and run.history_limit ended ones."),
    ] = field(default_factory=list)
    created_at: Annotated[AwareDatetime | None, Field(description="Creation of the object.")] = None
    updated_at: Annotated[AwareDatetime | None, Field(description="Last change of the spec.")] = None
    created_by: Annotated[
        str | None, Field(description="Who created the object, where the admission webhook saw it.")
    ] = None
    history: Annotated[
        list[Execution],
        Field(max_length=512, description="Runs, newest first: active ones and run.history_limit ended ones."),
    ] = field(default_factory=list)
    last_run_requested: Annotated[
        str | None, Field(description="The last handled value of the annotation clustertrigger.dev/run-requested.")
    ] = None
    waiting_request: Annotated[
        RunRequest | None,
        Field(description="A manual request for which something is missing, until it starts or expires."),
    ] = None
    last_reset_requested: Annotated[
        str | None, Field(description="The last handled value of the annotation clustertrigger.dev/reset-requested.")
    ] = None
    schedule_state: Annotated[ScheduleState | None, Field(description="The operator's memory of the schedule.")] = None
    event_state: Annotated[EventState | None, Field(description="The operator's memory of events.")] = None
    check_state: Annotated[CheckState | None, Field(description="The operator's memory of checks.")] = None

    @classmethod
    def read(cls, raw: object) -> Self:
        """The status as the API server shows it.

        Raises:
            ValidationError: it cannot be one.
        """
        return read_part(cls, raw)

    def as_json(self) -> dict[str, Any]:
        """As the API server stores it."""
        return as_json(self)

    def copy(self) -> ClusterTriggerStatus:
        """One to work on. What is in a status that others hold is never changed."""
        return ClusterTriggerStatus(*_VALUES(self))

    def changed_since(self, before: ClusterTriggerStatus) -> list[str]:
        """Names of the fields that differ.

        Raises:
            ValidationError: one of them does not hold what it is declared to hold.
        """
        values = zip(STATUS_FIELDS, _VALUES(self), _VALUES(before), strict=True)
        changed = [name for name, now, then in values if now is not then and now != then]
        require_types(self, changed)
        return changed


STATUS_FIELDS = tuple(field.name for field in fields(ClusterTriggerStatus))
_VALUES = attrgetter(*STATUS_FIELDS)
