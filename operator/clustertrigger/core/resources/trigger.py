"""Reads a ClusterTrigger of the API server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from clustertrigger.api.conditions import ConditionType
from clustertrigger.api.status import ClusterTriggerStatus, Condition, find_condition
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.instants import instant_or_none, parse_instant
from clustertrigger.core.json_text import read_json, write_json
from clustertrigger.core.requested import reset_requested, run_requested
from clustertrigger.core.resources.permitted import ANYTHING, Permitted
from clustertrigger.core.resources.validation import Problem, parse_trigger


class Key(NamedTuple):
    """Identifies a trigger."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Owner(NamedTuple):
    """Returns the key of the trigger that owns a Job or a Pod.

    The uid alone could be that of another namespace's trigger.
    """

    namespace: str
    uid: str


@dataclass(frozen=True, slots=True)
class Trigger:
    """One ClusterTrigger. `spec` is None if it is invalid; `problems` then says why."""

    key: Key
    uid: str
    generation: int
    resource_version: str
    created_at: datetime
    edited_at: datetime | None
    """When the spec was last written, rounded down to seconds; None if managedFields do not contain it."""
    run_requested: str | None
    reset_requested: str | None
    spec: ClusterTriggerSpec | None
    problems: tuple[Problem, ...]
    status: ClusterTriggerStatus
    status_json: bytes
    """The status as the API server returned it. This form takes a fifth of the memory."""
    deleting: bool = False
    """Whether it is being deleted, and another controller's finalizer is pending."""

    @property
    def raw_status(self) -> dict[str, Any]:
        """The status as the API server returned it, including fields that this version does not know."""
        found: dict[str, Any] = read_json(self.status_json)
        return found

    @property
    def not_ready(self) -> Condition | None:
        """Its Ready condition, if that is not True."""
        ready = find_condition(self.status.conditions, ConditionType.READY)
        return ready if ready and ready.status != "True" else None

    @property
    def owner(self) -> Owner:
        """Owner of its Jobs and Pods."""
        return Owner(self.key.namespace, self.uid)


ParsedSpec = tuple[ClusterTriggerSpec | None, tuple[Problem, ...]]


def read_trigger(raw: Mapping[str, Any], parsed: ParsedSpec | None = None, permitted: Permitted = ANYTHING) -> Trigger:
    """Reads an object of the API server.

    Args:
        raw: The object.
        parsed: Its spec, if it was parsed before.
        permitted: What the operator's settings permit.
    """
    metadata = raw["metadata"]
    spec, problems = parsed or parse_spec(raw, permitted)
    raw_status = raw.get("status") or {}
    return Trigger(
        key=Key(metadata["namespace"], metadata["name"]),
        uid=metadata["uid"],
        generation=metadata.get("generation", 1),
        resource_version=metadata["resourceVersion"],
        created_at=parse_instant(metadata["creationTimestamp"]),
        edited_at=spec_written_at(metadata.get("managedFields") or ()),
        run_requested=run_requested(raw),
        reset_requested=reset_requested(raw),
        spec=spec,
        problems=problems,
        status=ClusterTriggerStatus.read(raw_status),
        status_json=write_json(raw_status),
        deleting="deletionTimestamp" in metadata,
    )


def parse_spec(raw: Mapping[str, Any], permitted: Permitted = ANYTHING) -> ParsedSpec:
    """Returns the spec, or what is wrong with it."""
    spec, problems = parse_trigger(raw.get("spec") or {}, permitted)
    return spec, tuple(problems)


def spec_written_at(managed_fields: Iterable[Mapping[str, Any]]) -> datetime | None:
    """Returns the time of the last write by any manager that owns a field of the spec.

    Such a manager may have written a label later. Then the time is too late, never too early, so no past slot fires.
    """
    times = [
        written
        for entry in managed_fields
        if "f:spec" in (entry.get("fieldsV1") or {}) and (written := instant_or_none(entry.get("time") or ""))
    ]
    return max(times, default=None)
