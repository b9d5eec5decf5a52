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
    PAUSED = "Paused"
    DISABLED = "Disabled"
    INVALID_SPEC = "InvalidSpec"
    NOT_YET_SUPPORTED = "NotYetSupported"
    COLLECTION_NOT_FOUND = "CollectionNotFound"
    DEFINITION_NOT_FOUND = "DefinitionNotFound"
    AMBIGUOUS_REFERENCE = "AmbiguousReference"
    INVALID_REFERENCE = "InvalidReference"
    TOO_MANY_FAILURES = "TooManyFailures"
    MARKED_FAILED = "MarkedFailed"
    NOT_STALLED = "NotStalled"
    RUN_ACTIVE = "RunActive"
    NO_ACTIVE_RUN = "NoActiveRun"
    CREATE_REFUSED = "CreateRefused"


class EventReason(StrEnum):
    """Reasons of the Kubernetes events on a ClusterTrigger."""

    RUN_CREATED = "RunCreated"
    RUN_COMPLETED = "RunCompleted"
    RUN_FAILED = "RunFailed"
    RUN_DELETED = "RunDeleted"
    SLOT_SKIPPED = "SlotSkipped"
    SLOTS_MISSED = "SlotsMissed"
    CREATE_REFUSED = "CreateRefused"
    NAME_TAKEN = "NameTaken"
    REQUEST_IGNORED = "RequestIgnored"
    TOO_MANY_FAILURES = "TooManyFailures"
    RESET = "Reset"
    INVALID_SPEC = "InvalidSpec"
