"""Tests of edits, pauses and repeated applies: no past slot fires, and active Jobs are not changed."""

from __future__ import annotations

import time
from datetime import timedelta

from clustertrigger.core.instants import parse_instant
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import cron, interval, trigger
from harness.control_plane.sandbox import Sandbox


def test_an_edit_leaves_the_running_job_alone(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    operator()
    sandbox.trigger("edited", interval(3600, start_immediately=True))
    (entry,) = eventually(lambda: sandbox.history("edited"))
    kubelet.start(entry["job_id"])
    before = eventually(lambda: sandbox.job(entry["job_id"]), until=lambda job: job["status"].get("active"))
    work = {"collection_ids": ["col_products"], "config": {"algorithm": "kmeans", "n_clusters": 7}}
    sandbox.edit("edited", {"execution_config": work, "run": {"timeout_seconds": 60, "retries": 3}})
    sandbox.edit("edited", {"trigger_type": "interval", "schedule_config": {"interval_seconds": 7200}})
    generation = sandbox.edit("edited", {"status": "disabled"})["metadata"]["generation"]
    eventually(lambda: sandbox.status("edited").get("observedGeneration") == generation)
    time.sleep(0.5)
    after = sandbox.job(entry["job_id"])
    assert (after["metadata"]["uid"], after["spec"]) == (before["metadata"]["uid"], before["spec"])
    kubelet.complete(entry["job_id"])
    status = eventually(lambda: sandbox.status("edited"), until=lambda status: status["execution_count"] == 1)
    assert status["status"] == "disabled"
    assert status["history"][0]["status"] == "completed"


def test_nothing_is_retroactive(operator: StartOperator, sandbox: Sandbox) -> None:
    """Creating, editing, resuming and applying again fire no past slot."""
    operator()
    often: Object = {"concurrency_policy": "Allow"}
    since = {
        name: parse_instant(sandbox.trigger(name, spec)["metadata"]["creationTimestamp"])
        for name, spec in {
            "created": interval(3, **often),
            "resumed": interval(3, status="paused", **often),
            "enabled": interval(3, status="disabled", **often),
            "slower": interval(3600, **often),
            "to-cron": interval(3600, **often),
            "mended": cron("61 * * * *", **often),
            "at-once": interval(3600, **often),
        }.items()
    }
    for name in since:
        eventually(lambda: sandbox.status(name))
    assert sandbox.status("resumed")["status"] == "paused"
    assert sandbox.status("enabled")["status"] == "disabled"
    assert "next_scheduled_at" not in sandbox.status("resumed")
    time.sleep(4)
    edits: dict[str, Object] = {
        "resumed": {"status": "active"},
        "enabled": {"status": "active"},
        "slower": {"schedule_config": {"interval_seconds": 3}},
        "to-cron": cron("* * * * *"),
        "mended": {"trigger_type": "interval", "schedule_config": {"interval_seconds": 3, "cron_expression": None}},
        "at-once": {"schedule_config": {"start_immediately": True}},
    }
    edits["to-cron"]["schedule_config"].update(interval_seconds=None, start_immediately=None)
    edits["mended"]["schedule_config"]["timezone"] = None
    for name, edit in edits.items():
        before = sandbox.kube.now()
        sandbox.edit(name, edit)
        since[name] = before
    for name in ("created", "resumed", "enabled", "slower", "mended", "at-once"):
        slots = eventually(lambda: sandbox.slots(name))
        # Only start_immediately means the very second of the edit.
        earliest = since[name] if name == "at-once" else since[name] + timedelta(seconds=1)
        assert slots[0] >= earliest, name
        assert sandbox.events(name, "SlotsMissed") == []
    # The grid of a trigger that was only resumed has not moved.
    anchor = parse_instant(sandbox.get("resumed")["metadata"]["creationTimestamp"])
    assert (sandbox.slots("resumed")[0] - anchor).total_seconds() % 3 == 0
    assert all(slot.second == 0 for slot in sandbox.slots("to-cron"))
    assert all(slot > since["to-cron"] for slot in sandbox.slots("to-cron"))


def test_a_file_that_is_applied_again_changes_nothing(operator: StartOperator, sandbox: Sandbox) -> None:
    operator()
    document = trigger("applied", interval(3600, start_immediately=True))
    sandbox.apply(document)
    (entry,) = eventually(lambda: sandbox.history("applied"))
    before = sandbox.status("applied")
    assert "unchanged" in sandbox.apply(document)
    document["metadata"]["labels"] = {"team": "search"}
    assert "configured" in sandbox.apply(document)
    time.sleep(1.5)
    assert [job["metadata"]["name"] for job in sandbox.jobs("applied")] == [entry["job_id"]]
    assert sandbox.status("applied")["schedule_state"] == before["schedule_state"]
    assert sandbox.status("applied")["next_scheduled_at"] == before["next_scheduled_at"]


def test_an_edit_within_the_second_of_a_slot_fires_it_once(operator: StartOperator, sandbox: Sandbox) -> None:
    """The first slot of the new schedule is one that the old schedule has already fired."""
    process = operator()
    for attempt in range(3):
        name = f"same-second-{attempt}"
        sandbox.trigger(name, interval(3600, start_immediately=True))
        eventually(lambda: sandbox.history(name))
        sandbox.edit(name, {"schedule_config": {"interval_seconds": 7200}})
        status = eventually(lambda: sandbox.status(name), until=lambda s: s["observedGeneration"] == 2)
        assert parse_instant(status["next_scheduled_at"]) > sandbox.kube.now()
        assert len(sandbox.jobs(name)) == len(set(sandbox.slots(name))) <= 2
    reconciled = process.metric("clustertrigger_reconcile_duration_seconds_count")
    time.sleep(1)
    assert process.metric("clustertrigger_reconcile_duration_seconds_count") < reconciled + 20, "it turns in circles"
