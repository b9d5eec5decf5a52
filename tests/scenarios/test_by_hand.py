"""Tests of runs and resets that a user requests."""

from __future__ import annotations

import time

from clustertrigger.api.names import ANNOTATION_RESET_REQUESTED, ANNOTATION_RUN_REQUESTED
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import interval, rarely
from harness.control_plane.sandbox import Sandbox


def test_a_token_acts_once(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    first = operator()
    sandbox.trigger("by-hand", rarely(), annotations={ANNOTATION_RUN_REQUESTED: "one"})
    (entry,) = eventually(lambda: sandbox.history("by-hand"))
    assert entry["slot"] == "manual/one"
    kubelet.complete(entry["job_id"])
    status = eventually(lambda: sandbox.status("by-hand"), until=lambda status: status["execution_count"] == 1)
    assert status["last_run_requested"] == "one"

    first.kill()
    operator()
    sandbox.edit("by-hand", {"description": "the token is still there"}, labels={"team": "search"})
    sandbox.request_run("by-hand", "two")
    (entry, _) = eventually(lambda: sandbox.history("by-hand"), until=lambda history: len(history) == 2)
    assert entry["slot"] == "manual/two"
    kubelet.complete(entry["job_id"])
    eventually(lambda: sandbox.status("by-hand").get("execution_count", 0) == 2)

    sandbox.request_run("by-hand", "one")
    eventually(lambda: sandbox.status("by-hand").get("last_run_requested") == "one")
    (event,) = eventually(lambda: sandbox.events("by-hand", "RequestIgnored"))
    assert "request a run with a different value" in event["message"]
    assert len(sandbox.jobs("by-hand")) == 2
    assert sandbox.slots("by-hand") == []


def test_a_request_that_cannot_be_met_is_told(operator: StartOperator, sandbox: Sandbox) -> None:
    operator()
    reasons = {"paused": "the trigger is paused", "wrong": "the spec is invalid", "busy": "is still active"}
    sandbox.trigger("paused", rarely(status="paused"))
    sandbox.trigger("wrong", {**rarely(), "trigger_type": "cron", "schedule_config": {"cron_expression": "61 * * * *"}})
    sandbox.trigger("busy", interval(3600, start_immediately=True))
    eventually(lambda: sandbox.history("busy"))
    for name, reason in reasons.items():
        sandbox.request_run(name, "now")
        (event,) = eventually(lambda: sandbox.events(name, "RequestIgnored"))
        assert reason in event["message"]
        assert event["type"] == "Warning"
        assert sandbox.status(name)["last_run_requested"] == "now"
    sandbox.edit("paused", {"status": "active"})
    eventually(lambda: sandbox.status("paused").get("status") == "active")
    time.sleep(0.5)
    assert sandbox.jobs("paused") == [], "an ignored request does not come back"


def test_failures_stop_a_trigger_until_it_is_reset_or_edited(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet
) -> None:
    operator()
    sandbox.trigger("failing", interval(1, max_consecutive_failures=2))

    def fail_twice(failures_so_far: int) -> None:
        for count in (1, 2):
            history = eventually(lambda: sandbox.history("failing"), until=lambda h: h and h[0]["status"] == "pending")
            kubelet.fail(history[0]["job_id"], "it cannot work")
            eventually(lambda: sandbox.status("failing").get("failure_count") == failures_so_far + count)

    def assert_stopped() -> None:
        status = eventually(lambda: sandbox.status("failing"), until=lambda status: status["status"] == "failed")
        assert status["consecutive_failures"] == 2
        stalled = sandbox.condition("failing", "Stalled")
        assert (stalled["status"], stalled["reason"]) == ("True", "TooManyFailures")
        assert "it cannot work" in stalled["message"]
        assert sandbox.condition("failing", "Ready")["status"] == "False"
        assert "next_scheduled_at" not in status
        jobs = len(sandbox.jobs("failing"))
        time.sleep(2)
        assert len(sandbox.jobs("failing")) == jobs

    def assert_fires_again(since: int) -> None:
        status = eventually(lambda: sandbox.status("failing"), until=lambda status: status["status"] == "active")
        assert status["consecutive_failures"] == 0
        assert sandbox.condition("failing", "Stalled")["status"] == "False"
        eventually(lambda: len(sandbox.jobs("failing")) == since + 1)
        assert sandbox.events("failing", "SlotsMissed") == [], "slots in the time of failure do not count"

    fail_twice(0)
    assert_stopped()
    eventually(lambda: sandbox.events("failing", "TooManyFailures"))
    sandbox.edit("failing", annotations={ANNOTATION_RESET_REQUESTED: "now"})
    assert_fires_again(2)
    assert sandbox.status("failing")["last_reset_requested"] == "now"

    fail_twice(2)
    assert_stopped()
    sandbox.edit("failing", {"description": "mended"})
    assert_fires_again(4)


def test_a_request_whose_reference_is_missing_expires(operator: StartOperator, sandbox: Sandbox) -> None:
    """A request has the deadline of a slot, even if the operator restarts in the meantime."""
    first = operator()
    sandbox.trigger("early", rarely(collection_id="col_missing", starting_deadline_seconds=6))
    eventually(lambda: sandbox.status("early"))
    sandbox.request_run("early", "now")
    eventually(lambda: sandbox.status("early").get("waiting_request"))
    first.kill()
    operator()
    (event,) = eventually(lambda: sandbox.events("early", "RequestIgnored"))
    assert "was abandoned: older than run.starting_deadline_seconds (6 s)" in event["message"]
    assert "col_missing" in event["message"]
    status = sandbox.status("early")
    assert (status["last_run_requested"], status.get("waiting_request")) == ("now", None)
