"""Reduces a Job of the operator, as the API server returns it, to what decisions need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from clustertrigger.api.names import (
    ANNOTATION_ACTION,
    ANNOTATION_ANNOUNCES,
    ANNOTATION_CHAIN,
    ANNOTATION_COLLECTIONS,
    ANNOTATION_COMPLETED,
    ANNOTATION_CONFIG,
    ANNOTATION_FAILURE,
    ANNOTATION_MODE,
    ANNOTATION_OUTPUTS,
    ANNOTATION_PROCESSES,
    ANNOTATION_QUEUE,
    ANNOTATION_RERUNS,
    ANNOTATION_SLOT,
    LABEL_QUEUE,
    LABEL_TRIGGER_UID,
)
from clustertrigger.core.instants import instant_or_none, parse_instant
from clustertrigger.core.jobs.pod_view import error_line
from clustertrigger.core.jobs.slot import Slot, parse_slot
from clustertrigger.core.resources.trigger import Owner

Outcome = Literal["completed", "failed"]
_OUTCOMES: dict[str, Outcome] = {
    "Complete": "completed",
    "Failed": "failed",
    "SuccessCriteriaMet": "completed",
    "FailureTarget": "failed",
}
"""Kubernetes 1.31 and later set the last two as soon as the outcome is known, and the first two only after the last Pod
has ended, which may never happen on a failed node.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What a Job was created for, as its annotations and volumes say."""

    collections: str = ""
    """Identifies the collections that it was created for."""
    action: str = "cluster"
    """The trigger's action_type when it was created."""
    reruns: str | None = None
    """The batch that it repeats."""
    processes: tuple[str, ...] = ()
    """The ids of the collection that it processes."""
    announces: tuple[str, ...] = ()
    """The ids of the collections whose event run_completed it is."""
    chain: tuple[str, ...] = ()
    """Triggers whose runs led to it."""
    config: str | None = None
    """Its action_config as JSON, if a rerun needs it."""
    outputs: tuple[str, ...] = ()
    """The ids of the collections that it writes."""
    mode: str | None = None
    """Mode of the clustering, if it is not full."""
    volumes: tuple[str, ...] | None = None
    secrets: tuple[str, ...] | None = None
    """Claims and Secrets that its Pods mount."""


PURPOSE = tuple(field.name for field in fields(Purpose))


@dataclass(frozen=True, slots=True)
class JobView(Purpose):
    """A Job of the operator, reduced to what decisions need."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    trigger_uid: str
    slot: Slot
    created_at: datetime
    started_at: datetime | None
    """When it was last released. None while it is suspended, and until the Job controller has processed the release."""
    queued: bool
    """Whether it is or was suspended, as Kueue does: its timeouts start at its release, not at its creation."""
    released_at: datetime | None
    """When it was last released by the API server's clock, or later; None if it was never queued or that is unknown."""
    queue: str
    """Kueue's LocalQueue, or "" for none."""
    has_own_workload: bool
    """Whether the operator creates its Workload, instead of Kueue."""
    is_contested: bool
    """Whether Kueue has nevertheless given it the label of a queue, and so creates another Workload."""
    has_ready_pod: bool
    finished_at: datetime | None
    outcome: Outcome | None
    outcome_reason: str
    outcome_message: str
    had_pod: bool
    """Whether its status counts a Pod, past or present."""
    failed_pods: int
    """Number of failed Pods, including those that its status lists before it counts them."""
    uncounted_pods: frozenset[str]
    """The uids of the ended Pods that its status lists before it counts them."""
    ignores_disruptions: bool
    """Whether a disrupted Pod does not count as failed. API servers before 1.26 drop this policy."""
    suspended: bool
    deleting: bool
    failure: str | None
    """Why the operator ended it as failed; empty if it did not."""
    completed: bool
    """Whether the operator ended it because its worker had completed."""
    timeout_seconds: int | None

    @property
    def owner(self) -> Owner:
        """The trigger that it belongs to."""
        return Owner(self.namespace, self.trigger_uid)

    @property
    def ended_by_operator(self) -> bool:
        """Whether the operator has requested that Kubernetes ends it."""
        return self.failure is not None or self.completed


def read_job(raw: Mapping[str, Any]) -> JobView | None:
    """Reads a Job of the API server; None if it has the operator's label but is not a trigger's run or check."""
    metadata = raw["metadata"]
    if (slot := _slot_of(metadata)) is None:
        return None
    spec, status = raw.get("spec") or {}, raw.get("status") or {}
    annotations, labels = metadata.get("annotations") or {}, metadata["labels"]
    conditions = {condition.get("type"): condition for condition in status.get("conditions") or ()}
    ended = next((conditions[kind] for kind in _OUTCOMES if _holds(conditions.get(kind))), None)
    counts = [status.get(count) or 0 for count in ("active", "ready", "terminating", "succeeded", "failed")]
    uncounted = status.get("uncountedTerminatedPods") or {}
    failed, succeeded = uncounted.get("failed") or (), uncounted.get("succeeded") or ()
    failure = annotations.get(ANNOTATION_FAILURE)
    own_changes = failure is not None or ANNOTATION_COMPLETED in annotations
    # Suspending and releasing a Job changes its spec, and therefore its generation, as the operator does to end it.
    queued = bool(
        spec.get("suspend")
        or LABEL_QUEUE in labels
        or ANNOTATION_QUEUE in annotations
        or "Suspended" in conditions
        or (metadata.get("generation") or 1) > 1 + own_changes
    )
    return JobView(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        trigger_uid=labels[LABEL_TRIGGER_UID],
        slot=slot,
        created_at=parse_instant(metadata["creationTimestamp"]),
        started_at=_let_go_at(spec, status, conditions.get("Suspended")),
        queued=queued,
        released_at=_released_at(metadata) if queued and not spec.get("suspend") else None,
        queue=annotations.get(ANNOTATION_QUEUE) or labels.get(LABEL_QUEUE, ""),
        has_own_workload=ANNOTATION_QUEUE in annotations,
        is_contested=ANNOTATION_QUEUE in annotations and LABEL_QUEUE in labels,
        has_ready_pod=bool(status.get("ready")),
        finished_at=_instant(status.get("completionTime") or ended.get("lastTransitionTime")) if ended else None,
        outcome=_OUTCOMES[ended["type"]] if ended else None,
        outcome_reason=(ended or {}).get("reason") or "",
        outcome_message=(ended or {}).get("message") or "",
        had_pod=any((*counts, *failed, *succeeded)),
        failed_pods=(status.get("failed") or 0) + len(failed),
        uncounted_pods=frozenset((*failed, *succeeded)),
        ignores_disruptions=_ignores_disruptions(spec),
        suspended=bool(spec.get("suspend")),
        deleting="deletionTimestamp" in metadata,
        failure=error_line(failure) if failure is not None else None,
        completed=ANNOTATION_COMPLETED in annotations,
        timeout_seconds=spec.get("activeDeadlineSeconds"),
        collections=annotations.get(ANNOTATION_COLLECTIONS, ""),
        action=annotations.get(ANNOTATION_ACTION, "cluster"),
        reruns=annotations.get(ANNOTATION_RERUNS),
        processes=_listed(annotations, ANNOTATION_PROCESSES),
        announces=_listed(annotations, ANNOTATION_ANNOUNCES),
        chain=_listed(annotations, ANNOTATION_CHAIN),
        config=annotations.get(ANNOTATION_CONFIG),
        outputs=_listed(annotations, ANNOTATION_OUTPUTS),
        mode=annotations.get(ANNOTATION_MODE),
        volumes=_mounted(spec, "persistentVolumeClaim", "claimName"),
        secrets=_mounted(spec, "secret", "secretName"),
    )


def _listed(annotations: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(filter(None, annotations.get(name, "").split(",")))


def _let_go_at(
    spec: Mapping[str, Any], status: Mapping[str, Any], suspended: Mapping[str, Any] | None
) -> datetime | None:
    """Returns when the Job's time last started to count; for a preempted Job, its readmission."""
    # Until the Job controller has processed the release, startTime is absent or that of an earlier admission.
    if spec.get("suspend") or _holds(suspended):
        return None
    started = _instant(status.get("startTime"))
    released = _instant((suspended or {}).get("lastTransitionTime"))
    return max((at for at in (started, released) if at), default=None)


def _released_at(metadata: Mapping[str, Any]) -> datetime | None:
    """Returns the time of the last write by the manager that owns spec.suspend, which released the Job."""
    times = [
        written
        for entry in metadata.get("managedFields") or ()
        if "f:suspend" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
        and (written := instant_or_none(entry.get("time") or ""))
    ]
    return max(times, default=None)


def _mounted(spec: Mapping[str, Any], kind: str, name: str) -> tuple[str, ...] | None:
    """Returns what the Pods mount of a kind; None if the Job does not contain its Pods' spec."""
    pod = (spec.get("template") or {}).get("spec")
    if pod is None:
        return None
    return tuple(found[name] for volume in pod.get("volumes") or () if (found := volume.get(kind)))


def _ignores_disruptions(spec: Mapping[str, Any]) -> bool:
    rules = (spec.get("podFailurePolicy") or {}).get("rules") or ()
    return any(
        pattern.get("type") == "DisruptionTarget"
        for rule in rules
        if rule.get("action") == "Ignore"
        for pattern in rule.get("onPodConditions") or ()
    )


def _holds(condition: Mapping[str, Any] | None) -> bool:
    return condition is not None and condition.get("status") == "True"


def _slot_of(metadata: Mapping[str, Any]) -> Slot | None:
    """Anybody can set labels and annotations. Only the owner reference and a slot make the Job a run."""
    owner = (metadata.get("labels") or {}).get(LABEL_TRIGGER_UID)
    owners = [reference.get("uid") for reference in metadata.get("ownerReferences") or ()]
    if not owner or owner not in owners:
        return None
    return parse_slot((metadata.get("annotations") or {}).get(ANNOTATION_SLOT, ""))


def _instant(text: str | None) -> datetime | None:
    return parse_instant(text) if text else None
