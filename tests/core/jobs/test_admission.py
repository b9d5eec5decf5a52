"""Tests of the next step of a Job with its own Workload, for each state of both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clustertrigger.core.jobs.admission import Step, next_step
from clustertrigger.core.jobs.job_view import JobView, read_job
from clustertrigger.core.jobs.workload_view import WorkloadView
from tests.core.jobs.raw import LABELS, job

QUEUED: dict[str, Any] = {
    "labels": LABELS,
    "annotations": {"clustertrigger.dev/slot": "2026-03-02T13:00:00Z", "clustertrigger.dev/queue": "team"},
}


def view(**fields: Any) -> JobView:
    found = read_job(job(spec={"suspend": True}, **QUEUED))
    assert found is not None
    return replace(found, **fields)


SUSPENDED, RUNNING = view(), view(suspended=False)
READY = view(suspended=False, has_ready_pod=True)
ENDED, FAILED = view(suspended=False, outcome="completed"), view(suspended=False, outcome="failed")
DELETED = view(deleting=True)
STOPPED = view(suspended=False, failure="timed out")
STOPPED_IN_QUEUE, COMPLETED_IN_QUEUE = view(failure="timed out"), view(completed=True)
CONTESTED = view(is_contested=True)

PENDING = WorkloadView()
RESERVED = WorkloadView(reserved=True)
ADMITTED = WorkloadView(reserved=True, admitted=True)
STARTED = WorkloadView(reserved=True, admitted=True, pods_ready=True)
EVICTED = WorkloadView(reserved=True, admitted=True, evicted=True)
WITHOUT_QUOTA = WorkloadView(evicted=True)
DELETED_WORKLOAD = WorkloadView(reserved=True, admitted=True, deleting=True)
FINISHED = WorkloadView(reserved=True, admitted=True, finished=True)
REWRITTEN = WorkloadView(rewritten=True)
ASK = Step.COUNT_PODS


@pytest.mark.parametrize(
    ("observed", "workload", "unknown", "left", "none_left"),
    [
        (SUSPENDED, None, ASK, Step.WAIT, Step.CREATE),
        (SUSPENDED, PENDING, Step.WAIT, Step.WAIT, Step.WAIT),
        (SUSPENDED, RESERVED, Step.WAIT, Step.WAIT, Step.WAIT),
        (SUSPENDED, ADMITTED, Step.RESUME, Step.RESUME, Step.RESUME),
        (SUSPENDED, EVICTED, ASK, Step.WAIT, Step.RELEASE),
        (SUSPENDED, WITHOUT_QUOTA, Step.WAIT, Step.WAIT, Step.WAIT),
        (SUSPENDED, DELETED_WORKLOAD, Step.WAIT, Step.WAIT, Step.WAIT),
        (SUSPENDED, FINISHED, Step.WAIT, Step.WAIT, Step.WAIT),
        (RUNNING, None, Step.SUSPEND, Step.SUSPEND, Step.SUSPEND),
        (RUNNING, PENDING, Step.SUSPEND, Step.SUSPEND, Step.SUSPEND),
        (RUNNING, RESERVED, Step.SUSPEND, Step.SUSPEND, Step.SUSPEND),
        (RUNNING, ADMITTED, Step.WAIT, Step.WAIT, Step.WAIT),
        (RUNNING, EVICTED, Step.SUSPEND, Step.SUSPEND, Step.SUSPEND),
        (RUNNING, WITHOUT_QUOTA, Step.SUSPEND, Step.SUSPEND, Step.SUSPEND),
        (RUNNING, DELETED_WORKLOAD, Step.SUSPEND, Step.SUSPEND, Step.SUSPEND),
        (RUNNING, FINISHED, Step.WAIT, Step.WAIT, Step.WAIT),
        (READY, ADMITTED, Step.MARK_READY, Step.MARK_READY, Step.MARK_READY),
        (READY, STARTED, Step.WAIT, Step.WAIT, Step.WAIT),
        (READY, EVICTED, Step.SUSPEND, Step.SUSPEND, Step.SUSPEND),
        (ENDED, ADMITTED, ASK, Step.WAIT, Step.FINISH),
        (ENDED, EVICTED, ASK, Step.WAIT, Step.FINISH),
        (ENDED, FINISHED, Step.DONE, Step.DONE, Step.DONE),
        (ENDED, None, Step.DONE, Step.DONE, Step.DONE),
        (FAILED, STARTED, ASK, Step.WAIT, Step.FINISH),
        (DELETED, None, Step.WAIT, Step.WAIT, Step.WAIT),
        (DELETED, ADMITTED, Step.WAIT, Step.WAIT, Step.WAIT),
        (STOPPED, EVICTED, Step.WAIT, Step.WAIT, Step.WAIT),
        (STOPPED_IN_QUEUE, None, Step.END, Step.END, Step.END),
        (STOPPED_IN_QUEUE, PENDING, Step.END, Step.END, Step.END),
        (STOPPED_IN_QUEUE, ADMITTED, Step.END, Step.END, Step.END),
        (STOPPED_IN_QUEUE, EVICTED, Step.END, Step.END, Step.END),
        (STOPPED_IN_QUEUE, WITHOUT_QUOTA, Step.END, Step.END, Step.END),
        (STOPPED_IN_QUEUE, FINISHED, Step.END, Step.END, Step.END),
        (COMPLETED_IN_QUEUE, EVICTED, Step.END, Step.END, Step.END),
        (replace(STOPPED_IN_QUEUE, deleting=True), EVICTED, Step.WAIT, Step.WAIT, Step.WAIT),
        (replace(STOPPED_IN_QUEUE, outcome="failed"), EVICTED, ASK, Step.WAIT, Step.FINISH),
        (SUSPENDED, REWRITTEN, Step.YIELD, Step.YIELD, Step.YIELD),
        (RUNNING, REWRITTEN, Step.YIELD, Step.YIELD, Step.YIELD),
        (ENDED, REWRITTEN, ASK, Step.WAIT, Step.FINISH),
        (CONTESTED, None, Step.YIELD, Step.YIELD, Step.YIELD),
        (CONTESTED, ADMITTED, Step.YIELD, Step.YIELD, Step.YIELD),
    ],
)
def test_the_next_step(
    observed: JobView, workload: WorkloadView | None, unknown: Step, left: Step, none_left: Step
) -> None:
    assert next_step(observed, workload) is unknown
    assert next_step(observed, workload, pods_left=True) is left
    assert next_step(observed, workload, pods_left=False) is none_left


def test_a_queued_job_counts_as_queued_without_the_label_of_kueue() -> None:
    assert (SUSPENDED.queue, SUSPENDED.queued, SUSPENDED.has_own_workload) == ("team", True, True)
    local = read_job(job())
    assert local is not None
    assert (local.queue, local.queued, local.has_own_workload) == ("", False, False)
