"""Tests of the page of one trigger: each case has a status and the texts that the page shows."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from clustertrigger.rest.page.views.detail import Detail, detail
from harness.control_plane.manifests import Object, conditional, cron, events, interval
from tests.rest.page.objects import NOW, at, condition, run, seen

COOLDOWN = "Cooldown: at least 5m from one run to the next"


def shown(spec: Object | None = None, *, may_change: bool = True, **status: Any) -> Detail:
    return detail(seen(spec=spec, **status), NOW, may_change=may_change)


def test_the_summary_of_a_trigger() -> None:
    spec = {**cron("0 2 * * *", "Europe/Berlin"), "description": "Every night"}
    found = shown(spec, schedule="0 2 * * * Europe/Berlin", trigger_id="trg_1", created_by="ada")
    assert (found.namespace, found.name, found.state, found.tone) == ("search", "nightly", "active", "good")
    assert found.description == "Every night"
    assert found.facts == [
        ("Type", "cron 0 2 * * * Europe/Berlin"), ("Action", "cluster"),
        ("Clusters", "col_products by kmeans (n_clusters 5)"), ("Created", "2h ago by ada"), ("Id", "trg_1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("held", "words", "tone"),
    [
        (condition("Ready", "True", "Scheduled"), "ready", "good"),
        (condition("Ready", "False", "InvalidSpec"), "not ready", "bad"),
        (condition("Ready", "Unknown", "Unseen"), "Ready Unknown", "off"),
        (condition("Stalled", "True", "InvalidSpec"), "needs intervention", "bad"),
        (condition("Stalled", "False", "NotStalled"), "needs no intervention", "off"),
        (condition("Running", "True", "RunActive"), "running", "busy"),
        (condition("Running", "False", "NoActiveRun"), "not running", "off"),
    ],
)
def test_conditions(held: Object, words: str, tone: str) -> None:
    (found,) = shown(conditions=[{**held, "message": "Because"}]).conditions
    assert (found.words, found.tone, found.message) == (words, tone, "Because")
    assert found.since is not None
    assert found.since.words == "60m ago"


def test_coming_slots_in_their_zone() -> None:
    coming = shown(cron("30 2 * * *", "America/New_York")).coming
    assert (coming.zone, coming.sentence, len(coming.slots)) == ("America/New_York", "", 10)
    first = coming.slots[0]
    assert (first.local, first.at.iso, first.at.words) == ("Sun 29 Nov 02:30:00 EST", "2026-11-29T07:30:00Z", "in 21h")


def test_coming_slots_of_an_interval_follow_its_grid() -> None:
    coming = shown(interval(3600)).coming
    assert [slot.local for slot in coming.slots[:2]] == ["Sat 28 Nov 11:07:30", "Sat 28 Nov 12:07:30"]
    assert coming.zone == "UTC"


@pytest.mark.parametrize(
    ("spec", "status", "sentence", "slots"),
    [
        (
            conditional(60),
            {},
            "Each slot is a check. The trigger fires only if the check finds that the condition is met.",
            10,
        ),
        (interval(60, status="paused"), {"status": "paused"}, "The trigger does not fire: it is paused.", 0),
        (interval(60, status="disabled"), {"status": "active"}, "The trigger does not fire: it is disabled.", 0),
        (interval(60), {"status": "failed"}, "The trigger does not fire: it is failed.", 0),
        (events(5), {}, "", 0),
        (cron("61 * * * *"), {}, "The trigger does not fire, because its spec is invalid.", 0),
        ({"trigger_type": "cron"}, {}, "The trigger does not fire, because its spec is invalid.", 0),
    ],
)
def test_coming_slots(spec: Object, status: Object, sentence: str, slots: int) -> None:
    coming = shown(spec, **status).coming
    assert (coming.sentence, len(coming.slots)) == (sentence, slots)


@pytest.mark.parametrize(
    ("spec", "status", "share", "cooldown", "until"),
    [
        (events(100), {"event_counter": 37}, 37, "No cooldown", None),
        (events(100, cooldown=300), {"event_counter": 250}, 100, COOLDOWN, None),
        (events(3, cooldown=300), {"event_counter": 1, "last_cooldown_at": at(minutes=2)}, 33,
         COOLDOWN, "2026-11-28T10:10:30Z"),
        (events(3, cooldown=300), {"last_cooldown_at": at(minutes=6)}, 0, COOLDOWN, None),
    ],
)  # fmt: skip
def test_events(spec: Object, status: Object, share: int, cooldown: str, until: str | None) -> None:
    found = shown(spec, **status).events
    assert found is not None
    assert (found.share, found.cooldown, found.cools_until and found.cools_until.iso) == (share, cooldown, until)
    assert found.what == "documents_added for col_products"


def test_other_triggers_count_no_events() -> None:
    assert shown(interval(60)).events is None
    assert shown(interval(60)).drift is None


def test_runs() -> None:
    history = [
        run("n-2", "failed", error="no column 'vector'", execution_time_ms=900),
        run("n-1", execution_time_ms=64_000, num_clusters=1_200, num_documents=64_000, notes=["reduced to 16"]),
    ]
    found = shown(history=history, execution_count=7, failure_count=1, consecutive_failures=1)
    assert found.counts == "7 completed, 1 failed (1 in a row)"
    assert found.error == "no column 'vector'"
    failed, completed = found.runs
    assert (failed.job, failed.tone, failed.took, failed.error, failed.clusters) == (
        "n-2", "bad", "0.9s", "no column 'vector'", "",
    )  # fmt: skip
    assert (completed.took, completed.clusters, completed.documents) == ("64s", "1,200", "64,000")
    assert completed.notes == ["reduced to 16"]
    assert found.bars is not None
    assert len(found.bars.bars) == 2
    assert [(step.text, step.command) for step in found.steps] == [
        ("See why the last run failed:", "kubectl clustertrigger logs nightly -n search"),
        ("Try again:", "kubectl clustertrigger run nightly -n search --wait"),
    ]


def test_only_a_failure_of_the_last_run_is_shown() -> None:
    found = shown(history=[run("n-2"), run("n-1", "failed", error="no column")])
    assert found.error == ""
    assert shown(history=[run("n-1", "failed")]).error == "no reason is known"


def test_the_largest_clusters() -> None:
    clusters = [
        {"cluster_id": 4, "name": "shirts", "num_documents": 600,
         "central_documents": [{"document_id": "sku-1", "text": "A shirt"}, {"document_id": "sku-2"}]},
        {"cluster_id": 9, "name": "shoes", "num_documents": 150},
    ]  # fmt: skip
    last = {"job_id": "n-1", "num_noise": 50, "clusters": clusters,
            "changes": {"since": "n-0", "summary": "9 kept, 1 new", "kept": 9}}  # fmt: skip
    completed = run("n-1", num_clusters=10, num_documents=1000, results_uri="/results/n-1")
    found = shown(history=[completed], last_result=last).found
    assert found is not None
    assert found.title == "Clusters"
    assert found.heading == "10 clusters of 1,000 documents, 50 in no cluster"
    assert found.changes == "Since n-0: 9 kept, 1 new"
    assert [(c.id, c.name, c.documents, c.share, c.percent, c.central) for c in found.groups] == [
        ("4", "shirts", 600, "60.0%", 100, "sku-1 A shirt"), ("9", "shoes", 150, "15.0%", 25, ""),
    ]  # fmt: skip
    assert (found.more, found.folder) == ("8 smaller clusters are in the run's folder", "/results/n-1")
    assert shown(history=[run("n-9")], last_result=last).found is None, "the run is not in the history any more"


def test_nodes_of_a_taxonomy() -> None:
    nodes = [{"node_id": "food", "label": "Food", "num_documents": 600},
             {"node_id": "toys", "label": "Toys", "num_documents": 300}]  # fmt: skip
    enrichment = {"taxonomy_id": "tax_goods", "results_uri": "/results/n-1", "num_nodes": 9, "num_assigned": 950,
                  "num_taken_over": 12, "nodes_without_documents": 2, "nodes": nodes}  # fmt: skip
    completed = run("n-1", num_documents=1000, results_uri="/results/n-1")
    found = shown(history=[completed], last_result={"job_id": "n-1", "enrichment": enrichment}).found
    assert found is not None
    assert found.title == "Nodes"
    assert found.heading == "950 of 1,000 documents have a node of tax_goods, 12 of them taken over"
    assert [(g.id, g.name, g.share, g.percent) for g in found.groups] == [
        ("food", "Food", "60.0%", 100), ("toys", "Toys", "30.0%", 50),
    ]  # fmt: skip
    assert found.more == "5 smaller nodes are in the run's folder"


def test_volume() -> None:
    spec = conditional(3600)
    spec["schedule_config"] |= {"condition_type": "volume", "metric": "document_count", "threshold": 0.2}
    last = {"check": "c-0", "metric": "document_count", "value": 0.5, "threshold": 0.2, "noise_floor": 0.0,
            "checked_at": at(), "fires": True, "summary": "document_count 0.5 > 0.2"}  # fmt: skip
    found = shown(spec, last_volume_measurement=last).drift
    assert found is not None
    assert (found.title, found.summary, found.floor) == ("Volume", "document_count 0.5 > 0.2", "")
    assert found.chart is not None
    assert (found.chart.floor, found.chart.dots[0].fires) == (None, True)


def test_drift() -> None:
    checks = [{"job_id": f"c-{n}", "slot": at(hours=n), "status": "completed", "value": value, "fires": value > 0.3}
              for n, value in ((1, 0.4), (2, 0.2))]  # fmt: skip
    last = {"check": "c-0", "metric": "cosine_drift", "value": 0.1, "threshold": 0.3, "noise_floor": 0.02,
            "checked_at": at(), "fires": False, "summary": "cosine_drift 0.1 ≤ 0.3"}  # fmt: skip
    baseline = {"documents": 64_000, "run": "n-1", "captured_at": at(hours=3)}
    found = shown(conditional(3600), checks=checks, last_drift_measurement=last, baseline_snapshot=baseline).drift
    assert found is not None
    assert (found.summary, found.threshold, found.floor) == ("cosine_drift 0.1 ≤ 0.3", "0.3", "0.04")
    assert found.baseline == "The baseline was computed from 64,000 documents by run n-1, 2026-11-28T07:07:30Z."
    verdicts = [(measured.value, measured.verdict) for measured in found.measurements]
    assert verdicts == [("0.1", "does not fire"), ("0.4", "fires"), ("0.2", "does not fire")]
    assert found.chart is not None
    assert [dot.fires for dot in found.chart.dots] == [False, True, False]


@pytest.mark.parametrize("snapshot", [{"uri": "s3://x"}, {"documents": "many", "run": "n", "captured_at": "x"}])
def test_a_baseline_of_another_version(snapshot: Object) -> None:
    found = shown(conditional(3600), baseline_snapshot=snapshot).drift
    assert found is not None
    assert found.baseline == "There is a baseline."
    assert found.chart is None
    without = shown(conditional(3600), last_check_error="no such file").drift
    assert without is not None
    assert without.baseline == "There is no baseline yet. The next slot starts a run, which writes one."
    assert without.error == "no such file"


@pytest.mark.parametrize(
    ("spec", "status", "verbs"),
    [
        (interval(60), {}, ["run", "pause"]),
        (interval(60), {"consecutive_failures": 1}, ["run", "pause", "reset"]),
        (interval(60), {"status": "failed", "consecutive_failures": 5}, ["reset", "pause"]),
        (interval(60, status="paused"), {"status": "paused"}, ["resume"]),
        (interval(60, status="paused"), {"status": "paused", "consecutive_failures": 2}, ["resume", "reset"]),
        (interval(60, status="disabled"), {"status": "disabled"}, ["resume"]),
        (interval(60, status="failed"), {"status": "failed"}, ["resume"]),
    ],
)
def test_buttons(spec: Object, status: Object, verbs: list[str]) -> None:
    assert [button.verb for button in shown(spec, **status).buttons] == verbs
    assert shown(spec, may_change=False, **status).buttons == []


def test_objects_applied_by_gitops() -> None:
    raw = seen()
    raw["metadata"]["labels"] = {"kustomize.toolkit.fluxcd.io/name": "apps"}
    assert detail(raw, NOW, may_change=True).gitops.startswith("Flux applies this trigger")
    assert shown().gitops == ""


def test_objects_that_the_operator_has_not_seen() -> None:
    raw = seen()
    raw["metadata"]["generation"] = 2
    assert "before the last edit" in detail(raw, NOW, may_change=True).notice
    del raw["status"]
    found = detail(raw, NOW, may_change=True)
    assert (found.notice, found.conditions, found.state) == ("The operator has not seen this trigger.", [], "not seen")
    assert found.steps[0].command.startswith("kubectl get pods")


def test_yaml_is_the_object_without_managed_fields() -> None:
    raw = seen()
    raw["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    found = yaml.safe_load(detail(raw, NOW, may_change=True).yaml)
    assert list(found) == ["apiVersion", "kind", "metadata", "spec", "status"]
    assert found["spec"] == raw["spec"]
    assert "managedFields" not in found["metadata"]
