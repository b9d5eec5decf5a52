"""Tests of one run, from its creation to its end, as the trigger shows it."""

from __future__ import annotations

import time

from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import interval, rarely
from harness.control_plane.proxy import Proxy
from harness.control_plane.sandbox import Sandbox


def test_a_short_run_costs_three_writes_and_two_events(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    operator(through=proxy)
    sandbox.trigger("short", rarely())
    eventually(lambda: sandbox.status("short"))
    before = len(proxy.settled_writes())
    sandbox.request_run("short", "now")
    (pending,) = eventually(lambda: sandbox.history("short"))
    name = pending["job_id"]
    kubelet.start(name)
    kubelet.complete(name)
    status = eventually(lambda: sandbox.status("short"), until=lambda status: status["execution_count"] == 1)
    (entry,) = status["history"]
    assert (entry["status"], entry["num_clusters"], entry["num_documents"]) == ("completed", 5, 1000)
    assert entry["execution_time_ms"] >= 0
    assert status["last_execution_status"] == "completed"
    status_path = "PATCH /clustertriggers/short/status"
    assert _written("short", sandbox, proxy, before) == ["POST /jobs", status_path, status_path]


def test_a_run_that_ends_at_once_costs_two_writes_and_two_events(
    operator: StartOperator, sandbox: Sandbox, busy_kubelet: None, proxy: Proxy
) -> None:
    operator(through=proxy)
    sandbox.trigger("shortest", rarely())
    eventually(lambda: sandbox.status("shortest"))
    before = len(proxy.settled_writes())
    sandbox.request_run("shortest", "now")
    eventually(lambda: sandbox.status("shortest"), until=lambda status: status["execution_count"] == 1)
    assert _written("shortest", sandbox, proxy, before) == ["POST /jobs", "PATCH /clustertriggers/shortest/status"]


def test_what_a_run_shows_while_it_lasts(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    operator()
    sandbox.trigger("long", interval(3600, start_immediately=True))
    (entry,) = eventually(lambda: sandbox.history("long"))
    assert entry["status"] == "pending"
    assert sandbox.condition("long", "Running")["status"] == "True"
    began = time.monotonic()
    kubelet.start(entry["job_id"])
    time.sleep(1)
    shown = sandbox.status("long")["last_execution_status"]
    is_short = time.monotonic() - began < 3
    assert shown == "pending" or not is_short, "a short run would not be worth the write"
    eventually(lambda: sandbox.status("long").get("last_execution_status") == "running")
    kubelet.complete(entry["job_id"])
    eventually(lambda: sandbox.status("long").get("last_execution_status") == "completed")
    assert sandbox.condition("long", "Running")["status"] == "False"
    row = sandbox.kubectl("get", "clustertriggers", "long", "--no-headers").stdout
    assert "completed" in row
    assert "every 1h" in row


def test_why_runs_failed(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    """Each error line names the cause, and the remedy if the operator knows one."""
    operator()
    no_start = {"pending_timeout_seconds": 10}  # the Pods say why before that, on a busy machine as well
    limited = {"resources": {"limits": {"memory": "64Mi"}}}
    policies: dict[str, Object] = {
        "oom": limited,
        "exit": {},
        "image": no_start,
        "unschedulable": no_start,
        "timeout": {"timeout_seconds": 2},
    }
    for name, run in policies.items():
        sandbox.trigger(name, interval(3600, start_immediately=True, **run))
    job = {name: eventually(lambda: sandbox.history(name))[0]["job_id"] for name in NEEDLES}
    kubelet.fail(job["oom"], exit_code=137, reason="OOMKilled")
    kubelet.fail(job["exit"], "collection col_products: no column named embedding", exit_code=2)
    kubelet.wait(job["image"], "ImagePullBackOff", 'Back-off pulling image "worker:test"')
    kubelet.unschedulable(job["unschedulable"], "0/1 nodes are available: 1 Insufficient cpu.")
    kubelet.start(job["timeout"])
    for name, needles in NEEDLES.items():
        status = eventually(
            lambda: sandbox.status(name), until=lambda status: status["last_execution_status"] == "failed"
        )
        for needle in needles:
            assert needle in status["last_execution_error"]
        assert "\n" not in status["last_execution_error"]
        assert (status["failure_count"], status["consecutive_failures"]) == (1, 1)
        (event,) = eventually(lambda: sandbox.events(name, "RunFailed"))
        assert status["last_execution_error"] in event["message"]
        assert sandbox.condition(name, "Ready")["status"] == "True", "one failed run leaves the schedule alive"
    conditions = {condition["type"] for condition in sandbox.job(job["image"])["status"]["conditions"]}
    assert conditions & {"Failed", "FailureTarget"}, "an ended Job is kept"


NEEDLES = {
    "oom": ("OOMKilled", "64Mi", "run.resources.limits.memory"),
    "exit": ("exit code 2", "no column named embedding"),
    "image": ("ImagePullBackOff", "run.pending_timeout_seconds", "worker:test"),
    "unschedulable": ("Unschedulable", "Insufficient cpu", "run.pending_timeout_seconds"),
    "timeout": ("timed out after 2 s", "run.timeout_seconds"),
}


def test_the_history_keeps_its_limit_and_counts_each_run_once(
    operator: StartOperator, sandbox: Sandbox, busy_kubelet: None
) -> None:
    operator()
    runs = {"concurrency_policy": "Allow", "history_limit": 2}
    sandbox.trigger("many", interval(1, start_immediately=True, **runs))
    # A manual run that is created in the same second as a slot's has the same time in the history.
    for token in range(6):
        sandbox.request_run("many", f"token-{token}")
        time.sleep(0.5)
    sandbox.edit("many", {"status": "paused"})
    count = eventually(
        lambda: len(sandbox.jobs("many")), until=lambda count: count == sandbox.status("many").get("execution_count", 0)
    )
    assert count >= 6
    sandbox.edit("many", {"description": "one decision more"})
    generation = sandbox.get("many")["metadata"]["generation"]
    status = eventually(lambda: sandbox.status("many"), until=lambda s: s["observedGeneration"] == generation)
    assert status["execution_count"] == count
    assert 2 <= len(status["history"]) <= 4


def _written(name: str, sandbox: Sandbox, proxy: Proxy, before: int) -> list[str]:
    """Returns the objects that a trigger's run has written, beside its two events."""
    eventually(lambda: sandbox.events(name, "RunCompleted"))
    written = [f"{r.method} {r.path.rpartition(sandbox.namespace)[2]}" for r in proxy.settled_writes()[before:]]
    assert len([w for w in written if "/events" in w]) == 2
    return [w for w in written if "/events" not in w]
