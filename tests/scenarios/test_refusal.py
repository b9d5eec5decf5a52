"""Tests of a Job that the API server refuses: a quota, a name that is in use, a deadline."""

from __future__ import annotations

import pytest

from clustertrigger.core.instants import parse_instant
from clustertrigger.core.jobs.naming import job_name
from clustertrigger.core.jobs.slot import ManualSlot, ScheduledSlot
from clustertrigger.core.kube import paths
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import NOWHERE, interval, rarely
from harness.control_plane.sandbox import Sandbox


@pytest.fixture
def quota(sandbox: Sandbox) -> str:
    """Allows no Job in the namespace; returns the path of the quota."""
    return set_quota(sandbox, 0)


def set_quota(sandbox: Sandbox, jobs: int) -> str:
    quotas = f"/api/v1/namespaces/{sandbox.namespace}/resourcequotas"
    body = {"metadata": {"name": "jobs"}, "spec": {"hard": {"count/jobs.batch": str(jobs)}}}
    sandbox.kube.create(quotas, body)
    eventually(lambda: sandbox.kube.get(f"{quotas}/jobs").get("status", {}).get("hard"), what="the quota in force")
    return f"{quotas}/jobs"


def test_a_refused_slot_fires_under_its_own_name_once_there_is_room(
    operator: StartOperator, sandbox: Sandbox, quota: str
) -> None:
    operator()
    created = sandbox.trigger("refused", interval(3600, start_immediately=True))
    refused = eventually(
        lambda: sandbox.condition("refused", "Running"), until=lambda c: c.get("reason") == "CreateRefused"
    )
    assert refused["status"] == "False"
    assert "exceeded quota: jobs" in refused["message"]
    assert "the operator retries until the starting deadline" in refused["message"]
    (event,) = eventually(lambda: sandbox.events("refused", "CreateRefused"))
    assert event["type"] == "Warning"
    assert event["message"] == refused["message"]
    assert sandbox.condition("refused", "Ready")["status"] == "True"

    sandbox.kube.delete(quota)
    (job,) = eventually(lambda: sandbox.jobs("refused"))
    slot = parse_instant(created["metadata"]["creationTimestamp"])
    assert job["metadata"]["name"] == job_name("refused", created["metadata"]["uid"], ScheduledSlot(slot))
    status = eventually(lambda: sandbox.status("refused"), until=lambda status: status["history"])
    assert [entry["job_id"] for entry in status["history"]] == [job["metadata"]["name"]]
    assert sandbox.condition("refused", "Running")["reason"] == "RunActive"
    assert (status["failure_count"], status["consecutive_failures"]) == (0, 0)
    assert sandbox.events("refused", "SlotsMissed") == []


def test_a_slot_refused_until_its_deadline_is_missed_and_no_failed_run(
    operator: StartOperator, sandbox: Sandbox, quota: str
) -> None:
    operator()
    sandbox.trigger("late", interval(3600, start_immediately=True, starting_deadline_seconds=2))
    (event,) = eventually(lambda: sandbox.events("late", "SlotsMissed"))
    assert "exceeded quota: jobs" in event["message"]
    assert "run.starting_deadline_seconds (2 s)" in event["message"]
    sandbox.kube.delete(quota)
    status = eventually(
        lambda: sandbox.status("late"), until=lambda s: "CreateRefused" not in str(s["conditions"]), what="no refusal"
    )
    assert (status["failure_count"], status["consecutive_failures"], status["history"]) == (0, 0, [])
    assert sandbox.jobs("late") == []


def test_a_name_that_another_job_has_is_shown_and_the_job_left_alone(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet
) -> None:
    operator()
    uid = sandbox.trigger("taken", rarely())["metadata"]["uid"]
    name = job_name("taken", uid, ManualSlot("token"))
    foreign = sandbox.kube.create(paths.jobs(sandbox.namespace), foreign_job(name))
    sandbox.request_run("taken", "token")
    (event,) = eventually(lambda: sandbox.events("taken", "NameTaken"))
    assert event["message"] == f"Job {name} exists and does not belong to this trigger: delete it or rename the trigger"
    assert sandbox.condition("taken", "Running")["message"] == event["message"]
    assert sandbox.job(name)["metadata"]["uid"] == foreign["metadata"]["uid"]
    assert sandbox.history("taken") == []

    sandbox.delete_job(name)
    eventually(lambda: sandbox.history("taken"))
    assert sandbox.job(name)["metadata"]["uid"] != foreign["metadata"]["uid"]


def test_a_quota_that_many_jobs_contend_for_hinders_none(operator: StartOperator, sandbox: Sandbox) -> None:
    """The API server answers 409 if two requests increase a quota at once, although the name is free."""
    set_quota(sandbox, 1000)
    names = [f"many-{n}" for n in range(40)]
    for name in names:
        sandbox.trigger(name, interval(3600, start_immediately=True))
    operator()
    eventually(sandbox.jobs, until=lambda jobs: len(jobs) == len(names))
    for name in names:
        eventually(lambda: sandbox.history(name), until=lambda history: len(history) == 1)
        assert sandbox.events(name, "NameTaken") == []


def foreign_job(name: str) -> dict[str, object]:
    container = {"name": "other", "image": "other:1"}
    pod = {"restartPolicy": "Never", "nodeSelector": NOWHERE, "containers": [container]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": {"spec": pod}},
    }
