"""What a Job and its Pods say, in the words of Kubernetes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from clustertrigger.api.run import ClusterBrief, RunResult
from clustertrigger.core.jobs.workload import observe_run, read_job, read_pod

OWNER = "owner-uid"
LABELS = {"clustertrigger.dev/trigger-uid": OWNER, "job-name": "products-1"}


def job(conditions: list[dict[str, Any]] = [], status: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:  # noqa: B006
    return {
        "metadata": {
            "namespace": "search",
            "name": "products-1",
            "uid": "u",
            "resourceVersion": "1",
            "creationTimestamp": "2026-03-02T13:00:00Z",
            "labels": LABELS,
            "annotations": {"clustertrigger.dev/slot": "2026-03-02T13:00:00Z"},
            "ownerReferences": [{"uid": OWNER}],
            **metadata,
        },
        "spec": {"activeDeadlineSeconds": 600},
        "status": {"startTime": "2026-03-02T13:00:01Z", "conditions": conditions, **(status or {})},
    }


def pod(state: dict[str, Any] | None = None, created: str = "2026-03-02T13:00:02Z", **status: Any) -> dict[str, Any]:
    containers = [] if state is None else [{"name": "worker", "state": state}]
    return {
        "metadata": {
            "namespace": "search",
            "name": f"p-{created}",
            "uid": created,
            "resourceVersion": "1",
            "creationTimestamp": created,
            "labels": LABELS,
        },
        "spec": {"containers": [{"name": "worker", "resources": {"limits": {"memory": "512Mi"}}}]},
        "status": {"containerStatuses": containers, **status},
    }


def failed(reason: str = "BackoffLimitExceeded") -> list[dict[str, Any]]:
    return [
        {
            "type": "Failed",
            "status": "True",
            "reason": reason,
            "message": "Job has reached the specified backoff limit",
            "lastTransitionTime": "2026-03-02T13:01:01Z",
        }
    ]


def terminated(**fields: Any) -> dict[str, Any]:
    return {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-03-02T13:01:00Z", **fields}}


def observe(raw_job: dict[str, Any], *pods: dict[str, Any]) -> Any:
    view = read_job(raw_job)
    assert view is not None
    return observe_run(view, [read_pod(raw) for raw in pods])


@pytest.mark.parametrize(
    ("case", "raw_job", "pods", "error"),
    [
        (
            "the worker says why",
            job(failed()),
            [pod(terminated(message=RunResult(status="failed", error="no column 'x'").to_message()))],
            "no column 'x'",
        ),
        (
            "killed by its memory limit",
            job(failed()),
            [pod(terminated(reason="OOMKilled", exitCode=137))],
            "OOMKilled: the worker needed more than its memory limit of 512Mi: raise run.resources.limits.memory",
        ),
        (
            "out of time",
            job(failed("DeadlineExceeded")),
            [],
            "timed out after 600 s: raise run.timeout_seconds or give the run less to do",
        ),
        (
            "ended by the operator",
            job(
                failed("DeadlineExceeded"),
                annotations={**job()["metadata"]["annotations"], "clustertrigger.dev/failure": "stuck"},
            ),
            [],
            "stuck",
        ),
        (
            "the worker died without a word",
            job(failed()),
            [pod(terminated(exitCode=139, message="Segmentation\n fault\n"))],
            "the worker ended with exit code 139: Segmentation fault",
        ),
        (
            "evicted",
            job(failed()),
            [pod(None, phase="Failed", reason="Evicted", message="The node was low on resource: memory.")],
            "The node was low on resource: memory.",
        ),
        ("nobody knows", job(failed()), [], "Job has reached the specified backoff limit"),
        (
            "the last attempt counts",
            job(failed()),
            [pod(terminated(exitCode=7), created="2026-03-02T13:00:30Z"), pod(terminated(exitCode=6))],
            "the worker ended with exit code 7: Error",
        ),
    ],
)
def test_why_a_run_failed(case: str, raw_job: dict[str, Any], pods: list[dict[str, Any]], error: str) -> None:
    run = observe(raw_job, *pods)
    assert (run.phase, run.error) == ("failed", error), case
    assert run.execution_time_ms == 60_000


@pytest.mark.parametrize(
    ("pods", "obstacle"),
    [
        ([], "no Pod has been created"),
        ([pod()], "the Pod has not started"),
        (
            [pod({"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x:1"'}})],
            'ImagePullBackOff: Back-off pulling image "x:1"',
        ),
        (
            [
                pod(
                    conditions=[
                        {
                            "type": "PodScheduled",
                            "status": "False",
                            "reason": "Unschedulable",
                            "message": "0/1 nodes are available: 1 Insufficient cpu.",
                        }
                    ]
                )
            ],
            "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.",
        ),
    ],
)
def test_why_a_run_has_not_started(pods: list[dict[str, Any]], obstacle: str) -> None:
    run = observe(job(), *pods)
    assert (run.phase, run.obstacle) == ("pending", obstacle)


def test_a_completed_run_carries_the_workers_result() -> None:
    complete = [{"type": "Complete", "status": "True", "lastTransitionTime": "2026-03-02T13:01:01Z"}]
    message = RunResult(status="completed", num_clusters=5, num_documents=3000).to_message()
    run = observe(
        job(complete, {"completionTime": "2026-03-02T13:00:31Z"}), pod(terminated(exitCode=0, message=message))
    )
    assert (run.phase, run.result.num_clusters, run.execution_time_ms, run.explained) == ("completed", 5, 30_000, True)


def test_a_completed_run_without_its_pod_is_not_explained() -> None:
    complete = [{"type": "Complete", "status": "True", "lastTransitionTime": "2026-03-02T13:01:01Z"}]
    assert observe(job(complete)).explained is False


def test_time_between_attempts_is_not_time_without_a_start() -> None:
    run = observe(job(), pod(terminated()))
    assert run.pending_since == datetime(2026, 3, 2, 13, 1, tzinfo=UTC)


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


def test_a_result_never_exceeds_the_termination_message() -> None:
    result = RunResult(
        status="failed", error="é" * 5000, notes=["n" * 3000], metrics={f"metric_{i}": 0.123456789 for i in range(200)}
    )
    message = result.to_message()
    assert len(message.encode()) <= 4096
    assert RunResult.model_validate_json(message).status == "failed"


def test_the_smallest_clusters_give_way_first() -> None:
    clusters = [ClusterBrief(cluster_id=number, name="n" * 200, num_documents=1) for number in range(50)]
    result = RunResult(status="completed", clusters=clusters, notes=["reduced by UMAP"], metrics={"inertia": 1.5})
    message = result.to_message()
    assert 3700 < len(message.encode()) <= 4096
    told = RunResult.model_validate_json(message)
    assert told.clusters == clusters[: len(told.clusters)]
    assert (told.notes, told.metrics) == (result.notes, result.metrics)
