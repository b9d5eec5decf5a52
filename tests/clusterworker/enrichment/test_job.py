"""Tests of a whole enrichment: its results, the files in its folder, and its errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clustercontract.actions.batch_rerun import RerunSpec
from clustercontract.actions.taxonomy_enrichment import EnrichmentSpec
from clustercontract.container import RESULT_LIMIT
from clusterworker.__main__ import COMMANDS
from clusterworker.data.arrays import Doubles
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.progress import Progress
from tests.clusterworker.enrichment.conftest import Enriching
from tests.clusterworker.planted import planted, write

EXAMPLES = Path(__file__).parents[3] / "examples/data"
FILES = {"enrichment.parquet", "metrics.json", "report.html", "run.json", "spec.json"}


def unit(vectors: Doubles) -> Doubles:
    scaled: Doubles = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


@pytest.mark.parametrize("batch_size", [100, 1_000, 10_000])
@pytest.mark.parametrize("parallelism", [1, 4])
@pytest.mark.parametrize("top_k", [1, 3, 50])
def test_the_nearest_nodes_are_those_of_all_pairs(
    enriching: Enriching, batch_size: int, parallelism: int, top_k: int
) -> None:
    generator = np.random.default_rng(1)
    nodes = generator.normal(size=(17, 8)).astype(np.float32)
    documents = (generator.normal(size=(2_345, 8)) * generator.uniform(0.01, 100, size=(2_345, 1))).astype(np.float32)
    enriching.nodes(nodes)
    write(enriching.pod.volume / "data.parquet", documents)
    spec = enriching.spec(taxonomy={"top_k": top_k, "min_score": -1.0}, batch_size=batch_size, parallelism=parallelism)
    result = enriching.run(spec)
    cosines = unit(documents.astype(np.float64)) @ unit(nodes.astype(np.float64)).T
    order = np.argsort(-cosines, axis=1)[:, :top_k]
    table = enriching.table(spec)
    k = min(top_k, 17)
    assert table["document_id"].to_pylist() == [f"doc-{row}" for row in range(2_345) for _ in range(k)]
    assert table["rank"].to_pylist() == list(range(1, k + 1)) * 2_345
    assert table["node_id"].to_pylist() == [f"n{node}" for node in order.ravel()]
    assert np.allclose(table["score"], np.take_along_axis(cosines, order, axis=1).ravel(), atol=1e-6)
    assert result.enrichment is not None
    assert (result.num_documents, result.enrichment.num_assigned, result.enrichment.num_nodes) == (2_345, 2_345, 17)
    counts = np.bincount(order[:, 0], minlength=17)
    told = {node["node_id"]: node["num_documents"] for node in enriching.metrics(spec)["nodes"]}
    assert told == {f"n{node}": count for node, count in enumerate(counts.tolist())}


def test_the_folder(enriching: Enriching) -> None:
    data = planted(300, 3, dimensions=8)
    centres = np.stack([data.vectors[data.labels == label].mean(axis=0) for label in range(3)])
    enriching.nodes(np.concatenate([centres, -centres[:1], centres.mean(axis=0)[None]]), ["n4", "n4", "", "n2", None])
    texts = [f"text <b>{row}</b>" for row in range(300)]
    write(enriching.pod.volume / "data.parquet", data.vectors, texts=texts)
    spec = enriching.spec(
        taxonomy={"parent_column": "parent", "min_score": 0.5},
        collection={
            "collection_id": "col_docs",
            "source": {"uri": "data.parquet", "text_column": "text"},
            "mount_path": str(enriching.pod.volume),
        },
    )
    result = enriching.run(spec)
    folder = enriching.folder(spec)
    assert {entry.name for entry in folder.iterdir()} == FILES
    assert result.results_uri == str(folder)
    table = enriching.table(spec)
    assert table.schema.names == ["document_id", "rank", "node_id", "label", "path", "score"]
    assert [str(field.type) for field in table.schema] == ["string", "int32", "string", "string", "string", "float"]
    assert table["path"].to_pylist() == [["N4 > N0", "N4 > N1", "N2"][label] for label in data.labels]
    metrics = enriching.metrics(spec)
    sizes = np.bincount(data.labels).tolist()
    assert metrics["num_documents"] == metrics["num_assigned"] == metrics["num_searched"] == 300
    assert metrics["share_assigned"] == 1
    assert metrics["taxonomy"]["levels"] == 2
    assert metrics["nodes_without_documents"] == ["n3", "n4"]
    below = {node["node_id"]: node["num_documents_with_descendants"] for node in metrics["nodes"]}
    assert below == {"n0": sizes[0], "n1": sizes[1], "n2": sizes[2], "n3": 0, "n4": sizes[0] + sizes[1]}
    scores = table["score"].to_numpy()
    assert metrics["scores"]["p50"] == pytest.approx(np.quantile(scores, 0.5), abs=1e-3)
    assert metrics["scores"]["min"] == pytest.approx(scores.min())
    assert metrics["scores"]["mean"] == pytest.approx(scores.mean(), abs=1e-5)
    page = (folder / "report.html").read_text()
    assert "300 of 300 documents have a node of tax_topics" in page
    assert "text &lt;b&gt;" in page
    assert "<b>" not in page, "texts of documents are no markup"
    assert "<script" not in page
    for row in range(5):
        assert f"N{row}" in page


def test_a_document_that_no_node_is_near_to(enriching: Enriching) -> None:
    enriching.nodes(np.eye(3, dtype=np.float32))
    documents = np.array([[1, 0.1, 0], [1.2, 1.1, 1], [-1, -1, -0.5], [0, 0, 3]], np.float32)
    write(enriching.pod.volume / "data.parquet", documents)
    spec = enriching.spec(taxonomy={"top_k": 2, "min_score": 0.57})
    result = enriching.run(spec)
    rows = enriching.table(spec).to_pylist()
    assert [(row["document_id"], row["rank"], row["node_id"]) for row in rows] == [
        ("doc-0", 1, "n0"),
        ("doc-1", 1, "n0"),
        ("doc-1", 2, "n1"),
        ("doc-2", 0, None),
        ("doc-3", 1, "n2"),
    ]
    assert rows[3]["score"] == pytest.approx(-1 / 3)
    assert (rows[3]["label"], rows[3]["path"]) == (None, None)
    assert result.enrichment is not None
    assert result.enrichment.num_assigned == 3
    assert result.metrics["share_assigned"] == 0.75
    assert "3 of 4 documents" in (enriching.folder(spec) / "report.html").read_text()


def test_a_document_like_a_node_has_score_1(enriching: Enriching) -> None:
    nodes = np.random.default_rng(3).normal(size=(20, 300)).astype(np.float32)
    enriching.nodes(nodes)
    write(enriching.pod.volume / "data.parquet", nodes * 1e-30)
    spec = enriching.spec(taxonomy={"min_score": 1})
    enriching.run(spec)
    table = enriching.table(spec)
    assert table["node_id"].to_pylist() == [f"n{row}" for row in range(20)]
    assert table["rank"].to_pylist() == [1] * 20


@pytest.mark.parametrize("scale", [1e-38, 1e-12, 1e12, 1e37])
def test_lengths_of_documents_do_not_matter(enriching: Enriching, scale: float) -> None:
    generator = np.random.default_rng(2)
    enriching.nodes(generator.normal(size=(5, 6)))
    documents = generator.normal(size=(50, 6))
    write(enriching.pod.volume / "data.parquet", documents.astype(np.float32))
    plain = enriching.spec(run="labels-1a2b-0")
    enriching.run(plain)
    write(enriching.pod.volume / "data.parquet", (documents * scale).astype(np.float32))
    spec = enriching.spec()
    enriching.run(spec)
    one, other = enriching.table(plain), enriching.table(spec)
    assert one["node_id"].to_pylist() == other["node_id"].to_pylist()
    assert np.allclose(one["score"], other["score"], atol=1e-4)


@pytest.mark.parametrize("scale", [1e-60, 1e60])
def test_doubles_beyond_the_range_of_float32(enriching: Enriching, scale: float) -> None:
    """In float32, their numbers are zeros or infinite; their directions count."""
    generator = np.random.default_rng(1)
    nodes, documents = generator.normal(size=(7, 8)), generator.normal(size=(50, 8))
    cosines = unit(documents) @ unit(nodes).T
    enriching.nodes(nodes)
    for name, vectors in (("nodes", nodes), ("data", documents)):
        columns = {"document_id": list(range(len(vectors))), "embedding": pa.array((vectors * scale).tolist())}
        labels = {"label": [f"N{row}" for row in range(len(vectors))]}
        pq.write_table(pa.table(columns | labels), enriching.pod.volume / f"{name}.parquet")
    spec = enriching.spec(taxonomy={"top_k": 1, "min_score": -1.0})
    enriching.run(spec)
    table = enriching.table(spec)
    assert table["node_id"].to_pylist() == [str(node) for node in cosines.argmax(axis=1)]
    assert np.allclose(table["score"], cosines.max(axis=1), atol=1e-6)


def test_integer_ids_and_parents_with_gaps_as_pandas_writes_them(enriching: Enriching) -> None:
    enriching.nodes(np.eye(3), pa.array([None, 1.0, float("nan")]), ids=[1, 2, 3])
    write(enriching.pod.volume / "data.parquet", np.eye(3, dtype=np.float32), ids=[10, 20, 30])
    spec = enriching.spec(taxonomy={"parent_column": "parent"})
    enriching.run(spec)
    table = enriching.table(spec)
    assert str(table.schema.field("document_id").type) == "int64"
    assert table["node_id"].to_pylist() == ["1", "2", "3"]
    assert table["path"].to_pylist() == ["N0", "N0 > N1", "N2"]


def test_filters_leave_documents_out(enriching: Enriching) -> None:
    enriching.nodes(np.eye(2))
    columns = {"document_id": ["a", "b", "c"], "lang": ["de", "fr", "de"], "embedding": [[1.0, 0], [1.0, 0], [0, 1.0]]}
    pq.write_table(pa.table(columns), enriching.pod.volume / "data.parquet")
    source = {"uri": "data.parquet", "filters": {"field": "lang", "operator": "eq", "value": "de"}}
    given = {"collection_id": "col_docs", "source": source, "mount_path": str(enriching.pod.volume)}
    spec = enriching.spec(collection=given)
    assert enriching.run(spec).num_documents == 2
    assert enriching.table(spec)["document_id"].to_pylist() == ["a", "c"]


def test_a_taxonomy_of_one_node(enriching: Enriching) -> None:
    enriching.nodes(np.eye(2)[:1])
    write(enriching.pod.volume / "data.parquet", np.eye(2, dtype=np.float32))
    spec = enriching.spec(taxonomy={"top_k": 5})
    enriching.run(spec)
    assert enriching.table(spec)["rank"].to_pylist() == [1, 1], "a right angle has score 0, which is enough"
    assert "Ambiguous documents" not in (enriching.folder(spec) / "report.html").read_text()


def test_the_message_fits_with_many_long_labels(enriching: Enriching) -> None:
    vectors = np.random.default_rng(0).normal(size=(60, 16)).astype(np.float32)
    enriching.nodes(vectors, ids=[f"ö{number:03}" * 100 for number in range(60)])
    write(enriching.pod.volume / "data.parquet", vectors)
    result = enriching.run(enriching.spec())
    assert result.enrichment is not None
    assert 0 < len(result.enrichment.nodes) <= 20
    assert len(result.to_message().encode()) <= RESULT_LIMIT
    assert '"num_assigned":60' in result.to_message()


@pytest.mark.parametrize(
    ("taxonomy", "says"),
    [
        ({"label_column": "name"}, "no column name: it has document_id, label, embedding, parent: set "
         "spec.label_column of Taxonomy tax_topics to one of them"),
        ({"parent_column": "above"}, "no column above: it has document_id, label, embedding, parent: set "
         "spec.parent_column of Taxonomy tax_topics to one of them"),
        ({"parent_column": "parent"}, "taxonomy tax_topics (collection col_nodes): nodes form a cycle: 'n0' is a "
         "child of 'n1', which is a child of 'n0': correct the parent of one of them"),
        ({"label_column": "parent", "parent_column": "label"}, "node 'n0' has the parent 'N0', which does not exist"),
    ],
)  # fmt: skip
def test_a_taxonomy_that_is_none_ends_the_run(enriching: Enriching, taxonomy: dict[str, str], says: str) -> None:
    enriching.nodes(np.eye(3), ["n1", "n0", ""])
    write(enriching.pod.volume / "data.parquet", np.eye(3, dtype=np.float32))
    with pytest.raises(MisconfiguredError) as caught:
        enriching.run(enriching.spec(taxonomy=taxonomy))
    assert says in str(caught.value)


def test_other_dimensions_end_the_run(enriching: Enriching) -> None:
    enriching.nodes(np.eye(3))
    write(enriching.pod.volume / "data.parquet", np.eye(4, dtype=np.float32))
    with pytest.raises(MisconfiguredError) as caught:
        enriching.run(enriching.spec())
    assert str(caught.value) == (
        "collection col_docs has 4 dimensions, and the nodes of taxonomy tax_topics (collection col_nodes) have 3: "
        "embed both with one model"
    )


def test_vectors_of_zeros_end_the_run(enriching: Enriching) -> None:
    enriching.nodes(np.eye(2))
    documents = np.ones((500, 2), np.float32)
    documents[321] = 0
    write(enriching.pod.volume / "data.parquet", documents)
    with pytest.raises(MisconfiguredError, match=r"data.parquet, row 321 .*no direction: leave that document out"):
        enriching.run(enriching.spec(batch_size=100))
    left = [entry.name for entry in enriching.folder(enriching.spec()).parent.iterdir()]
    assert left == [".labels-1a2b-1.spec.json"], "nothing is left behind but what it was told"
    enriching.nodes(np.array([[1, 0], [0, 0]]))
    with pytest.raises(MisconfiguredError, match=r"nodes.parquet, row 1 .*leave that node out"):
        enriching.run(enriching.spec())


def test_too_many_nodes_for_the_memory(enriching: Enriching) -> None:
    enriching.nodes(np.random.default_rng(0).normal(size=(4_000, 64)))
    write(enriching.pod.volume / "data.parquet", np.ones((1, 64), np.float32))
    with pytest.raises(MisconfiguredError, match=r"4000 nodes of 64 dimensions .*raise run.resources.limits.memory"):
        enriching.run(enriching.spec(), memory=1 << 20)


def test_models_that_are_named_must_be_one(enriching: Enriching) -> None:
    enriching.nodes(np.eye(2))
    table = pa.table({"document_id": ["a"], "embedding": [[1.0, 0.0]]})
    pq.write_table(table.replace_schema_metadata({"model": "mini"}), enriching.pod.volume / "data.parquet")
    nodes = pq.read_table(enriching.pod.volume / "nodes.parquet")
    pq.write_table(nodes.replace_schema_metadata({"model": "large"}), enriching.pod.volume / "nodes.parquet")
    with pytest.raises(
        MisconfiguredError, match=r"embedded by mini, and the nodes of .* by large: embed both with one"
    ):
        enriching.run(enriching.spec())


@pytest.mark.parametrize("filtered", [False, True])
def test_an_enrichment_is_run_again(enriching: Enriching, filtered: bool) -> None:
    enriching.nodes(np.eye(3), ["", "n0", ""])
    write(enriching.pod.volume / "data.parquet", planted(60, 3, dimensions=3).vectors, ids=range(60))
    batch = enriching.spec(taxonomy={"parent_column": "parent", "top_k": 2}, incremental=True)
    enriching.run(batch)
    assert EnrichmentSpec.model_validate_json((enriching.folder(batch) / "spec.json").read_bytes()) == batch
    asked = {
        **{name: getattr(batch, name) for name in ("namespace", "slot", "results")},
        "trigger": "again",
        "run": "again-3c4d-1",
        "batch_id": batch.run,
        "batch_trigger": batch.trigger,
        "batch_results": batch.results,
        **({"filters": {"field": "document_id", "operator": "lt", "value": 20}} if filtered else {}),
    }
    result = COMMANDS["rerun"].work(RerunSpec.model_validate(asked), Progress(enriching.pod.log), enriching.pod.mounts)
    assert result.enrichment is not None
    assert result.num_documents == (20 if filtered else 60)
    again = enriching.pod.results / "search" / "again" / "again-3c4d-1"
    table = pq.read_table(again / "enrichment.parquet")
    before = enriching.table(batch)
    assert table.equals(before.filter(pa.compute.less(before["document_id"], 20)) if filtered else before)


def test_the_examples_packages_get_sections(enriching: Enriching) -> None:
    mounted = {"mount_path": str(EXAMPLES)}
    nodes = {"collection_id": "sections", "source": {"uri": "debian-sections.parquet", "document_id_column": "section"}}
    packages = {"uri": "debian-packages.parquet", "text_column": "description"}
    spec = enriching.spec(
        taxonomy={"nodes": {**nodes, **mounted}, "parent_column": "group"},
        collection={"collection_id": "packages", "source": packages, **mounted},
    )
    result = enriching.run(spec)
    assert result.enrichment is not None
    assert (result.num_documents, result.enrichment.num_assigned, result.enrichment.num_nodes) == (3_003, 3_003, 33)
    found = enriching.table(spec)
    packages_of = pq.read_table(EXAMPLES / "debian-packages.parquet", columns=["section"])["section"].to_pylist()
    right = sum(node == section for node, section in zip(found["node_id"].to_pylist(), packages_of, strict=True))
    assert right / len(packages_of) > 0.6, "the nearest section is mostly Debian's own"
    assert "Languages > Rust" in found["path"].to_pylist()
    assert "Ambiguous documents" in (enriching.folder(spec) / "report.html").read_text()
