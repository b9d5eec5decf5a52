"""Tests of chains: a completed run is an event that the next trigger counts, and loops are stopped."""

from __future__ import annotations

from typing import Any

from clustertrigger.core.kube import paths
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, RefusedError, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import collection, events, rarely
from harness.control_plane.proxy import Answer, Proxy
from harness.control_plane.sandbox import Sandbox


def after(collection_id: str, reads: str, threshold: int = 1, **run: Any) -> Object:
    """Spec of a trigger that waits for completed runs of one collection and clusters another one."""
    waiting = events(threshold, collection_id=collection_id, **run)
    waiting["schedule_config"]["event_type"] = "run_completed"
    waiting["execution_config"]["collection_ids"] = [reads]
    return waiting


def with_collections(sandbox: Sandbox, *names: str) -> None:
    for name in names:
        sandbox.create("collections", collection(name, f"col_{name}"))


def completes(sandbox: Sandbox, kubelet: Kubelet, name: str) -> str:
    """Completes the trigger's one run; returns its Job."""
    (job,) = eventually(lambda: sandbox.jobs(name))
    kubelet.complete(job["metadata"]["name"])
    eventually(lambda: sandbox.status(name).get("execution_count") == 1)
    return str(job["metadata"]["name"])


def settled(sandbox: Sandbox, *names: str) -> None:
    for name in names:
        eventually(lambda name=name: sandbox.condition(name, "Ready").get("status") == "True")  # type: ignore[misc]


def test_each_completed_run_fires_the_next_trigger(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    operator()
    with_collections(sandbox, "b")
    sandbox.trigger("first", rarely())
    sandbox.trigger("second", after("products", "col_b"))
    sandbox.trigger("third", after("col_b", "col_products"))
    sandbox.trigger("patient", after("col_b", "col_b", threshold=2))
    settled(sandbox, "first", "second", "third", "patient")
    sandbox.request_run("first", "now")
    completes(sandbox, kubelet, "first")
    completes(sandbox, kubelet, "second")
    (job,) = eventually(lambda: sandbox.jobs("third"))
    assert job["metadata"]["annotations"]["clustertrigger.dev/chain"] == "first,second"
    (entry,) = eventually(lambda: sandbox.history("third"))
    assert entry["slot"] == "event/1"
    eventually(lambda: sandbox.status("patient").get("event_counter") == 1)
    assert sandbox.jobs("patient") == []


def test_a_rerun_fires_who_waits_for_its_batch(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    operator()
    with_collections(sandbox, "b")
    sandbox.trigger("first", rarely())
    settled(sandbox, "first")
    sandbox.request_run("first", "now")
    batch = completes(sandbox, kubelet, "first")
    assert sandbox.history("first")[0]["announces"] == ["col_products", "products"]
    sandbox.trigger("second", after("products", "col_b"))
    again = rarely()
    del again["execution_config"]
    sandbox.trigger("again", {**again, "action_type": "batch_rerun", "action_config": {"batch_id": batch}})
    settled(sandbox, "second", "again")
    assert sandbox.jobs("second") == []
    sandbox.request_run("again", "now")
    completes(sandbox, kubelet, "again")
    (job,) = eventually(lambda: sandbox.jobs("second"))
    assert job["metadata"]["annotations"]["clustertrigger.dev/chain"] == "again"


def test_a_loop_stops_where_it_began_and_says_so(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    operator()
    with_collections(sandbox, "b")
    sandbox.trigger("one", after("col_b", "col_products"))
    sandbox.trigger("two", after("col_products", "col_b"))
    settled(sandbox, "one", "two")
    sandbox.request_run("one", "now")
    completes(sandbox, kubelet, "one")
    completes(sandbox, kubelet, "two")
    stalled = eventually(lambda: sandbox.condition("one", "Stalled"), until=lambda found: found.get("status") == "True")
    assert stalled["reason"] == "ChainLoop"
    assert stalled["message"].startswith("The triggers fire each other in a loop (one → two → one): ")
    (event,) = eventually(lambda: sandbox.events("one", "ChainLoop"))
    assert event["type"] == "Warning"
    assert (len(sandbox.jobs("one")), sandbox.status("one")["event_counter"]) == (1, 0)
    assert sandbox.condition("two", "Stalled")["status"] == "False"


def test_a_trigger_that_waits_for_its_own_collection_counts_others_runs_only(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet
) -> None:
    operator()
    sandbox.trigger("nightly", rarely())
    sandbox.trigger("labels", after("col_products", "col_products"))
    settled(sandbox, "nightly", "labels")
    sandbox.request_run("nightly", "now")
    completes(sandbox, kubelet, "nightly")
    completes(sandbox, kubelet, "labels")
    assert (sandbox.status("labels")["event_counter"], len(sandbox.jobs("labels"))) == (0, 1)
    assert sandbox.condition("labels", "Stalled")["status"] == "False"


def test_a_trigger_that_would_start_itself_is_refused(operator: StartOperator, sandbox: Sandbox) -> None:
    operator()
    spec = after("col_labels", "col_products")
    spec["execution_config"]["outputs"] = ["col_other", "col_labels"]
    assert "wait for another collection, or remove this one from the outputs" in refusal(sandbox, "outputs", spec)
    del spec["execution_config"]
    action = {"cluster_id": "c", "output_collection_ids": ["col_labels"]}
    said = refusal(sandbox, "action", {**spec, "action_config": action})
    assert "collection_id is not valid with event_type run_completed" in said


def refusal(sandbox: Sandbox, name: str, spec: Object) -> str:
    """Why a trigger is refused: when it is applied, or in its status if Kubernetes ignores the CRD's rules."""
    try:
        sandbox.trigger(name, spec)
    except RefusedError as refused:
        return refused.message
    ready = eventually(lambda: sandbox.condition(name, "Ready"))
    assert ready["status"] == "False"
    return str(ready["message"])


def test_an_operator_that_is_killed_before_it_settles_counts_once(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    with_collections(sandbox, "b")
    first = operator(through=proxy)
    sandbox.trigger("first", rarely())
    sandbox.trigger("second", after("col_products", "col_b", threshold=10))
    settled(sandbox, "first", "second")
    sandbox.request_run("first", "now")
    (job,) = eventually(lambda: sandbox.jobs("first"))
    eventually(lambda: sandbox.history("first"))
    path = f"{paths.custom('clustertriggers', sandbox.namespace)}/first/status"
    proxy.rule = lambda request: Answer(503) if request.matches("PATCH", path) else None
    kubelet.complete(job["metadata"]["name"])
    eventually(lambda: sandbox.status("second").get("event_counter") == 1)
    first.kill()
    proxy.rule = None
    operator()
    eventually(lambda: sandbox.status("first").get("execution_count") == 1)
    assert sandbox.status("second")["event_counter"] == 1
