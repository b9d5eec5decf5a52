"""Tests of how a Job mounts claims, and of its Kueue queue."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clustercontract.baseline import Baseline
from clustertrigger.api.schedule import ConditionalSchedule
from clustertrigger.core.actions.cluster import ClusterWork
from clustertrigger.core.jobs.jobs import JobRequest, build_check_job, build_job
from clustertrigger.core.jobs.slot import CheckSlot, ScheduledSlot
from clustertrigger.core.resources.validation import parse_collection
from tests.core.builders import DEFAULTS, HOURLY, HOURLY_CHECK, at, trigger

Object = dict[str, Any]
BASELINE = Baseline(
    uri="results/baseline.npz", sha256="0" * 64, run="products-1", documents=9, dimensions=3, captured_at=at()
)


def job(run: Object, *claims: str, check: bool = False, results_uri: str = "") -> Object:
    """The Job of a run, or of a check, over collections on these claims."""
    it = trigger({**(HOURLY_CHECK if check else HOURLY), "run": run})
    assert it.spec is not None
    assert it.spec.execution_config is not None
    found = [parse_collection({"source": {"uri": "a.parquet"}, "volume": claim})[0] for claim in claims]
    work = ClusterWork(
        execution=it.spec.execution_config, collections=tuple((f"col_{n}", one) for n, one in enumerate(found) if one)
    )
    defaults = replace(DEFAULTS, results_uri=results_uri)
    if not check:
        return build_job(JobRequest(it, it.spec, work, "products-1", ScheduledSlot(at(hours=1)), defaults))
    schedule = it.spec.schedule
    assert isinstance(schedule, ConditionalSchedule)
    return build_check_job(
        JobRequest(it, it.spec, work, "products-c1", CheckSlot(at(60)), defaults), schedule, BASELINE
    )


RESULTS = {"claimName": "clustertrigger-results"}
IN_S3 = {"results": {"uri": "s3://bucket/results"}}


@pytest.mark.parametrize(
    ("run", "claims", "volumes"),
    [
        ({}, ["documents"], [RESULTS, {"claimName": "documents", "readOnly": True}]),
        ({}, ["a", "b", "a"], [RESULTS, {"claimName": "a", "readOnly": True}, {"claimName": "b", "readOnly": True}]),
        ({}, ["clustertrigger-results"], [RESULTS]),
        ({"results": {"volume": "documents"}}, ["documents", "a"],
         [{"claimName": "documents"}, {"claimName": "a", "readOnly": True}]),
        (IN_S3, ["documents"], [{"claimName": "documents", "readOnly": True}]),
        (IN_S3, ["clustertrigger-results"], [{"claimName": "clustertrigger-results", "readOnly": True}]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("check", [False, True])
def test_a_claim_is_read_only_unless_results_go_there(
    check: bool, run: Object, claims: list[str], volumes: list[Object]
) -> None:
    """The kubelet changes the group of all files on a writable claim, which can take hours."""
    pod = job(run, *claims, check=check)["spec"]["template"]["spec"]
    found = {
        volume["name"]: volume["persistentVolumeClaim"] for volume in pod["volumes"] if volume["name"] != "scratch"
    }
    assert list(found.values()) == volumes
    assert pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
    for mount in pod["containers"][0]["volumeMounts"]:
        if mount["mountPath"].startswith("/collections/"):
            assert mount["readOnly"] is True
        elif mount["name"] in found:
            assert "readOnly" not in found[mount["name"]]


QUEUE, PRIORITY = "kueue.x-k8s.io/queue-name", "kueue.x-k8s.io/priority-class"


@pytest.mark.parametrize(
    ("run", "of_runs", "of_checks"),
    [
        ({}, {}, {}),
        ({"queue_name": "a"}, {QUEUE: "a"}, {QUEUE: "a"}),
        ({"queue_name": "a", "check": {"queue_name": "b"}}, {QUEUE: "a"}, {QUEUE: "b"}),
        ({"queue_name": "a", "check": {"queue_name": ""}}, {QUEUE: "a"}, {}),
        ({"check": {"queue_name": "b"}, "priority_class": "low"}, {}, {QUEUE: "b", PRIORITY: "low"}),
        ({"queue_name": "a", "priority_class": "low"}, {QUEUE: "a", PRIORITY: "low"}, {QUEUE: "a", PRIORITY: "low"}),
    ],
)
def test_queues(run: Object, of_runs: Object, of_checks: Object) -> None:
    for check, expected in ((False, of_runs), (True, of_checks)):
        made = job(run, "documents", check=check)
        labels = made["metadata"]["labels"]
        assert {key: value for key, value in labels.items() if "kueue" in key} == expected
        assert made["spec"].get("suspend", False) is bool(expected)
        assert not any("kueue" in key for key in made["spec"]["template"]["metadata"]["labels"])
