"""What a decision is made of: what was observed, and what is to be done about it."""

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
    """The API server's latest no to the creation of a slot's Job."""

    reason: EventReason
    message: str
    since: datetime
    retry_at: datetime


@dataclass(frozen=True, slots=True)
class Observed:
    """What the cluster shows of a trigger, beside the trigger itself."""

    cluster_id: str
    defaults: RunDefaults
    work: Work | Unresolved | None = None
    runs: Mapping[str, ObservedRun] = field(default_factory=dict)
    """By Job name."""
    checks: Mapping[str, ObservedRun] = field(default_factory=dict)
    """By Job name."""
    looked_up: frozenset[str] = frozenset()
    """Jobs that were read from the API server itself for this decision: what is absent from `runs` is gone."""
    awaited: frozenset[str] = frozenset()
    """Collections of the namespace for which triggers count events of the type run_completed."""
    permissions: Permissions = field(default_factory=Permissions)
    """What notifications may be sent, and where to."""
    delivered: frozenset[tuple[str, str]] = frozenset()
    """Notifications that were confirmed, each with its receiver, as the status names them."""
    counted: frozenset[str] = frozenset()
    """Jobs whose events have been counted."""
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    """By Job name."""
    warnings: Mapping[str, str] = field(default_factory=dict)
    """By Job name: what the events of a Job, or of its Pod, warned of when they were last read."""
    asked: Mapping[str, datetime] = field(default_factory=dict)
    """By Job name: when its events were last asked for, or read."""


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Create the one Job of a slot; one of that name that we own is the same as success."""

    name: str
    slot: Slot
    manifest: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete a run's Job and its Pods."""

    name: str


@dataclass(frozen=True, slots=True)
class EndJob:
    """End a run and keep its Job, with the reason on it."""

    name: str
    reason: str
    completed: bool = False
    """Whether its worker has completed. If so, the reason names the container that is still running."""
    unstarted: bool = False
    """Whether Kubernetes has not counted its time so far."""


@dataclass(frozen=True, slots=True)
class LookUpJob:
    """Read a Job and its Pods from the API server, and events where no worker has started: the watch does not tell."""

    name: str


@dataclass(frozen=True, slots=True)
class AskWhy:
    """Do the same without waiting for the answer, which may take a while when many runs do not start."""

    name: str


@dataclass(frozen=True, slots=True)
class RunEvent:
    """What a run is to those who count: an event of its collections."""

    type: str
    count: int
    collection_ids: tuple[str, ...]
    """All ids under which triggers may name them. Whoever names several of them counts the event once."""


@dataclass(frozen=True, slots=True)
class CountEvents:
    """Count a run's events; those that have been counted before do not count again."""

    job: str
    events: tuple[RunEvent, ...]
    chain: tuple[str, ...]
    """Triggers whose runs led to them, this one last."""


Action = CreateJob | DeleteJob | EndJob | LookUpJob | AskWhy | CountEvents


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes event on the trigger."""

    type: Literal["Normal", "Warning"]
    reason: EventReason
    message: str
    series: str = ""
    """Events of the same series are one, which shows the latest message; without one, those with the same message."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Do the actions; where there are none, write the status, then record the events, then sleep until wake_at.

    Where a Job is to be created, the same actions are asked for until wake_at, if nothing else changes than the time.
    """

    actions: tuple[Action, ...]
    status: ClusterTriggerStatus
    events: tuple[Event, ...]
    wake_at: datetime | None

    @property
    def creates_job(self) -> bool:
        """Whether a Job is to be created."""
        return any(isinstance(action, CreateJob) for action in self.actions)
