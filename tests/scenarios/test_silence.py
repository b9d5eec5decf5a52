"""Tests of what the operator must not write: anything while idle, and fields of others."""

from __future__ import annotations

import time

from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.manifests import cron, interval, rarely, trigger
from harness.control_plane.proxy import Proxy
from harness.control_plane.sandbox import Sandbox

_IDLE = 20


def test_300_idle_triggers_cause_no_write(operator: StartOperator, sandbox: Sandbox, proxy: Proxy) -> None:
    specs = [rarely(), cron("0 0 1 1 *", "Asia/Tokyo"), interval(1, status="paused"), cron("61 * * * *")]
    for n in range(300):
        sandbox.trigger(f"idle-{n}", specs[n % len(specs)])
    process = operator(through=proxy, leader_election=True)
    eventually(lambda: len(proxy.writes("/status")) >= 300)
    eventually(lambda: len(proxy.writes("/events")) >= 75)
    before = len(proxy.requests)
    spent = process.cpu_seconds()
    time.sleep(_IDLE)
    written = [f"{request.method} {request.path}" for request in proxy.requests[before:] if request.writes]
    assert [line for line in written if "/leases/" not in line] == []
    assert written, "the Lease was not renewed"
    assert process.cpu_seconds() - spent < _IDLE / 4


def test_spec_labels_and_annotations_are_never_written(
    operator: StartOperator, sandbox: Sandbox, busy_kubelet: None
) -> None:
    """The fields that Argo CD and Flux compare stay as they were applied."""
    document = trigger("gitops", interval(1, start_immediately=True, max_consecutive_failures=1))
    document["metadata"].update(labels={"team": "search"}, annotations={"note": "ours"})
    sandbox.apply(document)
    before = sandbox.get("gitops")
    operator()
    eventually(lambda: sandbox.status("gitops").get("execution_count", 0) >= 2)
    after = sandbox.get("gitops")
    assert after["spec"] == before["spec"]
    unlike = {key for key in after["metadata"] if after["metadata"][key] != before["metadata"].get(key)}
    assert unlike <= {"resourceVersion", "managedFields"}
    owned = {entry["manager"]: set(entry["fieldsV1"]) for entry in after["metadata"]["managedFields"]}
    theirs = {entry["manager"] for entry in before["metadata"]["managedFields"]}
    assert [fields for manager, fields in owned.items() if manager not in theirs] == [{"f:status"}]
    assert "unchanged" in sandbox.apply(document)
    assert sandbox.get("gitops")["metadata"]["generation"] == 1
