"""Tests of what a user sees after `kubectl apply`: conditions and columns, within a second."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import RefusedError, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import collection, cron, interval, rarely, trigger
from harness.control_plane.sandbox import Sandbox

EXAMPLES = Path(__file__).parents[2] / "examples"

WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "expression": (cron("61 * * * *"), ["spec.schedule_config.cron_expression", "'61 * * * *'"]),
    "zone": (cron("0 2 * * *", "Europe/Berlim"), ["spec.schedule_config.timezone", "'Europe/Berlim'", "Europe/Berlin"]),
    "never": (cron("0 0 31 2 *"), ["spec.schedule_config.cron_expression", "never fires"]),
    "inner-zone": (cron("TZ=UTC 0 2 * * *"), ["spec.schedule_config.cron_expression", "timezone"]),
    "two-kinds": (
        {**rarely(), "schedule_config": {"interval_seconds": 60, "cron_expression": "@daily"}},
        ["spec.schedule_config.cron_expression"],
    ),
    "no-work": ({"trigger_type": "cron", "schedule_config": {"cron_expression": "@daily"}}, ["cluster_id", "required"]),
}
BY_RULES = {"two-kinds", "no-work"}
"""`kubectl apply` fails if the API server enforces the rules of the CRD."""


def test_what_is_wrong_is_said_and_nothing_else_suffers(
    operator: StartOperator, sandbox: Sandbox, busy_kubelet: None
) -> None:
    process = operator()
    sandbox.trigger("healthy", interval(1))
    judged = []
    for name, (spec, needles) in WRONG.items():
        refusal = _refusal(sandbox, name, spec)
        if refusal is None:
            judged.append(name)
            continue
        assert name in BY_RULES, refusal
        assert all(needle in refusal for needle in needles), refusal
    for name in judged:
        needles = WRONG[name][1]
        ready = eventually(lambda: sandbox.condition(name, "Ready"))
        assert (ready["status"], ready["reason"]) == ("False", "InvalidSpec"), ready
        for needle in needles:
            assert needle in ready["message"], ready
        stalled = sandbox.condition(name, "Stalled")
        assert (stalled["status"], stalled["reason"]) == ("True", "InvalidSpec")
        assert "next_scheduled_at" not in sandbox.status(name)
        (event,) = eventually(lambda: sandbox.events(name, "InvalidSpec"))
        assert event["message"] == ready["message"]
    already = sandbox.status("healthy").get("execution_count", 0)
    eventually(lambda: sandbox.status("healthy").get("execution_count", 0) >= already + 3)
    assert process.metric("clustertrigger_reconcile_errors_total") == 0
    broken = {"namespace": sandbox.namespace, "trigger": "expression"}
    assert process.metric("clustertrigger_trigger_not_ready", **broken, reason="InvalidSpec") == 1
    assert process.metric("clustertrigger_trigger_not_ready") == len(judged)

    mended = sandbox.edit("expression", {"schedule_config": {"cron_expression": "@daily"}})
    eventually(lambda: sandbox.condition("expression", "Ready")["status"] == "True")
    assert sandbox.condition("expression", "Ready")["observedGeneration"] == mended["metadata"]["generation"]
    assert sandbox.condition("expression", "Stalled")["status"] == "False"
    eventually(lambda: process.metric("clustertrigger_trigger_not_ready", **broken) == 0)


def _refusal(sandbox: Sandbox, name: str, spec: dict[str, Any]) -> str | None:
    try:
        sandbox.trigger(name, spec)
    except RefusedError as refusal:
        return refusal.message
    return None


def test_conditions_come_within_a_second(operator: StartOperator, sandbox: Sandbox) -> None:
    operator()
    elapsed = []
    for attempt in range(10):  # the best of ten: what else this machine does is not a fault of the operator
        name = f"trigger-{attempt}"
        sandbox.apply(trigger(name, cron("61 * * * *")))
        applied = time.monotonic()
        eventually(lambda: sandbox.condition(name, "Stalled"))
        elapsed.append(time.monotonic() - applied)
        if elapsed[-1] < 1:
            break
    assert min(elapsed) < 1, elapsed


def test_ids_that_refer_to_nothing_or_to_too_much(operator: StartOperator, sandbox: Sandbox) -> None:
    operator()
    sandbox.create("collections", collection("twin-a", "col_twin"))
    sandbox.create("collections", collection("twin-b", "col_twin"))
    by_definition = {**rarely(), "cluster_id": "cluster_topics"}
    del by_definition["execution_config"]
    sandbox.trigger("unknown-collection", rarely(collection_id="col_later"))
    sandbox.trigger("unknown-definition", by_definition)
    sandbox.trigger("ambiguous", rarely(collection_id="col_twin"))
    for name, reason, needles in (
        ("unknown-collection", "CollectionNotFound", ["'col_later'", "create one or correct the id"]),
        ("unknown-definition", "DefinitionNotFound", ["'cluster_topics'"]),
        ("ambiguous", "AmbiguousReference", ["twin-a", "twin-b"]),
    ):
        # What it refers to may be seen a moment after the trigger.
        ready = eventually(lambda: sandbox.condition(name, "Ready"), until=lambda found: found.get("reason") == reason)
        assert ready["status"] == "False"
        for needle in needles:
            assert needle in ready["message"]

    sandbox.create("collections", collection("later", "col_later"))
    definition = {"cluster_id": "cluster_topics", **rarely()["execution_config"]}
    body = {
        "apiVersion": "clustertrigger.dev/v1alpha1",
        "kind": "ClusterDefinition",
        "metadata": {"name": "topics"},
        "spec": definition,
    }
    sandbox.create("clusterdefinitions", body)
    sandbox.kube.delete(f"/apis/clustertrigger.dev/v1alpha1/namespaces/{sandbox.namespace}/collections/twin-b")
    for name in ("unknown-collection", "unknown-definition", "ambiguous"):
        eventually(lambda: sandbox.condition(name, "Ready")["status"] == "True")


def test_the_examples_and_the_table(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    """All namespaces at once, as the chart installs it."""
    operator(watch_namespaces="")
    files = [*EXAMPLES.glob("api/*.yaml"), *(EXAMPLES / f"{name}.yaml" for name in ("collection", "cron", "interval"))]
    sandbox.kube.delete(f"/apis/clustertrigger.dev/v1alpha1/namespaces/{sandbox.namespace}/collections/products")
    sandbox.apply(files=tuple(files))
    expected = {
        "api-cron": ("False", "CollectionNotFound"),
        "api-interval": ("True", "Scheduled"),
        "api-cluster-id": ("False", "DefinitionNotFound"),
        "api-event": ("False", "CollectionNotFound"),
        "api-conditional": ("False", "CollectionNotFound"),
        **{
            f"api-unified-cluster-{kind}": ("False", "DefinitionNotFound")
            for kind in ("cron", "interval", "event", "conditional")
        },
        **{
            f"api-unified-{action}-{kind}": ("False", reason)
            for action, reason in (
                ("batch-rerun", "BatchNotFound"),
                ("collection-trigger", "CollectionNotFound"),
                ("taxonomy-enrichment", "TaxonomyNotFound"),
            )
            for kind in ("cron", "interval", "event")
        },
        "products-nightly": ("True", "Scheduled"),
        "reviews-every-6h": ("True", "Scheduled"),
    }
    for name, verdict in expected.items():
        eventually(
            lambda: sandbox.condition(name, "Ready"),
            until=lambda ready: (ready.get("status"), ready.get("reason")) == verdict,
            what=f"{name} {verdict}",
        )
    (entry,) = eventually(lambda: sandbox.history("reviews-every-6h"))
    kubelet.complete(entry["job_id"])
    eventually(lambda: sandbox.status("reviews-every-6h").get("execution_count", 0) == 1)

    printed = sandbox.kubectl("get", "ctr").stdout
    header, *lines = printed.splitlines()
    columns = ["NAME", "TYPE", "SCHEDULE", "STATUS", "LAST RUN", "LAST RESULT", "NEXT RUN", "RUNS", "FAILURES", "AGE"]
    assert [column for column in columns if column in header] == columns, printed
    rows = {line.split()[0]: line for line in lines}
    assert set(rows) == set(expected)
    for name, needles in {
        "api-cron": ["cron", "0 2 * * * UTC", "active"],
        "api-event": ["event", "100 documents_added, cooldown 5m"],
        "api-conditional": ["conditional", "cosine_drift > 0.3 every 1h"],
        "products-nightly": ["0 2 * * * Europe/Berlin", sandbox.status("products-nightly")["next_scheduled_at"]],
        "reviews-every-6h": ["interval", "every 6h", "completed"],
    }.items():
        for needle in needles:
            assert needle in rows[name], printed

    status = sandbox.status("products-nightly")
    uid = sandbox.get("products-nightly")["metadata"]["uid"].replace("-", "")
    assert status["trigger_id"] == f"trg_{uid[:16]}"
    assert status["namespace_id"] == sandbox.namespace
    assert status["internal_id"] == sandbox.kube.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]


def test_an_empty_string_is_a_string(operator: StartOperator, sandbox: Sandbox) -> None:
    """Kubernetes 1.20 built with a newer Go reads it as null: see harness/cluster/debian/patches."""
    operator()
    spec = rarely()
    sandbox.trigger("empty", {**spec, "description": "", "run": {**spec.get("run", {}), "queue_name": ""}})
    assert eventually(lambda: sandbox.condition("empty", "Ready"))["status"] == "True"
