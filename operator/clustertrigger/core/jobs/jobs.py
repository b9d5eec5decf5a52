"""Builds the Jobs of slots: runs and checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from clustercontract.baseline import Baseline
from clustercontract.check import CHECK_SPEC_VARIABLE, CheckSpec
from clustercontract.container import ExitCode
from clustercontract.run import PreviousRun
from clustertrigger.api import API_VERSION
from clustertrigger.api.names import (
    ANNOTATION_ANNOUNCES,
    ANNOTATION_CHAIN,
    ANNOTATION_COLLECTIONS,
    ANNOTATION_COMPLETED,
    ANNOTATION_FAILURE,
    ANNOTATION_QUEUE,
    ANNOTATION_QUEUE_PRIORITY,
    ANNOTATION_SLOT,
    LABEL_MANAGED_BY,
    LABEL_QUEUE,
    LABEL_QUEUE_PRIORITY,
    LABEL_ROLE,
    LABEL_TRIGGER,
    LABEL_TRIGGER_UID,
    MANAGED_BY,
    ROLE_CHECK,
    ROLE_RUN,
    WORKER_CONTAINER,
)
from clustertrigger.api.schedule import ConditionalSchedule
from clustertrigger.api.status import LastResult
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.actions.work import (
    Ask,
    FromTemplate,
    Order,
    RunDefaults,
    Work,
    Writes,
    collections_digest,
    results_target,
)
from clustertrigger.core.instants import format_instant
from clustertrigger.core.jobs.naming import seed
from clustertrigger.core.jobs.pods import pod_metadata, pod_spec
from clustertrigger.core.jobs.slot import CheckSlot, EventSlot, RunSlot, Slot
from clustertrigger.core.jobs.spark_pods import driver, engine
from clustertrigger.core.jobs.template_pods import template_pod_spec
from clustertrigger.core.resources.trigger import Trigger

SlotT_co = TypeVar("SlotT_co", bound=Slot, covariant=True)

_LONGEST_LABEL = 63
_SHORTEST_MEMORY, _LONGEST_MEMORY = 600, 604_800
"""Number of seconds for which an ended check is kept."""
_POD_FAILURE_POLICY: Mapping[str, Any] = {
    "rules": [
        {
            "action": "FailJob",
            "onExitCodes": {
                "containerName": WORKER_CONTAINER,
                "operator": "In",
                "values": [int(ExitCode.MISCONFIGURED)],
            },
        },
        # After a drain, a preemption or an eviction, the run restarts elsewhere. This does not count as an
        # attempt.
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ]
}


@dataclass(frozen=True, slots=True)
class _Kind:
    role: str
    timeout_seconds: int
    ttl_seconds: int
    queue_name: str


@dataclass(frozen=True, slots=True)
class _Pod:
    spec: dict[str, Any]
    has_executors: bool = False
    """Whether it creates executors, which its Job does not contain."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Metadata from the PodTemplate, in addition to the trigger's and the operator's own."""
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobRequest(Generic[SlotT_co]):
    """What a Job is built for.

    Attributes:
        trigger: Owner of the Job.
        spec: Its spec.
        work: What its action does, with the current definitions.
        name: Name of the Job.
        slot: The slot that the Job handles.
        defaults: Settings of the operator.
    """

    trigger: Trigger
    spec: ClusterTriggerSpec
    work: Work
    name: str
    slot: SlotT_co
    defaults: RunDefaults


def build_job(
    request: JobRequest[RunSlot], previous: PreviousRun | None = None, last_result: LastResult | None = None
) -> dict[str, Any]:
    """Returns the Job of a run.

    Args:
        request: What it is built for.
        previous: The run whose cluster ids this one continues.
        last_result: Result of the last completed run.
    """
    trigger, work, run = request.trigger, request.work, request.spec.run
    defaults, executors = engine(run, work, request.defaults, _labels(trigger, ROLE_RUN), work.writes())
    ask = Ask(
        trigger.key.namespace,
        trigger.key.name,
        request.name,
        str(request.slot),
        seed(trigger.uid),
        run,
        defaults,
        previous,
        last_result,
        executors,
    )
    order = work.order(ask)
    if isinstance(order, FromTemplate):
        pod = _Pod(
            template_pod_spec(run, order, defaults),
            labels=order.template.labels,
            annotations=order.template.annotations,
        )
    else:
        own = pod_spec(run, work, defaults, order=order, resources=run.resources, writes=work.writes())
        pod = _Pod(driver(own) if executors else own, has_executors=executors is not None)
    # The name guards the slot until the status does: keep the Job for as long as the slot could fire.
    kind = _Kind(
        ROLE_RUN, run.timeout_seconds, ttl_seconds=max(run.starting_deadline_seconds, 3600), queue_name=run.queue_name
    )
    state = trigger.status.event_state
    chain = state.chain if state is not None and isinstance(request.slot, EventSlot) else ()
    annotations = {ANNOTATION_ANNOUNCES: ",".join(work.announces), ANNOTATION_CHAIN: ",".join(chain)}
    return _job(request, kind, pod, {key: text for key, text in annotations.items() if text})


def build_check_job(
    request: JobRequest[CheckSlot], schedule: ConditionalSchedule, baseline: Baseline
) -> dict[str, Any]:
    """Returns the Job of a check.

    Args:
        request: What it is built for.
        schedule: Schedule of the trigger.
        baseline: The baseline that the documents are compared with.
    """
    trigger, work, run, defaults = request.trigger, request.work, request.spec.run, request.defaults
    executors = None
    if run.check.engine == "run" and schedule.metric != "document_count":
        defaults, executors = engine(run, work, defaults, _labels(trigger, ROLE_CHECK), Writes())
    check_spec = CheckSpec(
        namespace=trigger.key.namespace,
        trigger=trigger.key.name,
        check=request.name,
        slot=format_instant(request.slot.instant),
        collections=work.inputs(),
        metric=schedule.metric,
        baseline=baseline,
        results=results_target(run, defaults),
        threshold=schedule.threshold,
        min_documents=schedule.min_documents,
        seed=seed(trigger.uid),
        engine=executors,
    )
    order = Order("check", CHECK_SPEC_VARIABLE, check_spec.model_dump_json(exclude_none=True))
    own = pod_spec(run, work, defaults, order=order, resources=run.check.resources)
    pod = _Pod(driver(own) if executors else own, has_executors=executors is not None)
    kind = _Kind(
        ROLE_CHECK,
        run.check.timeout_seconds,
        ttl_seconds=_check_ttl_seconds(schedule),
        queue_name=run.queue_name if run.check.queue_name is None else run.check.queue_name,
    )
    return _job(request, kind, pod)


def end_job_patch(reason: str, *, completed: bool = False, unstarted: bool = False) -> dict[str, Any]:
    """Returns a merge patch that makes Kubernetes end a Job and keep it, by a deadline that is over.

    An annotation of the Job has the reason.

    Args:
        reason: Why the run failed, or what remains after the worker completed.
        completed: Whether the worker completed. Kubernetes marks the Job as failed nevertheless, because there is no
            other way to end one.
        unstarted: Whether the Job has no startTime. Kubernetes 1.20 does not set it, and does not apply the deadline,
            before it created a Pod. After the deadline, it must not create one.
    """
    annotation = ANNOTATION_COMPLETED if completed else ANNOTATION_FAILURE
    none_wanted = {"parallelism": 0} if unstarted else {}
    return {"metadata": {"annotations": {annotation: reason}}, "spec": {"activeDeadlineSeconds": 1, **none_wanted}}


def _labels(trigger: Trigger, role: str) -> dict[str, str]:
    """Returns the labels of a Job and of its Pods."""
    return {
        LABEL_MANAGED_BY: MANAGED_BY,
        LABEL_TRIGGER_UID: trigger.uid,
        LABEL_TRIGGER: trigger.key.name[:_LONGEST_LABEL].rstrip("-."),
        LABEL_ROLE: role,
    }


def _check_ttl_seconds(schedule: ConditionalSchedule) -> int:
    """Returns how long an ended check is kept: until the next one has ended, so that users can read its log.

    A check's slot can fire until the next slot is due, so the Job must exist as long.
    """
    return min(max(2 * schedule.check_interval_seconds, _SHORTEST_MEMORY), _LONGEST_MEMORY)


def _job(
    request: JobRequest[Slot], kind: _Kind, pod: _Pod, annotations: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    trigger, run = request.trigger, request.spec.run
    labels = _labels(trigger, kind.role)
    queue_labels, queue_annotations = _queue(kind.queue_name, run.priority_class, pod)
    job_spec: dict[str, Any] = {
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": run.retries,
        "activeDeadlineSeconds": kind.timeout_seconds,
        "ttlSecondsAfterFinished": kind.ttl_seconds,
        "podFailurePolicy": _POD_FAILURE_POLICY,
        "template": {"metadata": pod_metadata(run, labels, pod.labels, pod.annotations), "spec": pod.spec},
    }
    if kind.queue_name:
        job_spec["suspend"] = True
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": request.name,
            "namespace": trigger.key.namespace,
            "labels": {**labels, **queue_labels},
            "annotations": {
                **request.work.annotations,
                **annotations,
                **queue_annotations,
                ANNOTATION_SLOT: str(request.slot),
                ANNOTATION_COLLECTIONS: collections_digest(request.work),
            },
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": "ClusterTrigger",
                    "name": trigger.key.name,
                    "uid": trigger.uid,
                    "controller": True,
                }
            ],
        },
        "spec": job_spec,
    }


def _queue(name: str, priority_class: str | None, pod: _Pod) -> tuple[dict[str, str], dict[str, str]]:
    """Returns the labels and the annotations that name a Job's queue: labels for Kueue, annotations for the operator.

    The operator creates the Workload of a Job with executors.
    """
    if not name:
        return {}, {}
    queue, priority = (
        (ANNOTATION_QUEUE, ANNOTATION_QUEUE_PRIORITY) if pod.has_executors else (LABEL_QUEUE, LABEL_QUEUE_PRIORITY)
    )
    named = {queue: name} if priority_class is None else {queue: name, priority: priority_class}
    return ({}, named) if pod.has_executors else (named, {})
