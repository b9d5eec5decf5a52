"""Tests of which of the warnings about a Pod is reported."""

from __future__ import annotations

from typing import Any

import pytest

from clustertrigger.core.jobs.pod_warnings import most_telling

ATTACHED = (
    'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) products-1: a ReadWriteOnce claim serves '
    "one node at a time: use ReadWriteMany, a bucket, or one node for all runs"
)


def event(reason: str, message: str, at: str) -> dict[str, Any]:
    return {"reason": reason, "message": message, "lastTimestamp": f"2026-03-02T13:{at}Z"}


MULTI_ATTACH = event(
    "FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) products-1', "00:05"
)


UNMOUNTED = "Unable to attach or mount volumes: unmounted volumes=[claim-0]: "
OLD_TIMEOUT = event("FailedMount", f"{UNMOUNTED}timed out waiting for the condition", "02:05")
NEW_TIMEOUT = event("FailedMount", f"{UNMOUNTED}context deadline exceeded", "02:05")
NO_SECRET = 'MountVolume.SetUp failed for volume "secret-0": secret "s3" not found'
FORBIDDEN = 'Error creating: pods "big" is forbidden: maximum memory usage per Container is 1Mi, but limit is 64Mi'
REFUSED = event("FailedCreate", FORBIDDEN, "00:05")


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([], None),
        ([{"reason": "FailedCreate"}], None),
        ([MULTI_ATTACH], ATTACHED),
        ([MULTI_ATTACH, OLD_TIMEOUT], ATTACHED),
        ([NEW_TIMEOUT, MULTI_ATTACH], ATTACHED),
        ([MULTI_ATTACH, event("FailedMount", NO_SECRET, "02:05")], NO_SECRET),
        ([OLD_TIMEOUT], OLD_TIMEOUT["message"]),
        ([REFUSED, event("DeadlineExceeded", "Job was active longer than specified deadline", "02:05")], FORBIDDEN),
        ([REFUSED, event("BackoffLimitExceeded", "Job has reached the specified backoff limit", "02:05")], FORBIDDEN),
    ],
)
def test_the_most_specific_warning_is_chosen(events: list[dict[str, Any]], told: str | None) -> None:
    assert most_telling(events) == told
