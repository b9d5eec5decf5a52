"""Tests of edits between the operator's read of a trigger and its write."""

from __future__ import annotations

from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import rarely
from harness.control_plane.proxy import Fault, Proxy, Request
from harness.control_plane.sandbox import Sandbox


def test_neither_the_edit_nor_the_run_is_lost(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    operator(through=proxy)
    sandbox.trigger("edited", rarely())
    eventually(lambda: sandbox.status("edited"))
    sandbox.request_run("edited", "now")
    (entry,) = eventually(lambda: sandbox.history("edited"))
    edits: list[str] = []

    def edit_just_before(request: Request) -> Fault | None:
        if request.matches("PATCH", "/status") and len(edits) < 3:
            edits.append(f"edit {len(edits)}")
            sandbox.edit("edited", {"description": edits[-1]})
        return None

    proxy.rule = edit_just_before
    kubelet.complete(entry["job_id"])
    generation = 1 + 3
    status = eventually(lambda: sandbox.status("edited"), until=lambda s: s["observedGeneration"] == generation)
    assert len(edits) == 3
    assert sandbox.get("edited")["spec"]["description"] == edits[-1]
    assert status["execution_count"] == 1
    assert [run["status"] for run in status["history"]] == ["completed"]
    assert sandbox.condition("edited", "Ready")["observedGeneration"] == generation
    (event,) = eventually(lambda: sandbox.events("edited", "RunCompleted"))
    assert event["count"] == 1
