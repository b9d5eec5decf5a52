"""Tests of conditional triggers on a real API server: checks and their runs, across crashes and restarts."""

from __future__ import annotations

import json
import time
from typing import get_args

from clustercontract.drift import DriftMetric
from clustercontract.run import RunResult
from harness.control_plane.checks import (
    BASELINE,
    DRIFTED,
    QUIET,
    about_to_check,
    checks_of,
    found,
    jobs,
    measured,
    the_check,
    the_run,
)
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import conditional, trigger
from harness.control_plane.proxy import Proxy
from harness.control_plane.sandbox import Sandbox


def test_from_the_first_baseline_to_the_next(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    process = operator()
    sandbox.trigger("drifting", conditional(4))
    run = the_run(sandbox, "drifting")
    kubelet.complete(run, RunResult(status="completed", num_clusters=5, num_documents=6000, baseline=BASELINE))
    check = the_check(sandbox, "drifting")
    (container,) = sandbox.job(check)["spec"]["template"]["spec"]["containers"]
    assert (container["args"], container["resources"]["requests"]["memory"]) == (["check"], "512Mi")
    kubelet.complete(check, found(0.084))
    assert measured(sandbox, "drifting")["summary"] == QUIET
    status = sandbox.status("drifting")
    assert status["baseline_snapshot"]["run"] == "first"
    assert status["last_condition_check_at"]
    assert (status["execution_count"], status["failure_count"]) == (1, 0)
    (event,) = eventually(lambda: sandbox.events("drifting", "NoDrift"))
    assert (event["type"], event["message"]) == ("Normal", QUIET)
    labels = f'{{metric="cosine_drift",namespace="{sandbox.namespace}",trigger="drifting"}}'
    exposed = process.fetch("/metrics")[1]
    assert f"clustertrigger_drift_value{labels} 0.084" in exposed
    assert f"clustertrigger_drift_threshold{labels} 0.3" in exposed
    assert 'clustertrigger_checks_total{result="completed"} 1.0' in exposed
    assert process.metric("clustertrigger_fires_total", trigger_type="check", result="created") == 1

    second = eventually(lambda: jobs(sandbox, "drifting", "check"), until=lambda checks: len(checks) == 2)[-1]
    kubelet.complete(second, found(0.42))
    fired = eventually(lambda: jobs(sandbox, "drifting", "run"), until=lambda runs: len(runs) == 2)[-1]
    slots = {name: sandbox.job(name)["metadata"]["annotations"]["clustertrigger.dev/slot"] for name in (second, fired)}
    assert slots[second] == f"check/{slots[fired]}"
    assert eventually(lambda: sandbox.events("drifting", "DriftDetected"))[0]["message"] == DRIFTED
    described = sandbox.kubectl("describe", "clustertrigger", "drifting").stdout
    assert f"Summary: {DRIFTED}" in " ".join(described.split()), described

    sandbox.delete("drifting")
    eventually(lambda: "clustertrigger_drift_value{" not in process.fetch("/metrics")[1])


def test_events_of_quiet_checks_are_one(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    about_to_check(sandbox, "quiet")
    sandbox.edit("quiet", {"schedule_config": {"check_interval_seconds": 2}})
    operator()
    for number in range(1, 4):
        checks = eventually(lambda: jobs(sandbox, "quiet", "check"), until=lambda checks: len(checks) >= number)
        kubelet.complete(checks[number - 1], found(number / 100))
        eventually(lambda: sandbox.status("quiet").get("last_drift_measurement", {}).get("value") == number / 100)
    events = eventually(lambda: sandbox.events("quiet", "NoDrift"), until=lambda events: events[0]["count"] == 3)
    assert [event["message"][:19] for event in events] == ["cosine_drift 0.03 ≤"], "one, with the latest numbers"


def test_killed_between_the_check_and_the_status(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    about_to_check(sandbox, "drifting")
    first = operator(through=proxy)
    proxy.rule = lambda request: "drop" if request.matches("PATCH", "/status") and proxy.writes("/jobs") else None
    check = the_check(sandbox, "drifting")
    first.kill()
    assert checks_of(sandbox, "drifting") == []
    operator()
    (entry,) = eventually(lambda: checks_of(sandbox, "drifting"))
    assert (entry["job_id"], entry["status"]) == (check, "pending")
    kubelet.complete(check, found(0.084))
    assert measured(sandbox, "drifting")["check"] == check
    assert len(sandbox.jobs("drifting")) == 1


def test_killed_between_the_run_that_a_check_fired_and_the_status(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    about_to_check(sandbox, "drifting")
    first = operator(through=proxy)
    check = the_check(sandbox, "drifting")
    eventually(lambda: checks_of(sandbox, "drifting"))
    proxy.rule = lambda request: "drop" if request.matches("PATCH", "/status") else None
    kubelet.complete(check, found(0.42))
    run = the_run(sandbox, "drifting")
    first.kill()
    assert sandbox.history("drifting") == []
    operator()
    (entry,) = eventually(lambda: sandbox.history("drifting"))
    assert entry["job_id"] == run
    assert measured(sandbox, "drifting")["fires"] is True
    kubelet.complete(run)
    eventually(lambda: sandbox.status("drifting").get("execution_count", 0) == 1)
    assert len(sandbox.jobs("drifting")) == 2


def test_a_check_that_ended_while_nobody_looked(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    about_to_check(sandbox, "drifting")
    first = operator()
    check = the_check(sandbox, "drifting")
    eventually(lambda: checks_of(sandbox, "drifting"))
    first.kill()
    kubelet.complete(check, found(0.42))
    eventually(lambda: sandbox.job(check)["status"].get("succeeded"))
    operator()
    the_run(sandbox, "drifting")
    assert measured(sandbox, "drifting")["summary"] == DRIFTED


def test_failed_and_deleted_checks(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    names = ("failed", "deleted", "oom")
    for name in names:
        about_to_check(sandbox, name, max_consecutive_failures=1, check={"resources": {"limits": {"memory": "64Mi"}}})
    process = operator()
    check = {name: the_check(sandbox, name) for name in names}
    eventually(lambda: checks_of(sandbox, "deleted"))
    kubelet.fail(check["failed"], "collection col_products: no column named embedding", exit_code=2)
    kubelet.fail(check["oom"], exit_code=137, reason="OOMKilled")
    sandbox.delete_job(check["deleted"])
    for name, needles in {
        "failed": ("exit code 2", "no column named embedding"),
        "oom": ("OOMKilled", "64Mi", "run.check.resources.limits.memory"),
    }.items():
        status = eventually(lambda: sandbox.status(name), until=lambda status: status.get("last_check_error"))
        for needle in needles:
            assert needle in status["last_check_error"]
        assert (status["failure_count"], status["consecutive_check_failures"]) == (0, 1)
        assert status["checks"][0]["status"] == "failed"
        assert sandbox.condition(name, "Stalled")["reason"] == "ChecksFailing"
        (event,) = eventually(lambda: sandbox.events(name, "CheckFailed"))
        assert status["last_check_error"] in event["message"]
    status = eventually(lambda: sandbox.status("deleted"), until=lambda s: s["checks"][0]["status"] == "failed")
    assert status["checks"][0]["error"] == "the Job was deleted before it ended"
    assert sandbox.condition("deleted", "Stalled")["status"] == "False"
    assert 'clustertrigger_checks_total{result="failed"} 3.0' in process.fetch("/metrics")[1]
    time.sleep(1)
    assert sandbox.jobs("deleted") == []


def test_a_check_costs_three_writes_and_a_restart_none(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    about_to_check(sandbox, "quiet")
    first = operator(through=proxy)
    eventually(lambda: sandbox.condition("quiet", "Ready"))
    (check,) = eventually(lambda: jobs(sandbox, "quiet", "check"))
    eventually(lambda: sandbox.status("quiet").get("checks"))
    kubelet.complete(check, found(0.084))
    measured(sandbox, "quiet")
    eventually(lambda: sandbox.events("quiet", "NoDrift"))
    written = [f"{r.method} {r.path.rpartition(sandbox.namespace)[2]}" for r in proxy.settled_writes()]
    written = written[written.index("POST /jobs") :]
    status = "PATCH /clustertriggers/quiet/status"
    assert [write for write in written if "/events" not in write] == ["POST /jobs", status, status]
    assert len(written) == 4, "and one event"

    assert first.terminate() == 0
    before = len(proxy.writes())
    second = operator(through=proxy)
    eventually(lambda: second.metric("clustertrigger_reconcile_duration_seconds_count") >= 1)
    assert proxy.settled_writes()[before:] == []


def test_an_unknown_metric_is_refused_with_the_known_ones(sandbox: Sandbox) -> None:
    spec = conditional(3600)
    spec["schedule_config"]["metric"] = "cosine"
    refused = sandbox.kubectl("apply", "-f", "-", stdin=json.dumps(trigger("wrong", spec)))
    assert refused.returncode == 1
    assert "schedule_config.metric" in refused.stderr
    for metric in get_args(DriftMetric):
        assert f'"{metric}"' in refused.stderr
