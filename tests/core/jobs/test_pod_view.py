"""Tests of the reason why a Pod's worker has not started, as the scheduler, the kubelet or the runtime reports it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.core.builders import World, at, fire
from tests.core.jobs.raw import failed, job, observe, pod, terminated


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
        (
            [pod(terminated(message='{"status": "failed", "error": "no column x"}'))],
            "the last attempt failed: no column x",
        ),
        ([pod(terminated(exitCode=139))], "the last attempt failed: the worker ended with exit code 139: Error"),
    ],
)
def test_why_a_run_has_not_started(pods: list[dict[str, Any]], obstacle: str) -> None:
    run = observe(job(), *pods)
    assert (run.phase, run.obstacle) == ("pending", obstacle)


def _init(state: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {"initContainerStatuses": [{"name": "istio-init", "state": state}], **status}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            _init({"terminated": {"exitCode": 3, "reason": "Error", "message": "no rights\n"}}, phase="Failed"),
            "init container istio-init ended with exit code 3: no rights",
        ),
        (_init({"waiting": {"reason": "ErrImagePull", "message": "no v:1"}}), "ErrImagePull: no v:1"),
        (_init({"running": {}}), "PodInitializing"),
        (_init({"terminated": {"exitCode": 0}}), "PodInitializing"),
    ],
)
def test_an_init_container_that_keeps_the_worker_from_starting_is_named(status: dict[str, Any], said: str) -> None:
    raw = pod({"waiting": {"reason": "PodInitializing"}}, **status)
    if "phase" in status:
        assert observe(job(failed()), raw).error == said
    assert observe(job(), raw).obstacle == said


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59Z", "33658-09-27T01:46:40Z"])
def test_a_pod_can_have_any_times(time: str) -> None:
    """A user can delete it with a grace period of thousands of years, and the clock of its node can be wrong."""
    raw = pod({"running": {"startedAt": time}})
    raw["metadata"]["deletionTimestamp"] = time
    run = observe(job(), raw)
    world = World()
    fire(world, 1)
    (name,) = world.runs
    world.runs[name] = replace(run, job=name, slot=world.runs[name].slot)
    world.step(at(hours=1, minutes=1))
    assert (world.trigger.status.last_execution_status, run.leaving is not None) == ("running", True)
