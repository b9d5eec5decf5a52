"""Tests of which Jobs are runs, and when their time limits start."""

from __future__ import annotations

from typing import Any

import pytest

from clustertrigger.core.jobs.job_view import read_job
from tests.core.jobs.raw import AT_ONCE, QUEUED, clock, condition, job, observe, pod


def leaving() -> dict[str, Any]:
    raw = pod({"running": {}})
    raw["metadata"]["deletionTimestamp"] = "2026-03-02T13:00:30Z"
    return raw


@pytest.mark.parametrize(
    ("case", "raw_job", "pending_since", "started_at"),
    [
        ("never queued, not seen by the Job controller", job(status={"startTime": None}), "13:00:00", None),
        ("never queued", job(), "13:00:01", "13:00:01"),
        ("in its queue", job(spec={"suspend": True}, status={"startTime": None}, **QUEUED), None, None),
        (
            "in its queue again, with the start of an earlier admission",
            job([condition("Suspended", holds=False)], spec={"suspend": True}, **QUEUED),
            None,
            None,
        ),
        ("released, startTime to come", job(status={"startTime": None}, **QUEUED), None, None),
        (
            "released, and still called suspended",
            job([condition("Suspended")], status={"startTime": None}, **QUEUED),
            None,
            None,
        ),
        ("released again, with the start of an earlier admission", job([condition("Suspended")], **QUEUED), None, None),
        (
            "released, as the condition tells",
            job([condition("Suspended", holds=False)], status={"startTime": None}, **QUEUED),
            "13:01:01",
            "13:01:01",
        ),
        ("admitted", job([condition("Suspended", holds=False, at=AT_ONCE)], **QUEUED), "13:00:01", "13:00:01"),
        ("admitted again", job([condition("Suspended", holds=False)], **QUEUED), "13:01:01", "13:01:01"),
        (
            "suspended and released by somebody else than Kueue",
            job(status={"startTime": None}, generation=3, creationTimestamp="2026-03-02T09:00:00Z"),
            None,
            None,
        ),
    ],
)
def test_the_clocks_of_a_queued_job_start_when_it_is_admitted(
    case: str, raw_job: dict[str, Any], pending_since: str | None, started_at: str | None
) -> None:
    run = observe(raw_job)
    assert run.phase == "pending"
    assert (clock(run.pending_since), clock(run.started_at)) == (pending_since, started_at), case


@pytest.mark.parametrize(
    ("case", "metadata"),
    [
        ("another owner", {"ownerReferences": [{"uid": "somebody"}]}),
        ("no owner", {"ownerReferences": None}),
        ("no slot", {"annotations": {}}),
        ("a slot that is none", {"annotations": {"clustertrigger.dev/slot": "soon"}}),
        ("no labels", {"labels": None}),
    ],
)
def test_a_job_that_only_carries_our_label_is_not_a_run(case: str, metadata: dict[str, Any]) -> None:
    assert read_job(job(**metadata)) is None, case


def _managed(*managers: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"time": time, "fieldsV1": {"f:spec": fields}} for time, fields in managers]


CREATED: tuple[str, dict[str, Any]] = ("2026-03-02T09:00:00Z", {"f:parallelism": {}})
RELEASED: tuple[str, dict[str, Any]] = ("2026-03-02T13:00:00Z", {"f:suspend": {}})


@pytest.mark.parametrize(
    ("case", "raw_job", "pods", "not_before"),
    [
        ("never queued", job(), [], "13:00:00"),
        ("never queued, with a Pod", job(), [pod(created="2026-03-02T13:00:30Z")], "13:00:00"),
        ("released", job(**QUEUED, managedFields=_managed(CREATED, RELEASED)), [], "13:00:00"),
        (
            "released, as Kubernetes 1.20 does not date it again",
            job(**QUEUED, managedFields=_managed(CREATED, ("2026-03-02T09:00:00Z", {"f:suspend": {}}))),
            [pod()],
            "13:00:02",
        ),
        ("in its queue", job(spec={"suspend": True}, **QUEUED, managedFields=_managed(CREATED, RELEASED)), [], None),
        ("released, and nothing dates it", job(**QUEUED), [], None),
        ("released, and only its Pod dates it", job(**QUEUED), [pod()], "13:00:02"),
        ("a Pod of an earlier admission is leaving", job(**QUEUED), [leaving()], None),
        ("the first of two attempts", job(**QUEUED), [pod(created="2026-03-02T13:00:30Z"), pod()], "13:00:02"),
    ],
)
def test_a_job_cannot_have_started_before_a_time_of_the_api_server(
    case: str, raw_job: dict[str, Any], pods: list[dict[str, Any]], not_before: str | None
) -> None:
    assert clock(observe(raw_job, *pods).not_before) == not_before, case
