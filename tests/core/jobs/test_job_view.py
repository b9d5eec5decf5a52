"""Tests of which Jobs are runs, and when their time limits start."""

from __future__ import annotations

from typing import Any

import pytest

from clustertrigger.core.jobs.job_view import read_job
from tests.core.jobs.raw import AT_ONCE, QUEUED, clock, condition, job, observe


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
