"""Tests that an enrichment on Spark gives the same results as a local one: rows, figures and examples."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clustercontract.actions.taxonomy_enrichment import EnrichmentSpec
from clustercontract.engine import Engine
from clustercontract.run import RunResult
from clusterworker.enrichment import report
from clusterworker.process.errors import MisconfiguredError, UnavailableError
from clusterworker.spark.executors import Executors
from tests.clusterworker.enrichment.conftest import Enriching, enriching
from tests.clusterworker.planted import fixed_size_list
from tests.clusterworker.spark.conftest import ENGINE, modules_of

__all__ = ["enriching"]

pytestmark = pytest.mark.xdist_group("spark")

RANDOM = np.random.default_rng(5)
NODES = RANDOM.normal(size=(17, 12))
VECTORS = RANDOM.normal(size=(2_300, 12)) * RANDOM.uniform(0.01, 100, size=(2_300, 1))


def documents(enriching: Enriching, vectors: Any = VECTORS, *, integers: bool = False) -> None:
    """A file of several row groups."""
    rows = range(len(vectors))
    columns = {
        "document_id": [row * 3 for row in rows] if integers else [f"doc-{row}" for row in rows],
        "embedding": fixed_size_list(vectors.astype(np.float32)),
        "text": [f"text {row}" for row in rows],
    }
    pq.write_table(pa.table(columns), enriching.pod.volume / "data.parquet", row_group_size=170)


def spec_of(enriching: Enriching, kind: str, **fields: Any) -> EnrichmentSpec:
    source = {"uri": "data.parquet", "text_column": "text"}
    collection = {"collection_id": "col_docs", "source": source, "mount_path": str(enriching.pod.volume)}
    own = {"engine": ENGINE} if kind == "spark" else {}
    return enriching.spec(run=f"labels-{kind}-1", collection=collection, batch_size=100, **own, **fields)


def run_both(enriching: Enriching, specs: list[EnrichmentSpec]) -> tuple[RunResult, RunResult]:
    """Runs locally and on Spark, and requires the same table and the same metrics."""
    local, spark = (enriching.run(spec) for spec in specs)
    assert enriching.table(specs[0]).equals(enriching.table(specs[1])), "bit for bit"
    metrics = [enriching.metrics(spec) for spec in specs]
    means = [found["scores"].pop("mean") for found in metrics]
    assert means[1] == pytest.approx(means[0], rel=1e-9)
    for found in metrics:
        del found["notes"]
    assert metrics[0] == metrics[1]
    assert spark.notes[:-1] == local.notes
    assert list(enriching.pod.results.rglob(".*stages*")) == [], "no stage is left"
    return local, spark


@pytest.mark.parametrize(("top_k", "min_score", "integers"), [(1, 0.5, True), (3, 0.3, False), (50, -1.0, False)])
def test_an_enrichment_on_spark_equals_a_local_one(
    enriching: Enriching, on_spark: Executors, top_k: int, min_score: float, integers: bool
) -> None:
    enriching.nodes(NODES, ["", *["n0"] * 16])
    documents(enriching, integers=integers)
    taxonomy = {"top_k": top_k, "min_score": min_score, "parent_column": "parent"}
    specs = [spec_of(enriching, kind, taxonomy=taxonomy) for kind in ("local", "spark")]
    local, spark = run_both(enriching, specs)
    assert spark.enrichment is not None
    assert local.enrichment is not None
    assert spark.enrichment.nodes == local.enrichment.nodes
    assert spark.enrichment.num_assigned == local.enrichment.num_assigned > 0
    assert "parts of 2300 documents were read by Spark, 2 at a time" in spark.notes[-1]
    pages = [(enriching.folder(spec) / "report.html").read_text() for spec in specs]
    examples = [set(re.findall(r"text \d+", page)) for page in pages]
    assert examples[0] == examples[1] != set()


@pytest.mark.parametrize("integers", [True, False])
def test_an_incremental_enrichment_on_spark_equals_a_local_one(
    enriching: Enriching, on_spark: Executors, integers: bool
) -> None:
    """Documents are known in some parts, in all of a part and in none of it; some known ones are gone."""
    enriching.nodes(NODES)
    documents(enriching, VECTORS[:1_500], integers=integers)
    before = spec_of(enriching, "before", incremental=True)
    enriching.run(before)
    kept = np.r_[0:400, 700:1_500:2, 1_500:2_300]
    data = pq.ParquetFile(enriching.pod.volume / "data.parquet").schema_arrow
    names = kept * 3 if integers else [f"doc-{row}" for row in kept]
    columns = [
        pa.array(names),
        fixed_size_list(VECTORS[kept].astype(np.float32)),
        pa.array([f"text {n}" for n in kept]),
    ]
    pq.write_table(pa.table(columns, names=data.names), enriching.pod.volume / "data.parquet", row_group_size=170)
    previous = {"run": before.run, "uri": str(enriching.folder(before))}
    specs = [spec_of(enriching, kind, incremental=True, previous=previous) for kind in ("local", "spark")]
    local, spark = run_both(enriching, specs)
    assert enriching.metrics(specs[1])["num_searched"] == 800
    assert spark.enrichment is not None
    assert local.enrichment is not None
    assert spark.enrichment.num_taken_over == local.enrichment.num_taken_over == 800


def test_an_incremental_enrichment_goes_on_from_the_files_of_the_attempt_before(
    enriching: Enriching, on_spark: Executors, monkeypatch: pytest.MonkeyPatch
) -> None:
    enriching.nodes(NODES)
    documents(enriching, VECTORS[:900])
    before = spec_of(enriching, "before", incremental=True)
    enriching.run(before)
    documents(enriching)
    previous = {"run": before.run, "uri": str(enriching.folder(before))}
    local, spark = (spec_of(enriching, kind, incremental=True, previous=previous) for kind in ("local", "spark"))

    def lost(*_given: object) -> None:
        raise UnavailableError("the driver is lost")

    with monkeypatch.context() as at_first:
        at_first.setattr(report, "write_report", lost)
        with pytest.raises(UnavailableError):
            enriching.run(spark)
    began = len(enriching.pod.messages)
    enriching.run(spark)
    said = [line["message"] for line in enriching.pod.messages[began:]]
    assert any(line.endswith("parts were done by an earlier attempt of this run") for line in said)
    enriching.run(local)
    assert enriching.table(local).equals(enriching.table(spark))


def test_bad_data_is_refused_as_by_a_local_run(enriching: Enriching, on_spark: Executors) -> None:
    enriching.nodes(NODES)
    vectors = VECTORS.copy()
    vectors[1_234] = 0
    documents(enriching, vectors)
    errors = []
    for kind in ("local", "spark"):
        with pytest.raises(MisconfiguredError) as refused:
            enriching.run(spec_of(enriching, kind))
        errors.append(str(refused.value))
    assert errors[0] == errors[1]
    assert "row 1234" in errors[1]
    assert list(enriching.pod.results.rglob(".*stages*")) == []


def test_a_retry_goes_on_from_the_files_of_the_attempt_before(
    enriching: Enriching, on_spark: Executors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver of the first attempt ends after all documents are searched, and one part is lost."""
    enriching.nodes(NODES)
    documents(enriching)
    spec = spec_of(enriching, "spark")

    def lost(*_given: object) -> None:
        raise UnavailableError("the driver is lost")

    with monkeypatch.context() as at_first:
        at_first.setattr(report, "write_report", lost)
        with pytest.raises(UnavailableError):
            enriching.run(spec)
    (stages,) = enriching.pod.results.rglob(".*.stages")
    min(stages.glob("*-enriched-*.npz")).unlink()
    began = len(enriching.pod.messages)
    enriching.run(spec)
    said = [line["message"] for line in enriching.pod.messages[began:]]
    assert any(re.fullmatch(r"\d+ of \d+ parts were done by an earlier attempt of this run", line) for line in said)
    local = spec_of(enriching, "local")
    enriching.run(local)
    assert enriching.table(local).equals(enriching.table(spec))
    assert not stages.exists()


@pytest.mark.parametrize("engine", [None, {**ENGINE, "type": "auto", "local_below": len(VECTORS)}])
def test_a_local_enrichment_loads_nothing_of_spark(enriching: Enriching, engine: dict[str, Any] | None) -> None:
    """With type auto, Spark does not start either, up to local_below documents."""
    enriching.nodes(NODES)
    documents(enriching)
    spec = spec_of(enriching, "local").model_copy(update={"engine": engine and Engine.model_validate(engine)})
    modules = modules_of(enriching.pod, "enrich", spec)
    assert "clusterworker.enrichment.passes" in modules
    assert not [name for name in modules if name.startswith(("pyspark", "py4j", "clusterworker.spark"))]
    assert len(enriching.table(spec)) == len(VECTORS)
