"""Tests of outputs of an enrichment: into the source's table, another table, a file, and Qdrant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from psycopg import sql

from clusterworker.enrichment import output as module
from clusterworker.outputs import writing
from clusterworker.process.errors import MisconfiguredError, UnavailableError
from tests.clusterworker.data.sources_of_all_kinds import SECRET, Database, qdrant_with
from tests.clusterworker.enrichment.conftest import Enriching
from tests.clusterworker.planted import write

pytestmark = pytest.mark.xdist_group("postgresql")

NODES = np.eye(4, dtype=np.float32)[:3]
PARENTS = [None, "n0", "n0"]
VECTORS = {"a": [3.0, 1, 0, 0], "b": [0, 2.0, 1, 0], "c": [0, 0, 0, 1.0], "d": [1.0, 0, 2, 0]}
TAXONOMY = {"parent_column": "parent", "top_k": 2, "min_score": 0.2}
FOUND: dict[str, tuple[Any, ...]] = {
    "a": ("n0", "N0", "N0", ["n0", "n1"], ["N0", "N1"]),
    "b": ("n1", "N1", "N0 > N1", ["n1", "n2"], ["N1", "N2"]),
    "c": (None, None, None, [], []),
    "d": ("n2", "N2", "N0 > N2", ["n2", "n0"], ["N2", "N0"]),
}
"""Node, label, path, nodes and labels of each document."""
COLUMNS = ("taxonomy_node_id", "taxonomy_label", "taxonomy_path", "taxonomy_node_ids", "taxonomy_labels")
SCORES = ("taxonomy_score", "taxonomy_scores")


def documents(database: Database, ids: str = "abcd", **columns: str) -> str:
    kinds = {"document_id": "text", "title": "text", "embedding": "vector(4)", **columns}
    rows = [{"document_id": name, "title": name.upper(), "embedding": list(map(float, VECTORS[name]))} for name in ids]
    return database.create("documents", kinds, rows)


def to_table(database: Database, name: str, own: str | None = None, *, reads: bool = True) -> dict[str, Any]:
    table = {"table": own} if own else {}
    return {
        "collection_id": "col_docs",
        "source": database.source(name),
        "write": {"secret_name": SECRET, **table},
        "reads": reads,
    }


def to_file(enriching: Enriching) -> dict[str, Any]:
    mount = enriching.pod.root / "outputs"
    mount.mkdir(exist_ok=True)
    return {"collection_id": "col_out", "source": {"uri": "nodes/"}, "write": {}, "mount_path": str(mount)}


def in_file(enriching: Enriching) -> Any:
    return pq.read_table(enriching.pod.root / "outputs/nodes/enrichment.parquet")


def of_table(database: Database, name: str, **source: Any) -> dict[str, Any]:
    return {"collection_id": "col_docs", "source": database.source(name, **source)}


def stored(database: Database, name: str, *columns: str) -> dict[str, tuple[Any, ...]]:
    names = sql.SQL(", ").join(map(sql.Identifier, ("document_id", *columns)))
    query = sql.SQL("SELECT {} FROM {}").format(names, sql.Identifier(*name.split(".")))
    return {row[0]: row[1:] for row in database.connection.execute(query).fetchall()}


def test_in_place_and_in_a_table_and_a_file_beside_it(enriching: Enriching, database: Database) -> None:
    """The run reads the table in one transaction, while another one writes its new columns."""
    name, own = documents(database), f"{database.schema}.nodes"
    enriching.nodes(NODES, PARENTS)
    outputs = [to_table(database, name), to_table(database, name, own), to_file(enriching)]
    spec = enriching.spec(taxonomy=TAXONOMY, collection=of_table(database, name), outputs=outputs)
    result = enriching.run(spec)
    uri = database.server.uri()
    said = [f"4 rows of {uri}: table {name}", f"4 rows of {uri}: table {own}", "4 rows of nodes/enrichment.parquet"]
    assert result.notes == [f"wrote {line}" for line in said]
    assert stored(database, name, *COLUMNS) == stored(database, own, *COLUMNS) == FOUND
    assert set(stored(database, name, "taxonomy_run").values()) == {(spec.run,)}
    assert stored(database, name, "title") == {one: (one.upper(),) for one in "abcd"}, "nothing else changes"
    for one, (score, scores) in stored(database, name, *SCORES).items():
        vector = np.array(VECTORS[one]) / np.linalg.norm(VECTORS[one])
        nearest = np.sort(vector[:3])[::-1]
        assert score == pytest.approx(nearest[0], abs=1e-6), "also that of a document without a node"
        assert scores == pytest.approx([one for one in nearest[:2] if one >= 0.2], abs=1e-6)
    file = in_file(enriching).to_pylist()
    assert {row["document_id"]: tuple(row[column] for column in COLUMNS) for row in file} == FOUND
    assert {row["taxonomy_run"] for row in file} == {spec.run}
    phases = dict.fromkeys(line["phase"] for line in enriching.pod.messages)
    assert list(phases) == ["open", "search", "report", "write", "publish"]


def test_the_next_run_replaces_what_the_last_one_wrote_and_clusters_stay(
    enriching: Enriching, database: Database
) -> None:
    name = documents(database, cluster_id="integer", run="text")
    database.run("UPDATE {} SET cluster_id = 7, run = 'nightly-9-1'", name)
    enriching.nodes(NODES, PARENTS)
    outputs = [to_table(database, name)]
    first = enriching.spec(taxonomy=TAXONOMY, collection=of_table(database, name), outputs=outputs)
    enriching.run(first)
    without_b = {"field": "document_id", "operator": "ne", "value": "b"}
    second = enriching.spec(
        taxonomy={**TAXONOMY, "top_k": 1},
        collection=of_table(database, name, filters=without_b),
        outputs=outputs,
        run="labels-1a2b-2",
        outputs_before=first.run,
    )
    for _ in range(2):
        enriching.run(second)
        found = stored(database, name, "taxonomy_run", "taxonomy_node_id", "taxonomy_node_ids")
        assert found == {
            "a": (second.run, "n0", ["n0"]),
            "b": (None, None, None),
            "c": (second.run, None, []),
            "d": (second.run, "n2", ["n2"]),
        }, "what an earlier run wrote of a document that is not read any more is gone"
    assert set(stored(database, name, "cluster_id", "run").values()) == {(7, "nightly-9-1")}


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
@pytest.mark.parametrize("integers", [False, True])
def test_a_documents_rows_may_lie_in_several_batches(
    enriching: Enriching, monkeypatch: pytest.MonkeyPatch, rows: int, integers: bool
) -> None:
    monkeypatch.setattr(module, "BATCH_ROWS", rows)
    generator = np.random.default_rng(5)
    enriching.nodes(generator.normal(size=(9, 4)))
    ids: list[Any] = list(range(20)) if integers else [f"doc-{row:02}" for row in range(20)]
    write(enriching.pod.volume / "data.parquet", generator.normal(size=(20, 4)).astype(np.float32), ids)
    taxonomy = {"top_k": 4, "min_score": 0.3}
    spec = enriching.spec(taxonomy=taxonomy, outputs=[to_file(enriching)])
    enriching.run(spec)
    expected: dict[Any, list[str]] = {one: [] for one in ids}
    for row in enriching.table(spec).to_pylist():
        if row["rank"]:
            expected[row["document_id"]].append(row["node_id"])
    found = in_file(enriching)
    assert dict(zip(found["document_id"].to_pylist(), found["taxonomy_node_ids"].to_pylist(), strict=True)) == expected
    nearest = [nodes[0] if nodes else None for nodes in expected.values()]
    assert found["taxonomy_node_id"].to_pylist() == nearest
    assert len({len(nodes) for nodes in expected.values()}) > 1


def test_payloads_of_qdrant(enriching: Enriching, monkeypatch: pytest.MonkeyPatch) -> None:
    client = qdrant_with([{"_id": n, "embedding": [1.0, 2.0], "sku": name} for n, name in enumerate("abcd")])
    monkeypatch.setattr("clusterworker.data.sources.qdrant.connection.Server.connect", lambda _: client)
    source = {"type": "qdrant", "uri": "http://qdrant:6333", "collection": "documents", "document_id_column": "sku"}
    outputs = [{"collection_id": "col_docs", "source": source, "write": {}}]
    enriching.nodes(NODES, PARENTS)

    def enriched(ids: str, **fields: Any) -> dict[str, Any]:
        vectors = np.array([VECTORS[name] for name in ids], np.float32)
        write(enriching.pod.volume / "data.parquet", vectors, list(ids))
        enriching.run(enriching.spec(taxonomy=TAXONOMY, outputs=outputs, **fields))
        points, _ = client.scroll("documents", limit=100, with_payload=True)
        return {str(point.payload["sku"]): point.payload for point in points if point.payload}

    found = enriched("abcd")
    assert {name: tuple(payload.get(one) for one in COLUMNS) for name, payload in found.items()} == FOUND
    found = enriched("ac", run="labels-1a2b-2", outputs_before="labels-1a2b-1")
    assert found["a"]["taxonomy_run"] == found["c"]["taxonomy_run"] == "labels-1a2b-2"
    assert found["b"] == {"sku": "b"}, "it is none of this run's documents"


def test_what_cannot_be_written_is_told_before_anything_is_read(enriching: Enriching, database: Database) -> None:
    name = documents(database, taxonomy_scores="real")
    enriching.nodes(NODES)
    spec = enriching.spec(collection=of_table(database, name), outputs=[to_table(database, name)])
    why = r"column taxonomy_scores has the type real, but the run writes real\[\]"
    with pytest.raises(MisconfiguredError, match=why):
        enriching.run(spec)
    assert {line["phase"] for line in enriching.pod.messages} == {"open"}
    assert not enriching.folder(spec).exists()


def test_a_failed_output_says_how_far_it_got_and_leaves_no_results(
    enriching: Enriching, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "PAUSES", ())
    name = documents(database)
    die = f"{database.schema}.die"
    database.run("CREATE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM "
                 "pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$", die)  # fmt: skip
    database.run("CREATE TRIGGER dying BEFORE UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION {}()", name, die)
    enriching.nodes(NODES)
    outputs = [to_file(enriching), to_table(database, name)]
    spec = enriching.spec(collection=of_table(database, name), outputs=outputs)
    with pytest.raises(UnavailableError, match=r"4 of 4 rows were sent, and none was written.*; 1 of 2 outputs"):
        enriching.run(spec)
    assert not enriching.folder(spec).exists()
    assert set(stored(database, name, "taxonomy_run").values()) == {(None,)}
    database.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'clusterworker'")
    database.run("DROP TRIGGER dying ON {}", name)
    assert enriching.run(spec).status == "completed"
    assert set(stored(database, name, "taxonomy_run").values()) == {(spec.run,)}
