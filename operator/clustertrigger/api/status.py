"""Defines ClusterTrigger.status: the fields that the API adds to the request, and the operator's own state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field

from clustercontract.brief import Changes, ClusterBrief, EnrichmentBrief
from clustercontract.check import Obstacle
from clustertrigger.api.conditions import ConditionType
from clustertrigger.api.stored import as_json, read_part, require_types
from clustertrigger.api.trigger import DesiredStatus

LONGEST_CONDITION = 32_768
"""Maximum number of characters in the message of a condition; Kubernetes sets this limit."""
RunStatus = Literal["pending", "running", "completed", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition as in the core API (metav1.Condition)."""

    type: Annotated[str, Field(max_length=316, description="Type of the condition: Ready, Stalled or Running.")]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="Whether the condition holds.")]
    observedGeneration: Annotated[int | None, Field(description="Generation of the spec that it describes.")] = None  # noqa: N815
    lastTransitionTime: Annotated[AwareDatetime, Field(description="When the condition's status last changed.")]  # noqa: N815
    reason: Annotated[
        str,
        Field(
            max_length=1024,
            description="Reason for the condition's status, as one word for programs. It is part of the API.",
        ),
    ]
    message: Annotated[
        str,
        Field(
            max_length=LONGEST_CONDITION,
            description="Reason for the condition's status, for people. The text can change between versions.",
        ),
    ] = ""


def find_condition(conditions: Iterable[Condition], kind: ConditionType) -> Condition | None:
    """Returns the condition of a type; None if there is none."""
    for condition in conditions:
        if condition.type == kind:
            return condition
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One run in the history."""

    job_id: Annotated[str, Field(description="Name of the run's Job.")]
    slot: Annotated[str, Field(description="Slot for which the trigger fired: an RFC 3339 time, or manual/<token>.")]
    triggered_at: Annotated[AwareDatetime, Field(description="When the Job was created.")]
    status: Annotated[RunStatus, Field(description="State of the run.")]
    queue_time_ms: Annotated[
        int | None, Field(description="Milliseconds from the Job's creation to its start, if it waited in a queue.")
    ] = None
    execution_time_ms: Annotated[
        int | None,
        Field(
            description="Milliseconds from the Job's start to the end of its worker. Time in a queue is not included."
        ),
    ] = None
    error: Annotated[str | None, Field(description="Why the run failed, in one line.")] = None
    num_clusters: Annotated[int | None, Field(description="Number of clusters found.")] = None
    num_documents: Annotated[int | None, Field(description="Number of documents read.")] = None
    results_uri: Annotated[str | None, Field(description="Folder of the run's results.")] = None
    notes: Annotated[
        list[str] | None, Field(description="Decisions that the worker made by itself, such as a reduction.")
    ] = None
    documents_added: Annotated[
        int | None, Field(description="collection_trigger: number of documents that the run added.")
    ] = None
    documents_updated: Annotated[
        int | None, Field(description="collection_trigger: number of documents that the run updated.")
    ] = None
    documents_deleted: Annotated[
        int | None, Field(description="collection_trigger: number of documents that the run deleted.")
    ] = None
    mode: Annotated[
        str | None, Field(description="cluster: mode of the run, assign or composite. Absent with mode full.")
    ] = None
    action_type: Annotated[
        str | None,
        Field(description="Action of the run, which can differ from the trigger's current action. Absent for cluster."),
    ] = None
    action_config: Annotated[
        str | None,
        Field(description="collection_trigger: the run's action_config, as JSON. A rerun uses it."),
    ] = None
    outputs: Annotated[
        list[str] | None,
        Field(description="Collections that the run writes each document's result into. A rerun writes them too."),
    ] = None
    announces: Annotated[
        list[str] | None,
        Field(
            description="IDs of the collections for which the completed run counts as an event run_completed. A rerun "
            "counts for the same ones."
        ),
    ] = None
    reruns: Annotated[str | None, Field(description="batch_rerun: the batch that this run repeats.")] = None
    volumes: Annotated[
        list[str] | None, Field(description="Claims that the run's Pod mounts. A rerun mounts them too.")
    ] = None
    secrets: Annotated[
        list[str] | None, Field(description="Secrets that the run's Pod mounts. A rerun mounts them too.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastResult:
    """Summary of the newest completed run. The run's folder has the complete result."""

    job_id: Annotated[str, Field(description="Name of the run's Job.")]
    num_noise: Annotated[int | None, Field(description="Number of documents in no cluster.")] = None
    clusters: Annotated[
        list[ClusterBrief],
        Field(description="The largest clusters, as many as fit into the worker's message of 4 KiB."),
    ] = field(default_factory=list)
    changes: Annotated[
        Changes | None,
        Field(description="Changes since the previous run. Absent if each run numbers its clusters independently."),
    ] = None
    next_cluster_id: Annotated[int | None, Field(description="Internal state: lower cluster IDs are already used.")] = (
        None
    )
    enrichment: Annotated[
        EnrichmentBrief | None, Field(description="taxonomy_enrichment: summary of the documents' nodes.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A manual request that is waiting."""

    token: Annotated[str, Field(description="Value of the annotation clustertrigger.dev/run-requested.")]
    since: Annotated[
        AwareDatetime,
        Field(description="When the operator first saw the request. The starting deadline counts from then."),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of the condition."""

    job_id: Annotated[str, Field(description="Name of the check's Job.")]
    slot: Annotated[AwareDatetime, Field(description="The time for which the check was due.")]
    status: Annotated[Literal["pending", "completed", "failed"], Field(description="State of the check.")]
    error: Annotated[str | None, Field(description="Why the check failed or could not measure, in one line.")] = None
    value: Annotated[float | None, Field(description="The metric's value.")] = None
    fires: Annotated[bool | None, Field(description="Whether the check fired a run.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckState:
    """The operator's internal state of the checks."""

    due: Annotated[
        AwareDatetime | None, Field(description="Slot of a check that found drift, until its run exists.")
    ] = None
    due_since: Annotated[AwareDatetime | None, Field(description="When the check found the drift.")] = None
    obstacle: Annotated[Obstacle | None, Field(description="Why the last check had nothing to compare.")] = None
    message: Annotated[str | None, Field(description="The obstacle, in one line.")] = None
    baseline_run: Annotated[
        str | None, Field(description="Run that wrote the baseline of that check. A new baseline clears the obstacle.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A CloudEvent that some receivers have not confirmed."""

    id: Annotated[str, Field(description="The CloudEvent's id, which stays the same when it is sent again.")]
    type: Annotated[str, Field(description="The CloudEvent's type.")]
    subject: Annotated[str, Field(description="Name of the Job of the run or the check.")]
    time: Annotated[AwareDatetime, Field(description="When the operator learned of it.")]
    to: Annotated[
        list[str],
        Field(max_length=8, description="Receivers that have not confirmed it: 12 digits of the uri's SHA-256."),
    ]
    data: Annotated[
        dict[str, Any],
        Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True}, description="The CloudEvent's data."),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleState:
    """The operator's internal state of the schedule."""

    fingerprint: Annotated[
        str, Field(description="Hash of trigger_type and schedule_config. If it changes, the schedule was edited.")
    ]
    live: Annotated[
        bool,
        Field(
            description="Whether slots counted when this state was written: the trigger was "
            "valid, active and not failed."
        ),
    ]
    anchor: Annotated[
        AwareDatetime,
        Field(description="Slot 0 of an interval's grid: the time of creation, or of the schedule's last edit."),
    ]
    accounted_until: Annotated[
        AwareDatetime, Field(description="Every slot up to this time has been fired, skipped or reported as missed.")
    ]
    ahead_from: Annotated[
        AwareDatetime | None,
        Field(
            description="Earliest time of a Job of this trigger that was created while the API server's clock was "
            "ahead; ahead_until if there is no such Job."
        ),
    ] = None
    ahead_until: Annotated[
        AwareDatetime | None,
        Field(
            description="Latest time that was written here while the API server's clock was ahead. Jobs from "
            "ahead_from until this time that have ended are recorded already."
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEvents:
    """Events that were received, so that a repeated event is not counted again."""

    until: Annotated[AwareDatetime, Field(description="When these events are dropped from the list.")]
    ids: Annotated[
        str, Field(description="For each event, 8 bytes of a hash of its source and ID, oldest first, in base64.")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventState:
    """The operator's internal state of the events, written together with event_counter."""

    counts: Annotated[str, Field(description="Which events are counted: <event_type>/<collection_id>.")]
    counted_at: Annotated[AwareDatetime | None, Field(description="When events were last counted.")] = None
    total: Annotated[
        int,
        Field(
            description="Total number of events ever counted. The number of the event that fires identifies its slot."
        ),
    ] = 0
    due_since: Annotated[
        AwareDatetime | None,
        Field(description="When the threshold was reached, while a cooldown or an active run delays the fire."),
    ] = None
    announced: Annotated[
        bool, Field(description="Whether a Kubernetes event on the trigger already reports the delay.")
    ] = False
    chain: Annotated[
        list[str],
        Field(
            max_length=64,
            description="Triggers whose runs led to the events that are counted. The next run passes them on.",
        ),
    ] = field(default_factory=list)
    loop: Annotated[
        str | None, Field(description="Why the last event of another trigger's run was not counted, if it was not.")
    ] = None
    seen: Annotated[
        list[SeenEvents],
        Field(max_length=16, description="Events of the last ten minutes, at most 16,384, oldest first."),
    ] = field(default_factory=list)
    own: Annotated[
        str | None,
        Field(
            description="The last 256 events of runs that processed a collection: 8 bytes of a hash of each, oldest "
            "first, in base64. However long the operator was down, it does not count them again."
        ),
    ] = None


@dataclass(slots=True)
class ClusterTriggerStatus:
    """What the operator observed and did. Only the operator writes it."""

    observedGeneration: Annotated[  # noqa: N815
        int | None, Field(description="Generation of the spec that this status describes.")
    ] = None
    conditions: Annotated[
        list[Condition],
        Field(
            max_length=8,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
            description="Conditions Ready, Stalled and Running, which follow kstatus.",
        ),
    ] = field(default_factory=list)
    trigger_id: Annotated[
        str | None, Field(description="ID of the trigger: trg_ and 16 hexadecimal digits of the object's uid.")
    ] = None
    namespace_id: Annotated[str | None, Field(description="Name of the namespace.")] = None
    internal_id: Annotated[
        str | None, Field(description="ID of the cluster: the uid of the namespace kube-system.")
    ] = None
    status: Annotated[DesiredStatus | None, Field(description="The effective state.")] = None
    schedule: Annotated[str | None, Field(description="Summary of the schedule, for the table of kubectl get.")] = None
    last_triggered_at: Annotated[AwareDatetime | None, Field(description="When the trigger last fired.")] = None
    last_execution_job_id: Annotated[str | None, Field(description="Name of the last run's Job.")] = None
    last_execution_task_id: Annotated[
        str | None, Field(description="The same value as last_execution_job_id, under the unified model's name.")
    ] = None
    next_scheduled_at: Annotated[AwareDatetime | None, Field(description="The next slot. Absent if there is none.")] = (
        None
    )
    is_overdue: Annotated[
        bool | None,
        Field(
            description="True if a run is due and cannot start. The Ready or the Running condition gives the reason."
        ),
    ] = None
    execution_count: Annotated[int, Field(description="Number of runs that succeeded.")] = 0
    failure_count: Annotated[int, Field(description="Number of runs that failed.")] = 0
    consecutive_failures: Annotated[int, Field(description="Number of failed runs since the last success.")] = 0
    last_execution_status: Annotated[RunStatus | None, Field(description="State of the last run.")] = None
    last_execution_error: Annotated[str | None, Field(description="Why the last run failed, in one line.")] = None
    last_result: Annotated[LastResult | None, Field(description="Summary of the last successful run.")] = None
    event_counter: Annotated[
        int,
        Field(
            description="Number of events since the trigger last fired, including those beyond the threshold "
            "at that time."
        ),
    ] = 0
    last_cooldown_at: Annotated[AwareDatetime | None, Field(description="When the cooldown last began.")] = None
    baseline_snapshot: Annotated[
        dict[str, Any] | None,
        Field(
            json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
            description="The baseline that the last successful run wrote and that checks compare with: uri, sha256, "
            "run, documents, dimensions, captured_at, and collections, which identifies the collections it was "
            "computed from.",
        ),
    ] = None
    last_drift_measurement: Annotated[
        dict[str, Any] | None,
        Field(
            json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
            description="Result of the last check of drift. summary describes it in one line. The numbers are fires, "
            "metric, value, threshold, noise_floor, baseline_documents, current_documents, assignment_js, p_value and "
            "checked_at. With check, seed, baseline_run, baseline_uri and baseline_sha256, they can be computed "
            "again.",
        ),
    ] = None
    last_volume_measurement: Annotated[
        dict[str, Any] | None,
        Field(
            json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
            description="Result of the last check of volume. summary describes it in one line. The numbers are fires, "
            "metric, value, threshold, baseline_documents, current_documents and checked_at. Only the measurement of "
            "the latest check is kept: this one or last_drift_measurement.",
        ),
    ] = None
    last_condition_check_at: Annotated[
        AwareDatetime | None, Field(description="When a check last measured the condition.")
    ] = None
    consecutive_check_failures: Annotated[
        int, Field(description="Number of failed checks since the last successful one.")
    ] = 0
    last_check_error: Annotated[str | None, Field(description="Why the last check failed, in one line.")] = None
    checks: Annotated[
        list[Check],
        Field(
            max_length=512,
            description="Checks, newest first: an active one, and the last run.history_limit ended ones.",
        ),
    ] = field(default_factory=list)
    created_at: Annotated[AwareDatetime | None, Field(description="When the object was created.")] = None
    updated_at: Annotated[AwareDatetime | None, Field(description="When the spec last changed.")] = None
    created_by: Annotated[
        str | None, Field(description="User who created the object, if the admission webhook saw the request.")
    ] = None
    history: Annotated[
        list[Execution],
        Field(
            max_length=512, description="Runs, newest first: active ones, and the last run.history_limit ended ones."
        ),
    ] = field(default_factory=list)
    last_run_requested: Annotated[
        str | None,
        Field(description="Last value of the annotation clustertrigger.dev/run-requested that the operator handled."),
    ] = None
    waiting_request: Annotated[
        RunRequest | None,
        Field(description="A manual request that waits for a missing object, until it starts or expires."),
    ] = None
    last_reset_requested: Annotated[
        str | None,
        Field(description="Last value of the annotation clustertrigger.dev/reset-requested that the operator handled."),
    ] = None
    notifications: Annotated[
        list[Notification],
        Field(
            max_length=100,
            description="CloudEvents that some receivers of run.notify have not confirmed, oldest first.",
        ),
    ] = field(default_factory=list)
    schedule_state: Annotated[ScheduleState | None, Field(description="Internal state of the schedule.")] = None
    event_state: Annotated[EventState | None, Field(description="Internal state of the events.")] = None
    check_state: Annotated[CheckState | None, Field(description="Internal state of the checks.")] = None

    @property
    def last_measurement(self) -> dict[str, Any] | None:
        """Result of the last check, whatever it measured."""
        return self.last_drift_measurement or self.last_volume_measurement

    @classmethod
    def read(cls, raw: object) -> Self:
        """Reads the status as the API server returns it.

        Raises:
            ValidationError: The value is not a valid status.
        """
        return read_part(cls, raw)

    def as_json(self) -> dict[str, Any]:
        """Returns the status as the API server stores it."""
        return as_json(self)

    def copy(self) -> ClusterTriggerStatus:
        """Returns a shallow copy. The values inside are shared and must not be changed in place."""
        return ClusterTriggerStatus(*_VALUES(self))

    def changed_since(self, before: ClusterTriggerStatus) -> list[str]:
        """Returns the names of the fields that differ.

        Raises:
            ValidationError: A changed field has a value of the wrong type.
        """
        values = zip(STATUS_FIELDS, _VALUES(self), _VALUES(before), strict=True)
        changed = [name for name, now, then in values if now is not then and now != then]
        require_types(self, changed)
        return changed


STATUS_FIELDS = tuple(field.name for field in fields(ClusterTriggerStatus))
_VALUES = attrgetter(*STATUS_FIELDS)
