"""Tests of outputs: which collections a run writes, which ones it must not write, and what its Pod mounts for them."""

from __future__ import annotations

from typing import Any

import pytest

from clustercontract.run import RunSpec
from clustertrigger.api.conditions import Reason
from clustertrigger.api.names import ANNOTATION_ANNOUNCES
from clustertrigger.core.actions.cluster import ClusterWork
from clustertrigger.core.actions.registry import resolve
from clustertrigger.core.actions.work import Ask
from clustertrigger.core.jobs.jobs import JobRequest, build_job
from clustertrigger.core.jobs.slot import ScheduledSlot
from clustertrigger.core.resources.catalog import COLLECTION, DEFINITION, Catalog, Unresolved
from clustertrigger.core.resources.validation import parse_trigger
from tests.core.builders import DEFAULTS, at, trigger

Json = dict[str, Any]
CONFIG: Json = {"algorithm": "kmeans", "n_clusters": 2}
DATABASE: Json = {
    "type": "postgresql",
    "uri": "postgresql://db:5432/shop",
    "table": "articles",
    "secret_name": "reader",
}
COLLECTIONS: dict[str, Json] = {
    "products": {"source": {"uri": "products/*.parquet"}, "volume": "documents"},
    "labels": {"source": {"uri": "labels/"}, "volume": "documents", "write": {}},
    "elsewhere": {"source": {"uri": "labels/"}, "volume": "other", "write": {}},
    "articles": {"source": DATABASE, "write": {"secret_name": "writer"}},
    "points": {"source": {"type": "qdrant", "uri": "http://q:6333", "collection": "c"}, "write": {}},
}


def spec_of(*outputs: str, inputs: tuple[str, ...] = ("products",)) -> Any:
    execution = {"collection_ids": list(inputs), "config": CONFIG, "outputs": list(outputs)}
    parsed, problems = parse_trigger(
        {"trigger_type": "interval", "schedule_config": {"interval_seconds": 60}, "execution_config": execution}
    )
    assert not problems
    return parsed


def catalog(**others: Json) -> Catalog:
    found = Catalog()
    for name, spec in {**COLLECTIONS, **others}.items():
        found.put(COLLECTION, "search", name, spec)
    return found


def resolved(spec: Any, known: Catalog | None = None) -> ClusterWork:
    found = resolve(known or catalog(), "search", spec)
    assert isinstance(found, ClusterWork), found
    return found


def refused(spec: Any, known: Catalog | None = None) -> Unresolved:
    found = resolve(known or catalog(), "search", spec)
    assert isinstance(found, Unresolved)
    return found


def run_spec(work: ClusterWork, spec: Any) -> RunSpec:
    order = work.order(Ask("search", "products", "products-1", "2026-11-21T02:00:00Z", 7, spec.run, DEFAULTS))
    return RunSpec.model_validate_json(order.value)


def test_the_input_of_the_worker() -> None:
    spec = spec_of("labels", "articles", inputs=("products", "articles"))
    labels, articles = run_spec(resolved(spec), spec).outputs
    assert (labels.collection_id, labels.mount_path, labels.reads) == ("labels", "/outputs/documents", False)
    assert (articles.collection_id, articles.mount_path, articles.reads) == ("articles", None, True)
    assert articles.write.secret_name == "writer"
    assert articles.source.secret_name == "reader"


def test_without_outputs_the_worker_gets_none() -> None:
    spec = spec_of()
    assert run_spec(resolved(spec), spec).outputs == []


@pytest.mark.parametrize(
    ("config", "told"),
    [({}, ["labels"]), ({"output_collection_ids": ["articles"]}, ["articles"]), ({"output_collection_ids": []}, [])],
)
def test_an_actions_outputs_replace_the_definitions(config: Json, told: list[str]) -> None:
    known = catalog()
    definition = {"cluster_id": "cluster_a", "collection_ids": ["products"], "config": CONFIG, "outputs": ["labels"]}
    known.put(DEFINITION, "search", "a", definition)
    action = {"action_type": "cluster", "action_config": {"cluster_id": "cluster_a", **config}}
    spec, problems = parse_trigger({"trigger_type": "interval", "schedule_config": {"interval_seconds": 60}, **action})
    assert not problems
    assert spec is not None
    assert [output.collection_id for output in run_spec(resolved(spec, known), spec).outputs] == told


@pytest.mark.parametrize(
    ("waits_for", "outputs", "told"),
    [
        ("col_named", ["named"], Reason.CHAIN_LOOP),
        ("named", ["col_named"], Reason.CHAIN_LOOP),
        ("col_named", ["labels"], None),
        ("products", ["named"], None),
    ],
)
def test_a_definitions_output_that_its_trigger_waits_for(
    waits_for: str, outputs: list[str], told: Reason | None
) -> None:
    known = catalog(named={"collection_id": "col_named", "source": {"uri": "x/"}, "volume": "v", "write": {}})
    definition = {"cluster_id": "cluster_a", "collection_ids": ["products"], "config": CONFIG, "outputs": outputs}
    known.put(DEFINITION, "search", "a", definition)
    schedule = {"event_type": "run_completed", "event_threshold": 1, "collection_id": waits_for}
    spec, problems = parse_trigger({"trigger_type": "event", "schedule_config": schedule, "cluster_id": "cluster_a"})
    assert not problems
    assert spec is not None
    found = resolve(known, "search", spec)
    assert (found.reason if isinstance(found, Unresolved) else None) is told


@pytest.mark.parametrize(
    ("outputs", "announces"),
    [([], ("products",)), (["labels"], ("labels",)), (["col_named", "labels"], ("col_named", "named", "labels"))],
)
def test_the_collections_for_which_a_run_is_an_event(outputs: list[str], announces: tuple[str, ...]) -> None:
    known = catalog(named={"collection_id": "col_named", "source": {"uri": "x/"}, "volume": "v", "write": {}})
    spec = spec_of(*outputs)
    job = build_job(
        JobRequest(trigger(), spec, resolved(spec, known), "products-1", ScheduledSlot(at(hours=1)), DEFAULTS)
    )
    assert job["metadata"]["annotations"][ANNOTATION_ANNOUNCES] == ",".join(announces)


def test_outputs_are_mounted_writable_with_both_secrets() -> None:
    spec = spec_of("labels", "elsewhere", "articles", inputs=("products", "articles"))
    job = build_job(JobRequest(trigger(), spec, resolved(spec), "products-1", ScheduledSlot(at(hours=1)), DEFAULTS))
    pod = job["spec"]["template"]["spec"]
    claims = {v["name"]: v["persistentVolumeClaim"] for v in pod["volumes"] if "persistentVolumeClaim" in v}
    mounts = {mount["mountPath"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    assert claims[mounts["/outputs/documents"]["name"]] == {"claimName": "documents"}
    assert claims[mounts["/outputs/other"]["name"]] == {"claimName": "other"}
    assert "readOnly" not in mounts["/outputs/documents"]
    assert mounts["/collections/documents"]["readOnly"] is True
    assert {"/secrets/reader", "/secrets/writer"} <= mounts.keys()


def test_a_collection_without_spec_write() -> None:
    found = refused(spec_of("products", inputs=("articles",)))
    assert found.reason is Reason.OUTPUT_NOT_WRITABLE
    assert found.message == (
        "collection 'products' is an output, but its spec.write is not set: set it to allow writing, or remove the "
        "collection from the outputs"
    )


def test_a_missing_collection() -> None:
    found = refused(spec_of("lables"))
    assert found.reason is Reason.COLLECTION_NOT_FOUND
    assert "'lables'" in found.message


def test_one_collection_with_two_names() -> None:
    known = catalog(named={"collection_id": "col_named", "source": {"uri": "x/"}, "volume": "v", "write": {}})
    found = refused(spec_of("named", "col_named"), known)
    assert (found.reason, "are the same Collection" in found.message) == (Reason.OUTPUT_NOT_WRITABLE, True)


@pytest.mark.parametrize(
    ("read", "written", "overlap"),
    [
        ("a.parquet", "a.parquet", True),
        ("./a.parquet", "a.parquet", True),
        ("a.parquet", "b.parquet", False),
        ("data/", "data/", True),
        ("data", "data/labels.parquet", True),
        ("data/in", "data/out", False),
        (".", "out/", True),
        ("data/clusters.parquet", "data/", True),
        ("data/vectors.parquet", "data/", False),
        ("*.parquet", "labels.parquet", True),
        ("*.parquet", "out/labels.parquet", False),
        ("**/*.parquet", "out/labels.parquet", True),
        ("day=*", "day=1/", True),
        ("part-[0-9].parquet", "part-7.parquet", True),
        ("part-[^0-9].parquet", "part-7.parquet", False),
        ("data/**/x.parquet", "data/x.parquet", True),
        ("data/**/x.parquet", "data/y.parquet", False),
    ],
)
def test_a_parquet_output_must_not_be_a_source(read: str, written: str, overlap: bool) -> None:
    """The next run would cluster the output of this one."""
    both: dict[str, Json] = {
        "input": {"source": {"uri": read}, "volume": "v"},
        "output": {"source": {"uri": written}, "volume": "v", "write": {}},
    }
    for prefix in ("", "s3://bucket/"):
        if prefix:
            for spec in both.values():
                spec["source"] = {"uri": prefix + str(spec["source"]["uri"]).removeprefix("./")}
                del spec["volume"]
        if prefix and read == ".":
            continue
        found = resolve(catalog(**both), "search", spec_of("output", inputs=("input",)))
        assert isinstance(found, Unresolved) is overlap, prefix
        if isinstance(found, Unresolved):
            assert found.reason is Reason.OUTPUT_NOT_WRITABLE
            assert "which is a source of collection 'input'" in found.message


def test_the_same_path_on_another_volume_is_another_file() -> None:
    other_claim = {"source": {"uri": "labels/"}, "volume": "documents"}
    assert resolved(spec_of("elsewhere", inputs=("input",)), catalog(input=other_claim))
    one = {"source": {"uri": "s3://b/k/", "endpoint": "https://one"}}
    other = {"source": {"uri": "s3://b/k/", "endpoint": "https://other"}, "write": {}}
    assert resolved(spec_of("output", inputs=("input",)), catalog(input=one, output=other))


def test_a_table_can_be_read_and_written() -> None:
    """The documents and their clusters are in different columns."""
    assert resolved(spec_of("articles", inputs=("articles",)))
