"""Defines the input and the output of a decision: what was observed, and what is to be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from clustertrigger.api.conditions import EventReason
from clustertrigger.api.status import ClusterTriggerStatus
from clustertrigger.core.actions.work import RunDefaults, Work
from clustertrigger.core.jobs.slot import Slot
from clustertrigger.core.jobs.workload import ObservedRun
from clustertrigger.core.notifications.permissions import Permissions
from clustertrigger.core.resources.catalog import Unresolved


@dataclass(frozen=True, slots=True)
class Refusal:
    """The API server's latest refusal to create a slot's Job."""

    reason: EventReason
    message: str
    since: datetime
    retry_at: datetime


@dataclass(frozen=True, slots=True)
class Observed:
    """What the cluster contains for a trigger, in addition to the trigger itself."""

    cluster_id: str
    defaults: RunDefaults
    work: Work | Unresolved | None = None
    runs: Mapping[str, ObservedRun] = field(default_factory=dict)
    """Runs, by Job name."""
    checks: Mapping[str, ObservedRun] = field(default_factory=dict)
    """Checks, by Job name."""
    looked_up: frozenset[str] = frozenset()
    """Jobs that were read from the API server for this decision; one that is absent from `runs` does not exist."""
    awaited: frozenset[str] = frozenset()
    """Collections of the namespace for which triggers count events of the type run_completed."""
    permissions: Permissions = field(default_factory=Permissions)
    """The operator's settings for notifications."""
    delivered: frozenset[tuple[str, str]] = frozenset()
    """Confirmed notifications, each with its receiver, as the status identifies them."""
    counted: frozenset[str] = frozenset()
    """Jobs whose events have been counted."""
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    """Refusals, by Job name."""
    warnings: Mapping[str, str] = field(default_factory=dict)
    """By Job name: the warning in the events of a Job or of its Pod, when they were last read."""
    asked_at: Mapping[str, datetime] = field(default_factory=dict)
    """By Job name: when its events were last requested or read."""


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Create the Job of a slot. An existing Job of that name that belongs to the trigger counts as success."""

    name: str
    slot: Slot
    manifest: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete a run's Job and its Pods."""

    name: str


@dataclass(frozen=True, slots=True)
class EndJob:
    """End a run and keep its Job, with the reason as an annotation."""

    name: str
    reason: str
    completed: bool = False
    """Whether its worker has completed, and the status has recorded it."""
    unstarted: bool = False
    """Whether the Job has no startTime yet."""


@dataclass(frozen=True, slots=True)
class LookUpJob:
    """Read a Job and its Pods, and its events if no worker has started, because the watch does not report them."""

    name: str


@dataclass(frozen=True, slots=True)
class AskWhy:
    """Read the same without waiting for the answer, which can take a while if many runs do not start."""

    name: str


@dataclass(frozen=True, slots=True)
class RunEvent:
    """A completed run as an event of its collections, for the triggers that count it."""

    type: str
    count: int
    collection_ids: tuple[str, ...]
    """All ids by which triggers can refer to the collections. A trigger counts the event only once."""


@dataclass(frozen=True, slots=True)
class CountEvents:
    """Count a run's events, unless they were counted before."""

    job: str
    events: tuple[RunEvent, ...]
    chain: tuple[str, ...]
    """The triggers whose runs led to the events; this trigger is the last one."""


Action = CreateJob | DeleteJob | EndJob | LookUpJob | AskWhy | CountEvents


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes event on the trigger."""

    type: Literal["Normal", "Warning"]
    reason: EventReason
    message: str
    series: str = ""
    """Events of one series are merged, with the latest message; if absent, those with the same message."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The actions to execute; without any: write the status, record the events, and sleep until wake_at.

    If a Job is to be created, the decision holds until wake_at, unless something other than the time changes.
    """

    actions: tuple[Action, ...]
    status: ClusterTriggerStatus
    events: tuple[Event, ...]
    wake_at: datetime | None

    @property
    def creates_job(self) -> bool:
        """Whether a Job is to be created."""
        return any(isinstance(action, CreateJob) for action in self.actions)
