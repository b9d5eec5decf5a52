"""Tests of action batch_rerun: the batch, the input and mounts of its rerun, and when there is nothing to do."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from clustercontract.actions.batch_rerun import RerunSpec
from clustercontract.actions.cluster import Cluster
from clustercontract.actions.config import ACTIONS as WRITTEN
from clustercontract.run import RunResult
from clustertrigger.api.conditions import ConditionType, EventReason, Reason
from clustertrigger.api.status import Execution, LastResult, find_condition
from clustertrigger.core.actions.batch_rerun import RerunWork
from clustertrigger.core.actions.registry import ACTIONS, action_of, resolve
from clustertrigger.core.actions.work import Reads, Work
from clustertrigger.core.decide import decide
from clustertrigger.core.decision import CreateJob, Decision
from clustertrigger.core.jobs.job_view import read_job
from clustertrigger.core.jobs.workload import observe_run
from clustertrigger.core.resources.catalog import COLLECTION, Catalog, Unresolved
from clustertrigger.core.resources.trigger import Key, Trigger
from tests.core.builders import CREATED, DEFAULTS, HOURLY, observed, run, trigger
from tests.core.resources.test_pod_templates import template

Json = dict[str, Any]
BATCH = "products-3f9a2c-20261121020000"
RERUN: Json = {
    "action_type": "batch_rerun",
    "action_config": {"batch_id": BATCH},
    "trigger_type": "interval",
    "schedule_config": {"interval_seconds": 3600},
}
DUE = CREATED + timedelta(hours=1)


def rerun(retry_failed_only: bool | None = None, **fields: Any) -> Trigger:
    config = {"batch_id": BATCH} if retry_failed_only is None else {
        "batch_id": BATCH, "retry_failed_only": retry_failed_only
    }  # fmt: skip
    return replace(trigger({**RERUN, "action_config": config}, **fields), key=Key("search", "again"))


def batch(status: Any = "completed", **fields: Any) -> Execution:
    mounted: Json = {"volumes": ["data", "results"], "secrets": ["db"], **fields}
    return Execution(job_id=BATCH, slot="2026-11-21T02:00:00Z", triggered_at=CREATED, status=status, **mounted)


def source(history: list[Execution], spec: Json = HOURLY, name: str = "products") -> Trigger:
    found = trigger(spec)
    status = found.status.copy()
    status.history = history
    return replace(found, key=Key("search", name), status=status)


def resolved(
    *triggers: Trigger, retry_failed_only: bool | None = None, known: Catalog | None = None, filters: Json | None = None
) -> Work | Unresolved:
    catalog = known or Catalog()
    for one in triggers:
        catalog.batches.put(one)
    spec = rerun(retry_failed_only).spec
    assert spec is not None
    if filters is not None:
        config = {"batch_id": BATCH, "filters": filters}
        spec = trigger({**RERUN, "action_config": config}).spec
        assert spec is not None
    return resolve(catalog, "search", spec)


def decided(work: Work | Unresolved, by: Trigger | None = None) -> Decision:
    it = by or rerun()
    first = decide(it, observed(work=work), CREATED)
    it = replace(it, status=first.status)
    return decide(it, observed(work=work), DUE)


@pytest.mark.parametrize(
    "spec",
    [
        HOURLY,
        {**RERUN, "action_config": {"batch_id": "another-3f9a2c-20261121020000"}},
        {
            **RERUN,
            "action_type": "taxonomy_enrichment",
            "action_config": {"taxonomy_id": "tax_a", "collection_id": "col_a"},
        },
    ],
)
def test_runs_whose_worker_stores_its_input_can_be_repeated(spec: Json) -> None:
    assert isinstance(resolved(source([batch()], spec)), Work)


def test_a_rerun_gets_the_folder_of_the_batch() -> None:
    decision = decided(resolved(source([batch()])))
    (created,) = decision.actions
    assert isinstance(created, CreateJob)
    assert created.manifest["metadata"]["annotations"]["clustertrigger.dev/action"] == "batch_rerun"
    assert created.manifest["metadata"]["annotations"]["clustertrigger.dev/reruns"] == BATCH
    pod = created.manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == ["rerun"]
    told = RerunSpec.model_validate_json(container["env"][0]["value"])
    assert (told.trigger, told.run, told.batch_trigger, told.batch_id) == ("again", created.name, "products", BATCH)
    assert told.batch_results.uri == f"/collections/{DEFAULTS.results_volume}"
    assert told.results.uri == "/results"
    claims = {volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"] if "emptyDir" not in volume
              and "secret" not in volume}  # fmt: skip
    assert claims == {"data", "results", DEFAULTS.results_volume}
    assert [volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume] == ["db"]


LABELS: Json = {"collection_id": "col_labels", "source": {"uri": "labels/"}, "volume": "labels", "write": {}}
TABLE: Json = {
    "source": {"type": "postgresql", "uri": "postgresql://db/shop", "table": "t", "secret_name": "reader"},
    "write": {"secret_name": "writer"},
}


def with_outputs(**changes: Json) -> Catalog:
    known = Catalog()
    for name, written in (("labels", LABELS), ("table", TABLE)):
        known.put(COLLECTION, "search", name, {**written, **changes.get(name, {})})
    return known


def told_of(work: Work | Unresolved) -> tuple[RerunSpec, Json]:
    """Returns the input of a rerun's worker, and its Job."""
    (created,) = decided(work).actions
    assert isinstance(created, CreateJob)
    (container,) = created.manifest["spec"]["template"]["spec"]["containers"]
    return RerunSpec.model_validate_json(container["env"][0]["value"]), created.manifest


def test_outputs_of_the_batch_are_written_with_the_current_credentials() -> None:
    done = source([batch(outputs=["col_labels", "table"])])
    done = replace(done, status=done.status.copy())
    done.status.last_result = LastResult(job_id="products-3f9a2c-20261122020000")
    told, manifest = told_of(resolved(done, known=with_outputs(table={"write": {"secret_name": "another"}})))
    assert told.outputs is not None
    labels, table = told.outputs
    assert (labels.mount_path, labels.write.secret_name) == ("/outputs/labels", None)
    assert table.write.secret_name == "another"
    assert told.outputs_before == "products-3f9a2c-20261122020000"
    assert manifest["metadata"]["annotations"]["clustertrigger.dev/outputs"] == "col_labels,table"
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    assert {"/outputs/labels", "/secrets/another"} <= {mount["mountPath"] for mount in container["volumeMounts"]}


def test_a_partial_batch_is_not_written() -> None:
    german = {"field": "language", "operator": "eq", "value": "de"}
    told, manifest = told_of(resolved(source([batch(outputs=["col_labels"])]), known=with_outputs(), filters=german))
    assert (told.outputs, told.outputs_before) == (None, None)
    assert "clustertrigger.dev/outputs" not in manifest["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("outputs", "filters", "announces"),
    [
        (None, None, "col_a,a"),
        (None, {"field": "language", "operator": "eq", "value": "de"}, "col_a,a"),
        (["col_labels"], None, "col_labels,labels"),
        (["col_labels"], {"field": "language", "operator": "eq", "value": "de"}, None),
    ],
    ids=["read", "read in part", "written", "not written"],
)
def test_a_rerun_counts_as_the_same_events_as_its_batch(
    outputs: list[str] | None, filters: Json | None, announces: str | None
) -> None:
    then = ["col_labels", "labels"] if outputs else ["col_a", "a"]
    work = resolved(source([batch(outputs=outputs, announces=then)]), known=with_outputs(), filters=filters)
    _, manifest = told_of(work)
    assert manifest["metadata"]["annotations"].get("clustertrigger.dev/announces") == announces


@pytest.mark.parametrize("waits_for", ["col_labels", "labels"])
def test_a_rerun_that_waits_for_outputs_of_its_batch(waits_for: str) -> None:
    known = with_outputs()
    known.batches.put(source([batch(outputs=["col_labels"], announces=["col_labels", "labels"])]))
    schedule = {"event_type": "run_completed", "event_threshold": 1, "collection_id": waits_for}
    spec = trigger({**RERUN, "trigger_type": "event", "schedule_config": schedule}).spec
    assert spec is not None
    found = resolve(known, "search", spec)
    assert isinstance(found, Unresolved)
    assert found.reason is Reason.CHAIN_LOOP
    assert found.message.startswith(
        f"batch '{BATCH}' wrote col_labels: schedule_config.collection_id '{waits_for}': the trigger's own runs write"
    )


def test_an_output_whose_write_was_removed() -> None:
    found = resolved(source([batch(outputs=["col_labels"])]), known=with_outputs(labels={"write": None}))
    assert isinstance(found, Unresolved)
    assert found.reason is Reason.OUTPUT_NOT_WRITABLE
    assert found.message.startswith(f"batch '{BATCH}' wrote col_labels: collection 'col_labels' is an output, but")


CONFIG: Json = {"collection_id": "col_a", "include_buckets": ["b"]}
CHEAP: Json = {"field": "price", "operator": "lt", "value": 10}
GERMAN: Json = {"field": "language", "operator": "eq", "value": "de"}


def processed(status: Any = "completed", **config: Any) -> Trigger:
    """A trigger that processed a collection, and has another action now."""
    return source([batch(status, action_type="collection_trigger", action_config=json.dumps({**CONFIG, **config}))])


def with_processing() -> Catalog:
    known = Catalog()
    collection = {"collection_id": "col_a", "source": {"uri": "a.parquet"}, "volume": "data"}
    known.put(COLLECTION, "search", "products", {**collection, "processing": {"pod_template": "embed"}})
    known.put_pod_template("search", "embed", template())
    return known


def test_a_collection_is_processed_again_with_the_same_action_config() -> None:
    work = resolved(processed(source_filters=CHEAP), known=with_processing(), filters=GERMAN)
    (created,) = decided(work).actions
    assert isinstance(created, CreateJob)
    annotations = created.manifest["metadata"]["annotations"]
    # Its message is read, and counts as events, as that of the batch.
    assert annotations["clustertrigger.dev/action"] == "collection_trigger"
    assert annotations["clustertrigger.dev/reruns"] == BATCH
    assert annotations["clustertrigger.dev/processes"] == "col_a,products"
    assert annotations["clustertrigger.dev/announces"] == "col_a,products"
    (container,) = created.manifest["spec"]["template"]["spec"]["containers"]
    told = {variable["name"]: variable["value"] for variable in container["env"]}
    assert told["CLUSTERTRIGGER_COLLECTION_ID"] == "col_a"
    assert json.loads(told["CLUSTERTRIGGER_INCLUDE_BUCKETS"]) == ["b"]
    assert json.loads(told["CLUSTERTRIGGER_SOURCE_FILTERS"]) == {"AND": [CHEAP, GERMAN]}
    assert told["CLUSTERTRIGGER_RUN"] == created.name
    assert isinstance(work, Work)
    again = {**CONFIG, "source_filters": {"AND": [CHEAP, GERMAN]}}
    assert json.loads(work.annotations["clustertrigger.dev/action-config"]) == again, "a rerun is a batch too"


def test_retry_failed_only_skips_a_processed_batch() -> None:
    for status, retry in (("running", None), ("completed", True)):
        assert decided(resolved(processed(status), known=with_processing(), retry_failed_only=retry)).actions == ()
    assert decided(resolved(processed("failed"), known=with_processing(), retry_failed_only=True)).actions


def test_too_many_filters_for_a_processed_batch() -> None:
    many = {"AND": [{"OR": [{"field": "price", "operator": "eq", "value": number} for number in range(20)]}] * 3}
    found = resolved(processed(source_filters=many), known=with_processing(), filters=many)
    assert isinstance(found, Unresolved)
    assert (
        f"action_config.filters: together with the source_filters of batch '{BATCH}', filters have 120" in found.message
    )


def test_the_action_of_the_batch_decides_and_not_the_current_one() -> None:
    spec = {**RERUN, "action_type": "collection_trigger", "action_config": {"collection_id": "a"}}
    assert isinstance(resolved(source([batch()], spec)), RerunWork)


def test_a_batch_in_s3_is_read_with_its_triggers_credentials() -> None:
    results = {"uri": "s3://bucket/results", "secret_name": "minio", "endpoint": "http://minio:9000"}
    work = resolved(source([batch(volumes=[], secrets=["db"])], {**HOURLY, "run": {"results": results}}))
    assert isinstance(work, RerunWork)
    assert work.reads(DEFAULTS) == Reads((), ("db", "minio"))
    (created,) = decided(work).actions
    assert isinstance(created, CreateJob)
    told = RerunSpec.model_validate_json(
        created.manifest["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"]
    )
    assert told.batch_results.model_dump(exclude_none=True) == results


def test_a_batch_is_read_where_its_results_were_written() -> None:
    folder = f"/results/below/search/products/{BATCH}"
    for results in ({"volume": "new"}, {"uri": "s3://bucket/results", "secret_name": "minio"}):
        left = batch(results_uri=folder, volumes=["old", "data"], secrets=[])
        work = resolved(source([left], {**HOURLY, "run": {"results": results}}))
        assert isinstance(work, RerunWork)
        assert work.reads(DEFAULTS).claims == ("old", "data")
        (created,) = decided(work).actions
        assert isinstance(created, CreateJob)
        pod = created.manifest["spec"]["template"]["spec"]
        told = RerunSpec.model_validate_json(pod["containers"][0]["env"][0]["value"])
        assert told.batch_results.uri == "/collections/old/below"
    away = batch(results_uri=f"s3://bucket/results/search/products/{BATCH}")
    found = resolved(source([away], {**HOURLY, "run": {"results": {"uri": "results"}}}))
    assert isinstance(found, Unresolved)
    assert found.reason == Reason.INVALID_REFERENCE
    assert f"action_config.batch_id: the results of run '{BATCH}' are in s3://bucket/results/" in found.message


@pytest.mark.parametrize(
    ("triggers", "reason", "says"),
    [
        pytest.param([], Reason.BATCH_NOT_FOUND, "in status.history of any ClusterTrigger", id="none"),
        pytest.param(
            [source([]), source([], name="others")],
            Reason.BATCH_NOT_FOUND,
            "in status.history of the ClusterTriggers of this namespace (others, products): it does not exist, or",
            id="expired",
        ),
        pytest.param(
            [source([batch()], name="others")],
            Reason.BATCH_NOT_FOUND,
            "(others)",
            id="a history that cannot",
        ),
        pytest.param(
            [source([batch(volumes=None)])],
            Reason.BATCH_NOT_FOUND,
            "an earlier version of the operator recorded it",
            id="old entry",
        ),
        pytest.param(
            [source([batch(action_type="collection_trigger")])],
            Reason.INVALID_REFERENCE,
            "does not contain its action_config, because it has more than 1,024 characters or an earlier version of "
            "the operator recorded it: request a run of that trigger instead",
            id="processed with a long configuration",
        ),
        pytest.param(
            [source([batch(action_type="collection_trigger", action_config='{"collection": "a"}')])],
            Reason.INVALID_REFERENCE,
            "is not valid in this version of the operator: request a run of that trigger instead",
            id="processed by a configuration of another version",
        ),
        pytest.param(
            [source([batch(action_type="collection_trigger", action_config='{"collection_id": "col_gone"}')])],
            Reason.COLLECTION_NOT_FOUND,
            f"batch '{BATCH}': no Collection with spec.collection_id or metadata.name 'col_gone'",
            id="processed a collection that is gone",
        ),
        pytest.param(
            [source([batch(outputs=["labels"])])],
            Reason.COLLECTION_NOT_FOUND,
            f"batch '{BATCH}' wrote labels: no Collection with spec.collection_id or metadata.name 'labels'",
            id="whose output is gone",
        ),
        pytest.param(
            [source([batch()], {"trigger_type": "cron"})], Reason.INVALID_REFERENCE, "which is invalid", id="invalid"
        ),
    ],
)
def test_a_batch_that_cannot_be_found(triggers: list[Trigger], reason: Reason, says: str) -> None:
    found = resolved(*triggers)
    assert isinstance(found, Unresolved)
    assert (found.reason, says in found.message) == (reason, True), found.message
    decision = decided(found)
    ready = find_condition(decision.status.conditions, ConditionType.READY)
    assert ready is not None
    assert (ready.status, ready.reason, ready.message) == ("False", reason, found.message)
    assert decision.actions == ()
    assert decision.status.is_overdue is True


@pytest.mark.parametrize(
    ("status", "retry_failed_only", "says"),
    [
        ("completed", False, None),
        ("failed", False, None),
        ("failed", True, None),
        (
            "completed",
            True,
            f"batch {BATCH} completed, and action_config.retry_failed_only repeats only failed batches",
        ),
        ("running", False, f"batch {BATCH} is still active"),
        ("pending", True, f"batch {BATCH} is still active"),
    ],
)
def test_which_batches_are_repeated(status: str, retry_failed_only: bool, says: str | None) -> None:
    decision = decided(resolved(source([batch(status)]), retry_failed_only=retry_failed_only))
    if says is None:
        assert [type(action) for action in decision.actions] == [CreateJob]
        return
    assert decision.actions == ()
    (event,) = [event for event in decision.events if event.reason == EventReason.NOTHING_TO_RERUN]
    assert event.message.startswith(f"Skipped the slot 2026-03-02T13:00:00Z: {says}")
    state = decision.status.schedule_state
    assert state is not None
    assert state.accounted_until == DUE
    assert decision.status.is_overdue is None


def test_a_failed_batch_that_a_rerun_completed_is_skipped() -> None:
    done = Execution(job_id="again-1", slot="x", triggered_at=CREATED, status="completed", reruns=BATCH)
    it = rerun(True)
    status = it.status.copy()
    status.history = [done]
    decision = decided(resolved(source([batch("failed")]), retry_failed_only=True), replace(it, status=status))
    assert decision.actions == ()
    assert any("was repeated by again-1, which completed" in event.message for event in decision.events)


def test_a_request_without_work_gets_the_reason() -> None:
    it = rerun(annotations={"run-requested": "one"})
    decision = decide(it, observed(work=resolved(source([batch("running")]))), CREATED)
    assert decision.status.last_run_requested == "one"
    assert any(
        event.reason == EventReason.REQUEST_IGNORED and "is still active" in event.message for event in decision.events
    )


def test_an_event_without_work_is_consumed() -> None:
    schedule = {"event_type": "documents_added", "event_threshold": 2, "collection_id": "col_a"}
    it = replace(trigger({**RERUN, "trigger_type": "event", "schedule_config": schedule}), key=Key("search", "again"))
    work = resolved(source([batch("running")]))
    status = decide(it, observed(work=work), CREATED).status.copy()
    assert status.event_state is not None
    status.event_counter = 3
    status.event_state = replace(status.event_state, total=3, due_since=CREATED)
    decision = decide(replace(it, status=status), observed(work=work), CREATED)
    assert decision.actions == ()
    assert decision.status.event_counter == 1
    assert any(event.reason == EventReason.NOTHING_TO_RERUN for event in decision.events)


def test_the_history_contains_the_batch_and_its_mounts() -> None:
    (created,) = decided(resolved(source([batch(announces=["col_a"])]))).actions
    assert isinstance(created, CreateJob)
    raw = {**created.manifest, "metadata": {
        **created.manifest["metadata"], "uid": "j", "resourceVersion": "1", "creationTimestamp": "2026-03-02T13:00:00Z"
    }}  # fmt: skip
    job = read_job(raw)
    assert job is not None
    seen = observe_run(job, [])
    decision = decide(rerun(), observed([seen], work=resolved(source([batch()]))), DUE)
    (entry,) = decision.status.history
    assert entry.reruns == BATCH
    assert entry.volumes == [DEFAULTS.results_volume, "data", "results"]
    assert entry.secrets == ["db"]
    assert (entry.action_type, entry.action_config, entry.outputs) == ("batch_rerun", None, None)
    assert entry.announces == ["col_a"], "a rerun is a batch too"


def test_the_history_contains_the_input_of_a_rerun() -> None:
    made = {
        "clustertrigger.dev/action": "collection_trigger",
        "clustertrigger.dev/action-config": json.dumps(CONFIG),
        "clustertrigger.dev/outputs": "col_a,col_b",
    }
    entry = decide(trigger(HOURLY), observed([replace(run(DUE), **seen_of(made))]), DUE).status.history[0]
    assert entry.action_type == "collection_trigger"
    assert (entry.action_config, entry.outputs) == (json.dumps(CONFIG), ["col_a", "col_b"])


def seen_of(annotations: Json) -> Json:
    """Returns the view of a Job with these annotations."""
    (created,) = decided(resolved(source([batch()]))).actions
    assert isinstance(created, CreateJob)
    metadata = created.manifest["metadata"]
    raw = {**created.manifest, "metadata": {
        **metadata, "uid": "j", "resourceVersion": "1", "creationTimestamp": "2026-03-02T13:00:00Z",
        "annotations": {**metadata["annotations"], **annotations},
    }}  # fmt: skip
    job = read_job(raw)
    assert job is not None
    seen = observe_run(job, [])
    return {"action": seen.action, "config": seen.config, "outputs": seen.outputs}


def test_a_rerun_writes_no_baseline() -> None:
    status = rerun().status.copy()
    baseline = {
        "uri": "a",
        "sha256": "b",
        "run": "c",
        "documents": 9,
        "dimensions": 2,
        "captured_at": "2026-11-21T02:00:00Z",
    }
    found = RunResult.model_validate_json(json.dumps({"status": "completed", "baseline": baseline}))
    action_of("batch_rerun").remember(status, "again-1", "", found)
    assert status.baseline_snapshot is None
    assert status.last_result is not None
    assert status.last_result.job_id == "again-1"


def test_only_triggers_that_refer_to_a_changed_run_are_reconciled() -> None:
    catalog = Catalog()
    asking = rerun()
    assert set(catalog.batches.put(asking)) == set()
    assert set(catalog.batches.put(source([]))) == set()
    assert set(catalog.batches.put(source([batch("pending")]))) == {asking.key}
    assert set(catalog.batches.put(source([batch()]))) == set()
    assert set(catalog.batches.remove(Key("search", "products"))) == {asking.key}
    assert set(catalog.batches.remove(asking.key)) == set()
    assert set(catalog.batches.put(source([batch()]))) == set()


def test_the_actions_of_the_contract_are_those_of_the_operator() -> None:
    assert ACTIONS.keys() == WRITTEN.keys()
    assert WRITTEN["cluster"] is Cluster


def test_a_run_of_another_kind_has_no_batch() -> None:
    assert run(DUE).reruns is None
