"""Defines the types and reasons of conditions and events.

They are part of the API: dashboards and alerts match on them, so they are never renamed.
"""

from __future__ import annotations

from enum import StrEnum


class ConditionType(StrEnum):
    """Types of the conditions of a ClusterTrigger; they follow kstatus."""

    READY = "Ready"
    """The spec is valid, and the schedule is live or paused as requested."""
    STALLED = "Stalled"
    """Nothing happens until a person intervenes."""
    RUNNING = "Running"
    """A run is active."""


class Reason(StrEnum):
    """Why a condition has its value."""

    SCHEDULED = "Scheduled"
    """Ready: the spec is valid and its schedule is live."""
    PAUSED = "Paused"
    """Ready: the trigger is paused, as spec.status requests; it does not fire."""
    DISABLED = "Disabled"
    """Ready: the trigger is disabled, as spec.status requests; it does not fire and does not count events."""
    INVALID_SPEC = "InvalidSpec"
    """Not ready, stalled: the message names each invalid field and its remedy."""
    COLLECTION_NOT_FOUND = "CollectionNotFound"
    """Not ready until the namespace has a Collection with that collection_id or name."""
    DEFINITION_NOT_FOUND = "DefinitionNotFound"
    """Not ready until the namespace has a ClusterDefinition with that cluster_id or name."""
    POD_TEMPLATE_NOT_FOUND = "PodTemplateNotFound"
    """Not ready until the namespace has the PodTemplate that the Collection's spec.processing names."""
    BATCH_NOT_FOUND = "BatchNotFound"
    """Not ready until action_config.batch_id names a run in the history of a trigger of the namespace."""
    CLUSTERS_NOT_FOUND = "ClustersNotFound"
    """Not ready until a trigger of the namespace has completed a run with mode full of what mode assign assigns to."""
    TAXONOMY_NOT_FOUND = "TaxonomyNotFound"
    """Not ready until the namespace has a Taxonomy with that taxonomy_id or name."""
    AMBIGUOUS_REFERENCE = "AmbiguousReference"
    """Not ready until only one of the objects that the message names has the ID."""
    INVALID_REFERENCE = "InvalidReference"
    """Not ready until the object that the message names is corrected."""
    OUTPUT_NOT_WRITABLE = "OutputNotWritable"
    """Not ready until the output that the message names has spec.write, and is not a file that the run reads."""
    CHAIN_LOOP = "ChainLoop"
    """Stalled: an event was not counted, because it descends from a run of this trigger. Not ready: an output of the
    trigger is the collection whose run_completed it waits for.
    """
    TOO_MANY_FAILURES = "TooManyFailures"
    """Not ready, stalled: run.max_consecutive_failures runs failed in a row; change the spec or request a reset."""
    MARKED_FAILED = "MarkedFailed"
    """Not ready, stalled: spec.status is failed; set it to active to fire again."""
    CHECKS_FAILING = "ChecksFailing"
    """Not ready, stalled: run.max_consecutive_failures checks failed in a row. Checks continue, and the next success
    clears the condition.
    """
    NOT_COMPARABLE = "NotComparable"
    """Not ready, stalled: the collection's vectors and the baseline differ in dimensions or in embedding model. The
    next run replaces the baseline.
    """
    NOT_STALLED = "NotStalled"
    """Not stalled: no person needs to intervene."""
    RUN_ACTIVE = "RunActive"
    """Running: the message names the active Jobs."""
    NO_ACTIVE_RUN = "NoActiveRun"
    """Not running."""
    CREATE_REFUSED = "CreateRefused"
    """The API server refused a run's Job. The operator retries until the starting deadline."""


class EventReason(StrEnum):
    """Reasons of the Kubernetes events on a ClusterTrigger."""

    RUN_CREATED = "RunCreated"
    """Normal: the trigger fired for a slot or a manual request."""
    RUN_COMPLETED = "RunCompleted"
    """Normal: a run succeeded."""
    RUN_FAILED = "RunFailed"
    """Warning: a run failed; the message says why."""
    WORKER_OUTLIVED = "WorkerOutlived"
    """Normal: another container was still running after the worker of a run or a check had completed, so the operator
    ended the Job.
    """
    RUN_DELETED = "RunDeleted"
    """Normal: a person or concurrency_policy Replace deleted a run's Job before it ended."""
    SLOT_SKIPPED = "SlotSkipped"
    """Normal: a slot was skipped because a run was active and concurrency_policy is Forbid. The slot of a check is
    skipped while any run or check is active.
    """
    SLOTS_MISSED = "SlotsMissed"
    """Warning: slots passed while the trigger could not fire; the message counts and names them."""
    NOTHING_TO_RERUN = "NothingToRerun"
    """Normal: a slot was skipped because the batch is still active or, with retry_failed_only, has completed."""
    THRESHOLD_REACHED = "ThresholdReached"
    """Normal: event_threshold events have arrived."""
    COOLING_DOWN = "CoolingDown"
    """Normal: the threshold was reached before cooldown_seconds had passed; the trigger fires after the cooldown."""
    SLOT_DEFERRED = "SlotDeferred"
    """Normal: the threshold was reached while a run was active and concurrency_policy is Forbid; the trigger fires
    after that run.
    """
    CHAIN_LOOP = "ChainLoop"
    """Warning: an event was not counted, because it descends from a run of this trigger."""
    NOTIFICATION_DELAYED = "NotificationDelayed"
    """Warning: a receiver of run.notify did not confirm a CloudEvent; the operator sends it again."""
    NOTIFICATION_FAILED = "NotificationFailed"
    """Warning: a CloudEvent was not delivered within retry_seconds of its receiver, or had to make room for newer
    ones, and is given up.
    """
    DRIFT_DETECTED = "DriftDetected"
    """Normal: a check found drift, and the trigger fires."""
    VOLUME_CHANGED = "VolumeChanged"
    """Normal: a check found that the number of documents has changed, and the trigger fires."""
    NO_DRIFT = "NoDrift"
    """Normal: a check found no drift. Repeated events are merged into one, whose message has the latest numbers."""
    NO_VOLUME_CHANGE = "NoVolumeChange"
    """Normal: a check found about as many documents as before. Repeated events are merged into one."""
    CHECK_FAILED = "CheckFailed"
    """Warning: a check failed; the next slot checks again."""
    CHECKS_FAILING = "ChecksFailing"
    """Warning: run.max_consecutive_failures checks failed in a row."""
    BASELINE_LOST = "BaselineLost"
    """Warning: the baseline is missing or was altered; the next slot starts a run that writes a new one."""
    NOT_COMPARABLE = "NotComparable"
    """Warning: a check found vectors whose dimensions or embedding model differ from the baseline's."""
    CREATE_REFUSED = "CreateRefused"
    """Warning: the API server refused a run's Job, for example because of a quota or a webhook."""
    NAME_TAKEN = "NameTaken"
    """Warning: another object's Job already has the run's name."""
    REQUEST_IGNORED = "RequestIgnored"
    """Warning: a manual run, requested by annotation, was not started."""
    TOO_MANY_FAILURES = "TooManyFailures"
    """Warning: the trigger stops firing until the spec changes or a reset is requested."""
    RESET = "Reset"
    """Normal: consecutive failures were reset to 0, as requested by annotation."""
    INVALID_SPEC = "InvalidSpec"
    """Warning: the spec is invalid."""
