"""Tests of incremental enrichments: what is taken over from the previous one, and when nothing is."""

from __future__ import annotations

import html
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clustercontract.actions.taxonomy_enrichment import EnrichmentSpec
from clusterworker.enrichment.search import NodeSearch
from tests.clusterworker.enrichment.conftest import Enriching
from tests.clusterworker.planted import write

GENERATOR = np.random.default_rng(4)
NODES = GENERATOR.normal(size=(6, 8)).astype(np.float32)
DOCUMENTS = GENERATOR.normal(size=(400, 8)).astype(np.float32)


def ids(rows: range) -> list[str]:
    return [f"doc-{row}" for row in rows]


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of documents of each batch that was searched."""
    sizes: list[int] = []
    nearest = NodeSearch.nearest

    def counted(self: NodeSearch, vectors: Any, place: Any = None, *others: Any, **named: Any) -> Any:
        if place is not None:
            sizes.append(len(vectors))
        return nearest(self, vectors, place, *others, **named)

    monkeypatch.setattr(NodeSearch, "nearest", counted)
    return sizes


def first(enriching: Enriching, **taxonomy: Any) -> EnrichmentSpec:
    """A complete enrichment of the first 300 documents."""
    enriching.nodes(NODES, ["", "n0", "n0", "", "n3", ""])
    write(enriching.pod.volume / "data.parquet", DOCUMENTS[:300], ids(range(300)))
    spec = enriching.spec(taxonomy={"parent_column": "parent", **taxonomy}, incremental=True)
    enriching.run(spec)
    return spec


def after(
    enriching: Enriching, before: EnrichmentSpec, taxonomy: Mapping[str, Any] = MappingProxyType({}), **fields: Any
) -> EnrichmentSpec:
    """The spec of the next run."""
    previous = {"run": before.run, "uri": str(enriching.folder(before))}
    taxonomy = {"parent_column": "parent", **taxonomy}
    return enriching.spec(taxonomy=taxonomy, run="labels-1a2b-2", incremental=True, previous=previous, **fields)


def rows(table: pa.Table) -> dict[tuple[str, int], tuple[Any, ...]]:
    return {
        (row["document_id"], row["rank"]): (row["node_id"], row["path"], round(row["score"], 5))
        for row in table.to_pylist()
    }


@pytest.mark.parametrize("top_k", [1, 3])
def test_known_documents_are_taken_over(enriching: Enriching, searched: list[int], top_k: int) -> None:
    taxonomy = {"top_k": top_k, "min_score": 0.3}
    before = first(enriching, **taxonomy)
    assert sum(searched) == 300
    searched.clear()

    now = range(100, 400)
    write(enriching.pod.volume / "data.parquet", DOCUMENTS[now][::-1], ids(now)[::-1])
    spec = after(enriching, before, taxonomy)
    result = enriching.run(spec)
    assert sum(searched) == 100
    assert result.notes == []
    assert result.enrichment is not None
    assert (result.num_documents, result.enrichment.num_taken_over) == (300, 200)

    full = enriching.spec(taxonomy={"parent_column": "parent", **taxonomy}, run="labels-1a2b-3")
    enriching.run(full)
    assert rows(enriching.table(spec)) == rows(enriching.table(full))
    one, other = enriching.metrics(spec), enriching.metrics(full)
    assert (one["num_searched"], other["num_searched"]) == (100, 300)
    for name in ("num_documents", "num_assigned", "nodes", "nodes_without_documents", "taxonomy"):
        assert one[name] == other[name], name
    assert one["scores"] == pytest.approx(other["scores"], abs=1e-4)
    assert "200 of them taken over" in (enriching.folder(spec) / "report.html").read_text()


@pytest.mark.parametrize("turned", [1, -1])
def test_ids_that_turn_to_text_or_back(enriching: Enriching, searched: list[int], turned: int) -> None:
    """One id that is not an integer makes all of them text; the other documents stay what they were."""
    enriching.nodes(NODES, [""] * 6)
    kinds: list[Any] = [list(range(300)), [*map(str, range(300)), "x"]][::turned]
    specs: list[EnrichmentSpec] = []
    for kind in kinds:
        write(enriching.pod.volume / "data.parquet", DOCUMENTS[: len(kind)], kind)
        fields = {"previous": {"run": specs[0].run, "uri": str(enriching.folder(specs[0]))}} if specs else {}
        specs.append(enriching.spec(run=f"labels-1a2b-{len(specs) + 1}", incremental=True, **fields))
        searched.clear()
        result = enriching.run(specs[-1])
    assert (sum(searched), result.notes) == (1 if turned == 1 else 0, [])
    full = enriching.spec(run="labels-1a2b-3")
    enriching.run(full)
    assert rows(enriching.table(specs[1])) == rows(enriching.table(full))


def test_nothing_new_means_no_search(enriching: Enriching, searched: list[int]) -> None:
    before = first(enriching)
    searched.clear()
    spec = after(enriching, before)
    result = enriching.run(spec)
    assert sum(searched) == 0
    assert result.enrichment is not None
    assert result.enrichment.num_taken_over == 300
    assert rows(enriching.table(spec)) == rows(enriching.table(before))


def test_the_order_of_the_nodes_is_no_change(enriching: Enriching, searched: list[int]) -> None:
    before = first(enriching)
    searched.clear()
    nodes = pq.read_table(enriching.pod.volume / "nodes.parquet")
    pq.write_table(nodes.take([5, 3, 1, 0, 2, 4]), enriching.pod.volume / "nodes.parquet")
    spec = after(enriching, before)
    enriching.run(spec)
    assert sum(searched) == 0
    assert rows(enriching.table(spec)) == rows(enriching.table(before))
    moved = {node["node_id"]: node["num_documents"] for node in enriching.metrics(spec)["nodes"]}
    assert moved == {node["node_id"]: node["num_documents"] for node in enriching.metrics(before)["nodes"]}


def changed_vectors(enriching: Enriching) -> None:
    enriching.nodes(NODES + 0.1, ["", "n0", "n0", "", "n3", ""])


def changed_parents(enriching: Enriching) -> None:
    enriching.nodes(NODES, ["", "n0", "n0", "", "n0", ""])


def damaged(enriching: Enriching) -> None:
    [file] = enriching.pod.results.rglob("enrichment.parquet")
    file.write_bytes(b"PAR1")


def gone(enriching: Enriching) -> None:
    [file] = enriching.pod.results.rglob("enrichment.parquet")
    file.unlink()


@pytest.mark.parametrize(
    ("change", "taxonomy", "fields", "says"),
    [
        (changed_vectors, {}, {}, "the nodes have changed since labels-1a2b-1"),
        (changed_parents, {}, {}, "the nodes have changed since labels-1a2b-1"),
        (None, {"top_k": 2}, {}, "top_k was 1 in labels-1a2b-1, and is 2 now"),
        (None, {"min_score": 0.25}, {}, "min_score was 0 in labels-1a2b-1, and is 0.25 now"),
        (None, {"min_score": 0.12345678}, {}, "min_score was 0 in labels-1a2b-1, and is 0.12345678 now"),
        (damaged, {}, {}, "the results of labels-1a2b-1 cannot be read: "),
        (gone, {}, {}, "the results of labels-1a2b-1 cannot be read: "),
        (None, {}, {"collection": "col_other"}, "labels-1a2b-1 read collection col_docs"),
    ],
)
def test_a_change_means_a_full_run_and_a_note(
    enriching: Enriching, searched: list[int], change: Any, taxonomy: dict[str, Any], fields: dict[str, Any], says: str
) -> None:
    before = first(enriching)
    searched.clear()
    if change:
        change(enriching)
    if name := fields.get("collection"):
        given = enriching.spec().collection.model_copy(update={"collection_id": name})
        fields = {"collection": given.model_dump(exclude_none=True)}
    spec = after(enriching, before, taxonomy, **fields)
    result = enriching.run(spec)
    [note] = result.notes
    assert note.startswith(f"all documents were searched: {says}")
    assert sum(searched) == 300
    assert enriching.metrics(spec)["notes"] == [note]
    assert html.escape(note) in (enriching.folder(spec) / "report.html").read_text()


def test_the_first_run_says_that_there_is_nothing_to_take_over(enriching: Enriching) -> None:
    spec = first(enriching)
    assert enriching.metrics(spec)["notes"] == ["all documents were searched: this trigger has no completed enrichment"]


def test_too_many_documents_for_the_memory(enriching: Enriching, searched: list[int]) -> None:
    before = first(enriching)
    searched.clear()
    result = enriching.run(after(enriching, before), memory=40_000)
    assert "too many documents for the memory" in result.notes[0]
    assert sum(searched) == 300


def test_a_run_after_an_incremental_one_takes_over_all_again(enriching: Enriching, searched: list[int]) -> None:
    before = first(enriching)
    write(enriching.pod.volume / "data.parquet", DOCUMENTS, ids(range(400)))
    second = after(enriching, before)
    enriching.run(second)
    searched.clear()
    third = after(enriching, second).model_copy(update={"run": "labels-1a2b-3"})
    result = enriching.run(third)
    assert sum(searched) == 0
    assert result.enrichment is not None
    assert result.enrichment.num_taken_over == 400
