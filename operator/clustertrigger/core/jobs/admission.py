"""Decides the next step of a Job whose Workload the operator creates, as Kueue decides it for a Job with its label.

A step is taken only if the ones before it are visible in the cluster. The operator can therefore end between any two
writes, and the next one continues.
"""

from __future__ import annotations

from enum import Enum

from clustertrigger.core.jobs.job_view import JobView
from clustertrigger.core.jobs.workload_view import WorkloadView


class Step(Enum):
    """What is to be done about a Job and its Workload."""

    WAIT = "wait"
    COUNT_PODS = "find out whether Pods of the run are left, and decide again"
    CREATE = "create the Workload"
    RESUME = "resume the Job, where its admission places it"
    SUSPEND = "suspend the Job, which ends its Pods"
    END = "resume the Job without Pods, so that its deadline ends it"
    MARK_READY = "tell Kueue that the Job's Pod runs"
    RELEASE = "return the quota, so that the Workload waits in its queue again"
    FINISH = "tell Kueue that the run has ended, which returns the quota permanently"
    YIELD = "leave the Job to Kueue, which manages it itself"
    DONE = "nothing is left to be done, ever"


def next_step(job: JobView, workload: WorkloadView | None, pods_left: bool | None = None) -> Step:
    """Returns the next step.

    Args:
        job: A Job with its own Workload.
        workload: Its Workload; None if there is none.
        pods_left: Whether any Pod of the run, be it its own or an executor, still uses resources; None if unknown.
    """
    if job.deleting:
        return Step.WAIT  # Kubernetes deletes the Workload with the Job.
    if job.outcome is not None:
        if workload is None or workload.finished:
            return Step.DONE
        return _once_without_pods(Step.FINISH, pods_left)
    if job.is_contested or (workload is not None and workload.rewritten):
        return Step.YIELD
    if job.ended_by_operator:
        # The deadline of a suspended Job does not count. A Job can be ended and suspended at the same time.
        return Step.END if job.suspended else Step.WAIT
    if workload is not None and workload.finished:
        return Step.WAIT
    may_run = workload is not None and workload.admitted and not workload.evicted and not workload.deleting
    if job.suspended:
        return Step.RESUME if may_run else _of_suspended(workload, pods_left)
    if not may_run:
        return Step.SUSPEND
    return Step.MARK_READY if job.has_ready_pod and workload and not workload.pods_ready else Step.WAIT


def _of_suspended(workload: WorkloadView | None, pods_left: bool | None) -> Step:
    if workload is None:
        return _once_without_pods(Step.CREATE, pods_left)
    if workload.evicted and workload.reserved and not workload.deleting:
        return _once_without_pods(Step.RELEASE, pods_left)
    return Step.WAIT


def _once_without_pods(step: Step, pods_left: bool | None) -> Step:
    if pods_left is None:
        return Step.COUNT_PODS
    return Step.WAIT if pods_left else step
