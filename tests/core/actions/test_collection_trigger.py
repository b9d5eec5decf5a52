"""Tests of action collection_trigger: its Pod's input, its errors, and that its changes count as events once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from clustertrigger.api.conditions import ConditionType, EventReason, Reason
from clustertrigger.api.status import find_condition
from clustertrigger.core.actions.registry import action_of, resolve
from clustertrigger.core.actions.work import Work
from clustertrigger.core.decide import decide
from clustertrigger.core.decision import CountEvents, CreateJob, RunEvent
from clustertrigger.core.jobs.job_view import read_job
from clustertrigger.core.jobs.pod_view import read_pod
from clustertrigger.core.jobs.workload import ObservedRun, observe_run
from clustertrigger.core.resources.catalog import COLLECTION as COLLECTIONS
from clustertrigger.core.resources.catalog import Catalog, Unresolved
from clustertrigger.core.resources.trigger import Trigger
from tests.core.builders import CREATED, observed, trigger
from tests.core.resources.test_pod_templates import template

Json = dict[str, Any]
CONFIG: Json = {"collection_id": "col_a"}
COLLECTION: Json = {
    "collection_id": "col_a",
    "source": {"uri": "a.parquet"},
    "volume": "data",
    "processing": {"pod_template": "embed"},
}
DUE = CREATED + timedelta(hours=1)


def processing(**config: Any) -> Trigger:
    spec = {
        "action_type": "collection_trigger",
        "action_config": {**CONFIG, **config},
        "trigger_type": "interval",
        "schedule_config": {"interval_seconds": 3600},
    }
    return trigger(spec)


def catalog(collection: Json | None = COLLECTION, pod_template: Json | None = None) -> Catalog:
    found = Catalog()
    if collection is not None:
        found.put(COLLECTIONS, "search", "products", collection)
    if pod_template is not None:
        found.put_pod_template("search", "embed", pod_template)
    return found


def work(it: Trigger, where: Catalog) -> Work | Unresolved:
    assert it.spec is not None
    return resolve(where, "search", it.spec)


def job_of(it: Trigger, pod_template: Json | None = None) -> Json:
    """The Job that a due slot creates."""
    found = work(it, catalog(pod_template=pod_template or template()))
    first = decide(it, observed(work=found), CREATED)
    (created,) = decide(replace(it, status=first.status), observed(work=found), DUE).actions
    assert isinstance(created, CreateJob)
    return created.manifest


def test_the_input_of_the_pod() -> None:
    filters = {"AND": [{"field": "language", "operator": "eq", "value": "de"}]}
    it = processing(include_buckets=["b"], include_collections=["c", "d"], source_filters=filters)
    manifest = job_of(it, template(labels={"team": "a"}, annotations={"note": "b"}))
    pod = manifest["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    told = {variable["name"]: variable["value"] for variable in container["env"]}
    assert told.pop("CLUSTERTRIGGER_COLLECTION_ID") == "col_a"
    assert told.pop("CLUSTERTRIGGER_RUN") == manifest["metadata"]["name"]
    assert {name: json.loads(value) for name, value in told.items()} == {
        "CLUSTERTRIGGER_INCLUDE_BUCKETS": ["b"],
        "CLUSTERTRIGGER_INCLUDE_COLLECTIONS": ["c", "d"],
        "CLUSTERTRIGGER_SOURCE_FILTERS": filters,
        "CLUSTERTRIGGER_SOURCE": {**told_source(told), "uri": "a.parquet"},
    }
    assert manifest["metadata"]["annotations"]["clustertrigger.dev/processes"] == "col_a,products"
    assert manifest["metadata"]["annotations"]["clustertrigger.dev/action"] == "collection_trigger"
    assert pod["metadata"]["labels"]["team"] == "a"
    assert pod["metadata"]["labels"]["clustertrigger.dev/role"] == "run"
    assert pod["metadata"]["annotations"] == {"note": "b"}


def told_source(told: dict[str, str]) -> Json:
    found: Json = json.loads(told["CLUSTERTRIGGER_SOURCE"])
    return found


def test_absent_fields_are_not_passed_to_the_pod() -> None:
    (container,) = job_of(processing())["spec"]["template"]["spec"]["containers"]
    assert {variable["name"] for variable in container["env"]} == {
        "CLUSTERTRIGGER_COLLECTION_ID",
        "CLUSTERTRIGGER_RUN",
        "CLUSTERTRIGGER_SOURCE",
    }


@pytest.mark.parametrize(
    ("where", "reason", "says"),
    [
        (catalog(None), Reason.COLLECTION_NOT_FOUND, "'col_a'"),
        (catalog({**COLLECTION, "processing": None}), Reason.INVALID_REFERENCE,
         "Collection 'col_a' does not specify how to process it: set its spec.processing.pod_template"),
        (catalog(), Reason.POD_TEMPLATE_NOT_FOUND, "no PodTemplate 'embed' in this namespace"),
        (catalog(pod_template={**template(), "metadata": {"name": "embed"}}), Reason.INVALID_REFERENCE,
         "PodTemplate 'embed' does not have the label clustertrigger.dev/runnable: \"true\""),
        (catalog(pod_template=template({"hostNetwork": True})), Reason.INVALID_REFERENCE,
         "PodTemplate 'embed' is not allowed in a run: template.spec.hostNetwork"),
    ],
)  # fmt: skip
def test_configurations_that_cannot_run(where: Catalog, reason: Reason, says: str) -> None:
    it = processing()
    found = work(it, where)
    assert isinstance(found, Unresolved)
    assert (found.reason, says in found.message) == (reason, True), found.message
    first = decide(it, observed(work=found), CREATED)
    decision = decide(replace(it, status=first.status), observed(work=found), DUE)
    ready = find_condition(decision.status.conditions, ConditionType.READY)
    assert ready is not None
    assert (ready.status, ready.message, decision.actions) == ("False", found.message, ())


def test_a_template_that_is_removed() -> None:
    where = catalog(pod_template=template())
    assert isinstance(work(processing(), where), Work)
    where.remove_pod_template("search", "embed")
    where.remove_pod_template("search", "embed")
    assert isinstance(work(processing(), where), Unresolved)


@pytest.mark.parametrize(
    ("collections", "wanted", "ids"),
    [
        ({"products": COLLECTION}, "col_a", ["col_a", "products"]),
        ({"products": COLLECTION}, "products", ["products", "col_a"]),
        ({"products": {**COLLECTION, "collection_id": None}}, "products", ["products"]),
        ({"products": COLLECTION, "other": {**COLLECTION, "collection_id": "products"}}, "col_a", ["col_a"]),
    ],
)
def test_ids_that_refer_to_a_collection(collections: dict[str, Json], wanted: str, ids: list[str]) -> None:
    where = Catalog()
    for name, spec in collections.items():
        where.put(COLLECTIONS, "search", name, spec)
    assert where.ids(COLLECTIONS, "search", wanted) == ids


def ended(message: str, exit_code: int = 0) -> tuple[Trigger, ObservedRun]:
    """A trigger whose status contains its run, and the run after its Pod has ended."""
    it = processing()
    manifest = job_of(it)
    created = {"uid": "j", "resourceVersion": "1", "creationTimestamp": DUE.isoformat()}
    raw = {**manifest, "metadata": {**manifest["metadata"], **created}}
    if exit_code:
        raw["status"] = {
            "failed": 1,
            "conditions": [{"type": "Failed", "status": "True", "reason": "PodFailurePolicy"}],
        }
    job = read_job(raw)
    assert job is not None
    seen = decide(it, observed([observe_run(job, [])]), DUE)
    terminated = {"exitCode": exit_code, "message": message, "finishedAt": DUE.isoformat()}
    pod = {
        "metadata": {
            "namespace": "search",
            "name": "p",
            "uid": "p",
            "resourceVersion": "1",
            "creationTimestamp": DUE.isoformat(),
            "labels": {**manifest["spec"]["template"]["metadata"]["labels"], "job-name": job.name},
        },
        "status": {
            "phase": "Failed" if exit_code else "Succeeded",
            "containerStatuses": [{"name": "worker", "state": {"terminated": terminated}}],
        },
    }
    return replace(it, status=seen.status), observe_run(job, [read_pod(pod)])


def test_changes_count_before_the_run_has_ended() -> None:
    it, run = ended('{"documents_added": 3, "documents_deleted": 1, "elapsed": 7}')
    decision = decide(it, observed([run]), DUE)
    (counting,) = decision.actions
    assert isinstance(counting, CountEvents)
    assert (counting.job, counting.chain) == (run.job, ("products",))
    ids = ("col_a", "products")
    assert counting.events == (RunEvent("documents_added", 3, ids), RunEvent("documents_deleted", 1, ids))

    decision = decide(it, replace(observed([run]), counted=frozenset({run.job})), DUE)
    assert decision.actions == ()
    (entry,) = decision.status.history
    assert (entry.documents_added, entry.documents_updated, entry.documents_deleted) == (3, 0, 1)
    assert (entry.status, decision.status.execution_count) == ("completed", 1)
    (event,) = [event for event in decision.events if event.reason == EventReason.RUN_COMPLETED]
    assert event.message.endswith(": 3 documents added, 0 updated, 1 deleted")


@pytest.mark.parametrize("message", ["", "{}", '{"documents_added": 0}'])
def test_a_run_without_changes_counts_nothing(message: str) -> None:
    it, run = ended(message)
    decision = decide(it, observed([run]), DUE)
    assert decision.actions == ()
    assert (decision.status.history[0].status, decision.status.history[0].notes) == ("completed", None)


@pytest.mark.parametrize(
    ("message", "note"),
    [
        ('{"documents_added": -1}', "documents_added: Input should be greater than or equal to 0"),
        ('{"documents_added": "7"}', "documents_added: Input should be a valid integer"),
        ('{"documents_updated": 1e12}', "documents_updated: Input should be"),
        ("done", "it: Invalid JSON"),
        ("[]", "it: Input should be"),
    ],
)
def test_uncountable_changes_are_noted(message: str, note: str) -> None:
    it, run = ended(message)
    decision = decide(it, observed([run]), DUE)
    assert decision.actions == ()
    (entry,) = decision.status.history
    assert entry.notes is not None
    (said,) = entry.notes
    assert said.startswith(f"no events were counted: the termination message: {note}"), said
    assert (entry.status, entry.documents_added) == ("completed", None)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ('{"documents_added": 9, "error": "no column text"}', "no column text"),
        ('{"documents_added": 9}', "the worker ended with exit code 2"),
        ("Traceback: no such file", "the worker ended with exit code 2: Traceback: no such file"),
        ("", "the worker ended with exit code 2"),
    ],
)
def test_a_failed_run_counts_nothing(message: str, error: str) -> None:
    it, run = ended(message, exit_code=2)
    decision = decide(it, observed([run]), DUE)
    assert decision.actions == ()
    (entry,) = decision.status.history
    assert (entry.status, entry.documents_added) == ("failed", None)
    assert (entry.error or "").startswith(error), entry.error


def test_a_run_adds_nothing_else_to_the_status() -> None:
    it, run = ended("{}")
    assert run.result is not None
    before = it.status.copy()
    action_of("collection_trigger").remember(it.status, run.job, "", run.result)
    assert it.status == before
