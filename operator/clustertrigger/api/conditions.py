"""Condition types and reasons. Both are API: dashboards and alerts match on them, so they are never renamed."""

from __future__ import annotations

from enum import StrEnum


class ConditionType(StrEnum):
    """Of a ClusterTrigger; they follow kstatus."""

    READY = "Ready"
    """The spec is valid and its schedule is live, or paused as asked."""
    STALLED = "Stalled"
    """Nothing will happen until a person acts."""
    RUNNING = "Running"
    """A run is active."""


class Reason(StrEnum):
    """Why a condition has its value."""

    SCHEDULED = "Scheduled"
    """Ready: the spec is valid and its schedule is live."""
    PAUSED = "Paused"
    """Ready: paused as spec.status asks; nothing fires."""
    DISABLED = "Disabled"
    """Ready: disabled as spec.status asks; nothing fires, no event counts."""
    INVALID_SPEC = "InvalidSpec"
    """Not ready, stalled: the message names each field that is wrong and the way out."""
    COLLECTION_NOT_FOUND = "CollectionNotFound"
    """Not ready until there is a Collection with that collection_id or name in the namespace."""
    DEFINITION_NOT_FOUND = "DefinitionNotFound"
    """Not ready until there is a ClusterDefinition with that cluster_id or name in the namespace."""
    AMBIGUOUS_REFERENCE = "AmbiguousReference"
    """Not ready until only one of the objects that the message names claims the id."""
    INVALID_REFERENCE = "InvalidReference"
    """Not ready until the Collection or ClusterDefinition that the message names is corrected."""
    TOO_MANY_FAILURES = "TooManyFailures"
    """Not ready, stalled: run.max_consecutive_failures runs failed in a row; change the spec or request a reset."""
    MARKED_FAILED = "MarkedFailed"
    """Not ready, stalled: spec.status is failed; set it to active to fire again."""
    CHECKS_FAILING = "ChecksFailing"
    """Not ready, stalled: run.max_consecutive_failures checks failed in a row; they go on, and one that succeeds ends
    this."""
    NOT_COMPARABLE = "NotComparable"
    """Not ready, stalled: the collection's vectors have other dimensions or another model than the baseline's; a run
    renews it."""
    NOT_STALLED = "NotStalled"
    """Not stalled: nothing needs a person."""
    RUN_ACTIVE = "RunActive"
    """Running: the message names the active Jobs."""
    NO_ACTIVE_RUN = "NoActiveRun"
    """Not running."""
    CREATE_REFUSED = "CreateRefused"
    """The API server refused a run's Job; it is tried again until the starting deadline."""


class EventReason(StrEnum):
    """Reasons of the Kubernetes events on a ClusterTrigger."""

    RUN_CREATED = "RunCreated"
    """Normal: a slot or a request fired."""
    RUN_COMPLETED = "RunCompleted"
    """Normal: a run succeeded."""
    RUN_FAILED = "RunFailed"
    """Warning: a run failed; the message says why."""
    RUN_DELETED = "RunDeleted"
    """Normal: a run's Job was deleted before it ended, by a person or by concurrency_policy Replace."""
    SLOT_SKIPPED = "SlotSkipped"
    """Normal: a slot came while a run was active and concurrency_policy is Forbid; the slot of a check, while any run
    or check was active."""
    SLOTS_MISSED = "SlotsMissed"
    """Warning: slots that passed while nothing could fire, counted and named."""
    THRESHOLD_REACHED = "ThresholdReached"
    """Normal: event_threshold events have arrived."""
    COOLING_DOWN = "CoolingDown"
    """Normal: the threshold was reached before cooldown_seconds had passed; the trigger fires when they have."""
    SLOT_DEFERRED = "SlotDeferred"
    """Normal: the threshold was reached while a run was active and concurrency_policy is Forbid; the trigger fires
    when that run has ended."""
    DRIFT_DETECTED = "DriftDetected"
    """Normal: a check found drift; a run fires."""
    NO_DRIFT = "NoDrift"
    """Normal: a check found nothing to fire for; the message of the latest one, with its numbers, stands for all."""
    CHECK_FAILED = "CheckFailed"
    """Warning: a check failed; the next slot checks again."""
    CHECKS_FAILING = "ChecksFailing"
    """Warning: run.max_consecutive_failures checks failed in a row."""
    BASELINE_LOST = "BaselineLost"
    """Warning: there is no baseline any more, or it was altered; the next slot runs to renew it."""
    NOT_COMPARABLE = "NotComparable"
    """Warning: a check found vectors of other dimensions or of another model than the baseline's."""
    CREATE_REFUSED = "CreateRefused"
    """Warning: the API server refused a run's Job, for a quota or a webhook perhaps."""
    NAME_TAKEN = "NameTaken"
    """Warning: a Job of the run's name exists and belongs to somebody else."""
    REQUEST_IGNORED = "RequestIgnored"
    """Warning: a run requested by annotation was not started."""
    TOO_MANY_FAILURES = "TooManyFailures"
    """Warning: firing stops until the spec changes or a reset is requested."""
    RESET = "Reset"
    """Normal: consecutive failures are back to 0, as requested by annotation."""
    INVALID_SPEC = "InvalidSpec"
    """Warning: the spec cannot be followed."""
