"""Tests of action taxonomy_enrichment: the Taxonomy, the worker's input, and the result in the status."""

from __future__ import annotations

from typing import Any

import pytest

from clustercontract.actions.taxonomy_enrichment import ENRICHMENT_SPEC_VARIABLE, EnrichmentSpec, PreviousEnrichment
from clustercontract.brief import EnrichmentBrief, NodeBrief
from clustercontract.run import RunResult
from clustertrigger.api.conditions import Reason
from clustertrigger.api.status import ClusterTriggerStatus, LastResult
from clustertrigger.core.actions.registry import action_of, resolve
from clustertrigger.core.actions.taxonomy_enrichment import EnrichmentWork
from clustertrigger.core.actions.work import Ask, in_words
from clustertrigger.core.decide import decide
from clustertrigger.core.decision import CreateJob
from clustertrigger.core.jobs.jobs import JobRequest, build_job
from clustertrigger.core.jobs.slot import ScheduledSlot
from clustertrigger.core.resources.catalog import COLLECTION, TAXONOMY, Catalog, Unresolved
from clustertrigger.core.resources.validation import parse_trigger
from tests.core.builders import DEFAULTS, World, at, fire, observed, trigger

Json = dict[str, Any]
NODES: Json = {"collection_id": "col_topics", "source": {"uri": "topics.parquet"}, "volume": "topics"}
DOCUMENTS: Json = {
    "collection_id": "col_products",
    "source": {"uri": "s3://b/products.parquet", "secret_name": "s3"},
}
TAX: Json = {"taxonomy_id": "tax_topics", "collection_id": "col_topics", "label_column": "name", "top_k": 3}
CONFIG: Json = {"taxonomy_id": "tax_topics", "collection_id": "col_products"}
GERMAN: Json = {"field": "language", "operator": "eq", "value": "de"}
CHEAP: Json = {"field": "price", "operator": "lt", "value": 10}
BRIEF = EnrichmentBrief(
    taxonomy_id="tax_topics",
    results_uri="/results/search/labels/labels-1",
    num_nodes=12,
    num_assigned=95,
    num_taken_over=40,
    nodes=[NodeBrief(node_id="n1", label="Games", num_documents=60)],
)
RESULT = RunResult(status="completed", num_documents=100, results_uri=BRIEF.results_uri, enrichment=BRIEF)


def raw(config: Json | None = None, **others: Any) -> Json:
    return {
        "trigger_type": "interval",
        "schedule_config": {"interval_seconds": 3600},
        "action_type": "taxonomy_enrichment",
        "action_config": {**CONFIG, **(config or {})},
        **others,
    }


def catalog(*leave_out: str, **changes: Json) -> Catalog:
    found = Catalog()
    for referent, name, written in (
        (COLLECTION, "topics", NODES),
        (COLLECTION, "products", DOCUMENTS),
        (TAXONOMY, "tax", TAX),
    ):
        if name not in leave_out:
            found.put(referent, "search", name, {**written, **changes.get(name, {})})
    return found


def resolved(config: Json | None = None, known: Catalog | None = None, **others: Any) -> Any:
    parsed, problems = parse_trigger(raw(config, **others))
    assert parsed is not None, problems
    return resolve(known or catalog(), "search", parsed)


def told(work: EnrichmentWork, last_result: LastResult | None = None) -> EnrichmentSpec:
    parsed, _ = parse_trigger(raw())
    assert parsed is not None
    ask = Ask("search", "labels", "labels-2", "manual/1", 7, parsed.run, DEFAULTS, last_result=last_result)
    order = work.order(ask)
    assert (order.command, order.variable) == ("enrich", "CLUSTERWORKER_ENRICHMENT_SPEC")
    return EnrichmentSpec.model_validate_json(order.value)


def test_the_input_of_the_worker() -> None:
    work = resolved({"batch_size": 500, "parallelism": 2})
    assert isinstance(work, EnrichmentWork)
    given = told(work)
    assert given.taxonomy.model_dump(exclude={"nodes"}) == {
        "taxonomy_id": "tax_topics",
        "label_column": "name",
        "parent_column": None,
        "top_k": 3,
        "min_score": 0.0,
    }
    assert (given.taxonomy.nodes.collection_id, given.taxonomy.nodes.mount_path) == (
        "col_topics",
        "/collections/topics",
    )
    assert (given.collection.collection_id, given.collection.mount_path) == ("col_products", None)
    assert (given.batch_size, given.parallelism, given.seed, given.incremental) == (500, 2, 7, False)
    assert (given.run, given.slot, given.history_limit) == ("labels-2", "manual/1", 10)
    assert work.reads(DEFAULTS) == (("topics",), ("s3",))
    assert work.annotations == {"clustertrigger.dev/action": "taxonomy_enrichment"}


def test_names_of_objects_serve_as_ids_too() -> None:
    work = resolved({"taxonomy_id": "tax", "collection_id": "products"})
    assert isinstance(work, EnrichmentWork)
    assert told(work).taxonomy.taxonomy_id == "tax"


@pytest.mark.parametrize(
    ("config", "known", "reason", "says"),
    [
        ({"taxonomy_id": "tax_none"}, catalog(), Reason.TAXONOMY_NOT_FOUND,
         "no Taxonomy with spec.taxonomy_id or metadata.name 'tax_none' in this namespace: create one or correct the"),
        ({"collection_id": "col_none"}, catalog(), Reason.COLLECTION_NOT_FOUND,
         "no Collection with spec.collection_id or metadata.name 'col_none' in this namespace"),
        ({}, catalog("topics"), Reason.COLLECTION_NOT_FOUND,
         "nodes of taxonomy 'tax_topics': no Collection with spec.collection_id or metadata.name 'col_topics'"),
        ({}, catalog(tax={"top_k": 51}), Reason.INVALID_REFERENCE, "Taxonomy 'tax' is invalid: spec.top_k"),
        ({}, catalog(topics={"volume": None}), Reason.INVALID_REFERENCE,
         "nodes of taxonomy 'tax_topics': Collection 'topics' is invalid"),
    ],
)  # fmt: skip
def test_unresolved_references(config: Json, known: Catalog, reason: Reason, says: str) -> None:
    found = resolved(config, known)
    assert isinstance(found, Unresolved)
    assert found.reason == reason
    assert says in found.message


IN_A_TABLE: Json = {
    "volume": None,
    "source": {"type": "postgresql", "uri": "postgresql://db/shop", "table": "documents", "secret_name": "db"},
}


@pytest.mark.parametrize("engine", ["spark", "auto"])
def test_spark_reads_the_documents_and_not_the_nodes(engine: str) -> None:
    run = {"engine": {"type": engine}}
    assert isinstance(resolved(None, catalog(topics=IN_A_TABLE), run=run), EnrichmentWork)
    refused = resolved(None, catalog(products=IN_A_TABLE), run=run)
    assert isinstance(refused, Unresolved)
    assert refused.message == (
        "run.engine: Collection 'col_products' has source type postgresql: engine type spark or auto supports parquet "
        "only: name another Collection, or set engine.type: local"
    )
    assert isinstance(resolved(None, catalog(products=IN_A_TABLE)), EnrichmentWork), "a local run reads it"


def test_the_worker_gets_the_executors() -> None:
    parsed, problems = parse_trigger(raw(run={"engine": {"type": "spark", "executors": 3}}))
    assert parsed is not None, problems
    work = resolve(catalog(), "search", parsed)
    assert isinstance(work, EnrichmentWork)
    job = build_job(JobRequest(trigger(raw()), parsed, work, "job", ScheduledSlot(at(hours=1)), DEFAULTS))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    told = next(one["value"] for one in container["env"] if one["name"] == ENRICHMENT_SPEC_VARIABLE)
    engine = EnrichmentSpec.model_validate_json(told).engine
    assert engine is not None
    assert (engine.type, engine.executors) == ("spark", 3)
    (mounted,) = engine.executor_template["spec"]["containers"]
    assert mounted["volumeMounts"] == container["volumeMounts"]


def test_two_taxonomies_with_one_id() -> None:
    known = catalog()
    known.put(TAXONOMY, "search", "twin", TAX)
    found = resolved({}, known)
    assert isinstance(found, Unresolved)
    assert (found.reason, found.message) == (
        Reason.AMBIGUOUS_REFERENCE,
        "taxonomy_id 'tax_topics' is used by Taxonomies tax, twin: change the taxonomy_id of all but one",
    )


def test_filters_narrow_the_documents_and_not_the_nodes() -> None:
    source = {"source": {**DOCUMENTS["source"], "filters": CHEAP}}
    work = resolved({"filters": GERMAN}, catalog(products=source))
    assert isinstance(work, EnrichmentWork)
    given = told(work)
    assert given.collection.source.filters is not None
    assert given.collection.source.filters.model_dump(exclude_none=True) == {"AND": [CHEAP, GERMAN]}
    assert given.taxonomy.nodes.source.filters is None


TABLE: Json = {
    "collection_id": "col_table",
    "source": {"type": "postgresql", "uri": "postgresql://db/shop", "table": "t", "secret_name": "reader"},
    "write": {"secret_name": "writer"},
}
LABELLED: Json = {"source": {"uri": "labels/"}, "volume": "documents", "write": {}}


def with_targets(**changes: Json) -> Catalog:
    known = catalog(**changes)
    for name, written in (("table", TABLE), ("labelled", LABELLED)):
        known.put(COLLECTION, "search", name, {**written, **changes.get(name, {})})
    return known


@pytest.mark.parametrize(("target", "waits_for"), [("table", "col_table"), ("col_table", "table")])
def test_a_target_that_the_trigger_waits_for_by_its_other_id(target: str, waits_for: str) -> None:
    schedule = {"event_type": "run_completed", "event_threshold": 1, "collection_id": waits_for}
    config = {"target_collection_id": target}
    parsed, problems = parse_trigger(raw(config, trigger_type="event", schedule_config=schedule))
    assert parsed is not None, problems
    found = resolve(with_targets(), "search", parsed)
    assert isinstance(found, Unresolved)
    assert found.reason is Reason.CHAIN_LOOP


def test_without_a_target_nothing_is_written() -> None:
    work = resolved()
    assert (told(work).outputs, told(work, LastResult(job_id="labels-1")).outputs_before) == ([], None)
    assert work.writes() == ((), ())


@pytest.mark.parametrize(
    ("documents", "target", "reads", "mounted"),
    [
        ("col_products", "labelled", False, (("documents",), ())),
        ("col_products", "col_table", False, ((), ("writer",))),
        ("col_table", "table", True, ((), ("writer",))),
    ],
)
def test_the_target(documents: str, target: str, reads: bool, mounted: tuple[Any, Any]) -> None:
    work = resolved({"collection_id": documents, "target_collection_id": target, "filters": GERMAN}, with_targets())
    assert isinstance(work, EnrichmentWork)
    given = told(work, LastResult(job_id="labels-1"))
    (output,) = given.outputs
    assert (output.reads, given.outputs_before) == (reads, "labels-1")
    assert output.source.filters is None
    assert work.writes() == mounted


@pytest.mark.parametrize(
    ("config", "known", "reason", "says"),
    [
        ({"target_collection_id": "nowhere"}, with_targets(), Reason.COLLECTION_NOT_FOUND,
         "action_config.target_collection_id: no Collection with spec.collection_id or metadata.name 'nowhere'"),
        ({"target_collection_id": "products"}, with_targets(), Reason.OUTPUT_NOT_WRITABLE,
         "action_config.target_collection_id: 'products' is the enriched Collection itself, and a Parquet source "
         "cannot be changed in place: name another Collection, or remove target_collection_id"),
        ({"target_collection_id": "labelled"}, with_targets(labelled={"write": None}), Reason.OUTPUT_NOT_WRITABLE,
         "action_config.target_collection_id: collection 'labelled' is an output, but its spec.write is not set"),
        ({"target_collection_id": "labelled"}, with_targets(topics={"source": {"uri": "*/*.parquet"},
                                                                    "volume": "documents"}),
         Reason.OUTPUT_NOT_WRITABLE, "output 'labelled' would write labels/enrichment.parquet, which is a "
         "source of collection 'col_topics'"),
        ({"target_collection_id": "topics"}, with_targets(topics={**TABLE, "collection_id": "col_topics",
                                                                   "volume": None}),
         Reason.OUTPUT_NOT_WRITABLE, "'topics' is the Collection of the taxonomy's nodes, but the output has"),
    ],
)  # fmt: skip
def test_invalid_targets(config: Json, known: Catalog, reason: Reason, says: str) -> None:
    found = resolved(config, known)
    assert isinstance(found, Unresolved)
    assert (found.reason, says in found.message) == (reason, True), found.message


@pytest.mark.parametrize(
    ("incremental", "last", "expected"),
    [
        (True, LastResult(job_id="labels-1", enrichment=BRIEF),
         PreviousEnrichment(run="labels-1", uri="/results/search/labels/labels-1")),
        (False, LastResult(job_id="labels-1", enrichment=BRIEF), None),
        (True, LastResult(job_id="labels-1"), None),
        (True, None, None),
    ],
)  # fmt: skip
def test_an_incremental_run_gets_the_last_run(
    incremental: bool, last: LastResult | None, expected: PreviousEnrichment | None
) -> None:
    work = resolved({"incremental": incremental})
    assert isinstance(work, EnrichmentWork)
    given = told(work, last)
    assert given.incremental == incremental
    assert given.previous == expected


def test_the_result_in_the_status() -> None:
    status = ClusterTriggerStatus(last_result=LastResult(job_id="labels-0", num_noise=3, next_cluster_id=9))
    action = action_of("taxonomy_enrichment")
    action.remember(status, "labels-1", "", RESULT)
    assert status.last_result == LastResult(job_id="labels-1", enrichment=BRIEF, next_cluster_id=9)
    assert status.baseline_snapshot is None
    assert ClusterTriggerStatus.read(status.as_json()).last_result == status.last_result


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (RESULT, "95 of 100 documents have a node of tax_topics, 40 of them taken over"),
        (RunResult(status="completed"), ""),
    ],
)
def test_the_message_of_the_event(result: RunResult, expected: str) -> None:
    assert in_words(result) == expected


def test_a_run_from_its_slot_to_the_status_and_the_next_one() -> None:
    world = World(raw({"incremental": True}))
    world.work = resolved({"incremental": True})
    world.step(at())
    fire(world, 1)
    (first,) = world.runs
    world.end("completed", result=RESULT, explained=True, action="taxonomy_enrichment")
    world.step(at(hours=1, minutes=5))
    assert (
        f"RunCompleted: Run {first} completed: 95 of 100 documents have a node of tax_topics, 40 of them taken over"
        in world.events
    )
    status = world.trigger.status
    assert (status.execution_count, status.history[0].num_documents, status.baseline_snapshot) == (1, 100, None)
    (job,) = decide(world.trigger, observed(world.runs.values(), work=world.work), at(hours=2)).actions
    assert isinstance(job, CreateJob)
    assert job.manifest["metadata"]["annotations"]["clustertrigger.dev/action"] == "taxonomy_enrichment"
    (variable,) = job.manifest["spec"]["template"]["spec"]["containers"][0]["env"]
    given = EnrichmentSpec.model_validate_json(variable["value"])
    assert given.previous == PreviousEnrichment(run=first, uri=BRIEF.results_uri)
