"""Actions beside clustering: a batch is run again, or why it is not."""

from __future__ import annotations

import json

from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import interval, rarely, rerun
from harness.control_plane.sandbox import Sandbox

UNKNOWN = "nightly-3f9a2c-20261121020000"
AT_ONCE = interval(3600, start_immediately=True)


def ended(sandbox: Sandbox, kubelet: Kubelet, name: str, *, well: bool = True) -> str:
    """Lets the trigger's newest run end; returns its Job."""
    job = str(eventually(lambda: sandbox.history(name))[0]["job_id"])
    if well:
        kubelet.complete(job)
    else:
        kubelet.fail(job, "no such file", exit_code=2)
    eventually(lambda: sandbox.history(name)[0]["status"] in ("completed", "failed"))
    return job


def test_a_batch_is_run_again(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    operator()
    sandbox.trigger("nightly", AT_ONCE)
    batch = ended(sandbox, kubelet, "nightly")
    sandbox.trigger("again", rerun(batch, AT_ONCE))
    (job,) = eventually(lambda: sandbox.jobs("again"))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["rerun"]
    told = json.loads(next(one["value"] for one in container["env"] if one["name"] == "CLUSTERWORKER_RERUN_SPEC"))
    assert (told["trigger"], told["batch_trigger"], told["batch_id"]) == ("again", "nightly", batch)

    rerun_job = ended(sandbox, kubelet, "again")
    status = sandbox.status("again")
    assert (status["history"][0]["reruns"], status["history"][0]["num_clusters"]) == (batch, 5)
    assert status["last_result"]["job_id"] == rerun_job
    assert "baseline_snapshot" not in status
    assert "reruns" not in sandbox.history("nightly")[0]

    # A rerun is a batch like any other.
    sandbox.trigger("third", rerun(rerun_job, AT_ONCE))
    assert eventually(lambda: sandbox.history("third"))[0]["reruns"] == rerun_job


def test_a_batch_that_completed_is_not_retried(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    operator()
    sandbox.trigger("nightly", AT_ONCE)
    batch = ended(sandbox, kubelet, "nightly")
    sandbox.trigger("failed-only", rerun(batch, AT_ONCE, retry_failed_only=True))
    (event,) = eventually(lambda: sandbox.events("failed-only", "NothingToRerun"))
    assert f"batch {batch} completed, and with action_config.retry_failed_only only a failed one" in event["message"]
    assert (event["type"], sandbox.condition("failed-only", "Ready")["status"]) == ("Normal", "True")
    assert sandbox.jobs("failed-only") == []
    assert "is_overdue" not in sandbox.status("failed-only")


def test_a_failed_batch_is_retried_until_it_completes(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet
) -> None:
    operator()
    sandbox.trigger("nightly", AT_ONCE)
    batch = ended(sandbox, kubelet, "nightly", well=False)
    sandbox.trigger("retry", rerun(batch, rarely(), retry_failed_only=True))
    for count, well in ((1, False), (2, True)):
        sandbox.request_run("retry", f"attempt-{count}")
        eventually(lambda count=count: len(sandbox.history("retry")) == count)  # type: ignore[misc]
        job = ended(sandbox, kubelet, "retry", well=well)
    sandbox.request_run("retry", "third")
    (event,) = eventually(lambda: sandbox.events("retry", "RequestIgnored"))
    assert f"batch {batch} was run again by {job}, which completed" in event["message"]
    assert len(sandbox.jobs("retry")) == 2


def test_a_batch_that_is_not_found(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    operator()
    sandbox.trigger("unknown", rerun(UNKNOWN, AT_ONCE))
    ready = eventually(lambda: sandbox.condition("unknown", "Ready"))
    assert (ready["status"], ready["reason"]) == ("False", "BatchNotFound")
    assert (
        f"no run {UNKNOWN!r} in status.history of the ClusterTriggers of this namespace (unknown)" in ready["message"]
    )
    assert sandbox.status("unknown")["is_overdue"] is True
    table = sandbox.kubectl("get", "clustertrigger", "unknown", "--output=wide").stdout
    assert table.splitlines()[0].split()[-5:] == ["ACTION", "OVERDUE", "READY", "REASON", "MESSAGE"]

    # One that is found at first, and expires: newer runs of its trigger have taken its place.
    sandbox.trigger("nightly", {**AT_ONCE, "run": {**AT_ONCE["run"], "history_limit": 1}})
    batch = ended(sandbox, kubelet, "nightly")
    sandbox.trigger("again", rerun(batch, rarely()))
    eventually(lambda: sandbox.condition("again", "Ready").get("status") == "True")
    assert sandbox.condition("again", "Ready")["status"] == "True"
    sandbox.request_run("nightly", "newer")
    eventually(lambda: len(sandbox.jobs("nightly")) == 2)
    eventually(lambda: len(sandbox.history("nightly")) == 2)
    ended(sandbox, kubelet, "nightly")
    eventually(lambda: sandbox.condition("again", "Ready")["reason"] == "BatchNotFound")
    assert "(again, nightly, unknown)" in sandbox.condition("again", "Ready")["message"]
    assert "run.history_limit newer ones have ended since" in sandbox.condition("again", "Ready")["message"]
