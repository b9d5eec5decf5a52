"""Tests of runs with outputs: the written columns and documents, and failed outputs."""

from __future__ import annotations

import json
from typing import Any

import pyarrow.parquet as pq
import pytest
from psycopg import sql
from qdrant_client import QdrantClient

from clustercontract.actions.batch_rerun import RerunSpec
from clustercontract.run import RunSpec
from clusterworker.outputs import writing
from clusterworker.process.errors import MisconfiguredError, UnavailableError
from clusterworker.process.progress import Progress
from clusterworker.run.rerun import rerun
from tests.clusterworker.conftest import Pod
from tests.clusterworker.data.sources_of_all_kinds import SECRET, Database, qdrant_with
from tests.clusterworker.planted import planted, write

pytestmark = pytest.mark.xdist_group("postgresql")

KMEANS = {"algorithm": "kmeans", "n_clusters": 3}
DATA = planted(90, 3, dimensions=4)
IDS = [f"doc-{n:02}" for n in range(90)]
TEXTS = [f"{('apples', 'planets', 'engines')[label]} of document {n}" for n, label in enumerate(DATA.labels)]


def to_volume(
    pod: Pod, uri: str = "labels/", collection_id: str = "col_labels", *, reads: bool = False
) -> dict[str, Any]:
    mount = str(pod.root / "outputs")
    return {"collection_id": collection_id, "source": {"uri": uri}, "write": {}, "mount_path": mount, "reads": reads}


def to_table(database: Database, name: str, collection_id: str = "col_0", **fields: Any) -> dict[str, Any]:
    write_ = {"secret_name": SECRET, **({"table": fields.pop("own")} if "own" in fields else {})}
    return {"collection_id": collection_id, "source": database.source(name), "write": write_, **fields}


def documents(database: Database, ids: list[str] = IDS, vectors: Any = DATA.vectors) -> str:
    columns = {"document_id": "text", "body": "text", "embedding": "vector(4)"}
    rows = [
        {"document_id": i, "body": t, "embedding": v.tolist()} for i, t, v in zip(ids, TEXTS, vectors, strict=False)
    ]
    return database.create("documents", columns, rows)


def asked(database: Database, query: str, table: str) -> list[tuple[Any, ...]]:
    identifier = sql.Identifier(*table.split("."))
    return database.connection.execute(sql.SQL(query).format(identifier)).fetchall()


@pytest.fixture
def pod_(pod: Pod) -> Pod:
    (pod.root / "outputs").mkdir()
    return pod


def members(pod: Pod, spec: RunSpec) -> dict[Any, tuple[int, float]]:
    rows = pq.read_table(pod.folder(spec) / "members.parquet").to_pylist()
    return {row["document_id"]: (row["cluster_id"], row["distance_to_centroid"]) for row in rows}


def names(pod: Pod, spec: RunSpec) -> dict[int, str]:
    rows = pq.read_table(pod.folder(spec) / "centroids.parquet", columns=["cluster_id", "name"]).to_pylist()
    return {row["cluster_id"]: row["name"] for row in rows}


def test_the_same_in_the_sources_table_and_in_a_file(pod_: Pod, database: Database) -> None:
    """The run reads the table in one transaction while another one adds and writes the columns."""
    table = documents(database)
    source = database.source(table, text_column="body")
    spec = pod_.spec(KMEANS, source, outputs=[to_table(database, table, reads=True), to_volume(pod_)])
    result = pod_.run(spec)
    uri = database.server.uri()
    assert result.notes[-2:] == [f"wrote 90 rows of {uri}: table {table}", "wrote 90 rows of labels/clusters.parquet"]
    query = "SELECT document_id, cluster_id, cluster_name, cluster_distance::float8, run FROM {}"
    stored = asked(database, query, table)
    file = pq.read_table(pod_.root / "outputs/labels/clusters.parquet").to_pylist()
    assert sorted(stored) == sorted(tuple(row.values()) for row in file)
    assert {row[0]: (row[1], row[3]) for row in stored} == members(pod_, spec)
    assert {row[1]: row[2] for row in stored} == names(pod_, spec)
    assert {row[4] for row in stored} == {spec.run}
    by_name = asked(database, "SELECT body FROM {} WHERE cluster_name LIKE '%planets%'", table)
    assert len(by_name) == (DATA.labels == 1).sum()
    assert all("planets" in body for (body,) in by_name), "a query by the cluster's name"
    phases = dict.fromkeys(line["phase"] for line in pod_.messages)
    assert list(phases) == ["open", "read", "cluster", "assign", "measure", "report", "write", "publish"]


def test_a_collection_that_is_read_gets_its_own_documents_and_another_one_all(pod_: Pod, database: Database) -> None:
    table = documents(database, IDS[:40])
    write(pod_.volume / "data.parquet", DATA.vectors[40:], IDS[30:80])
    own = f"{database.schema}.labels"
    outputs = [
        to_table(database, table, "col_1", reads=True),
        to_volume(pod_),
        to_table(database, table, "col_labels", own=own),
    ]
    result = pod_.run(pod_.spec(KMEANS, {"uri": "data.parquet"}, database.source(table), outputs=outputs))
    assert result.notes[-3:] == [
        f"wrote 40 rows of {database.server.uri()}: table {table}",
        "wrote 90 rows of labels/clusters.parquet",
        f"wrote 90 rows of {database.server.uri()}: table {own}",
    ]
    file = pq.read_table(pod_.root / "outputs/labels/clusters.parquet")
    assert file.column_names == [
        *("document_id", "collection_id", "cluster_id", "cluster_name", "cluster_distance", "run")
    ]
    assert file["collection_id"].to_pylist() == ["col_0"] * 50 + ["col_1"] * 40
    counts = asked(database, "SELECT collection_id, count(*) FROM {} GROUP BY 1 ORDER BY 1", own)
    assert counts == [("col_0", 50), ("col_1", 40)]
    assert asked(database, "SELECT count(run) FROM {}", table) == [(40,)]


def test_noise_and_integer_ids(pod_: Pod, database: Database) -> None:
    outlier = DATA.vectors.copy()
    outlier[:3] = [[50, -50, 50, -50], [-90, 9, 4, 77], [11, 80, -70, -5]]
    write(pod_.volume / "data.parquet", outlier, range(90))
    config = {"algorithm": "dbscan", "eps": 1.0, "metric": "euclidean"}
    own = f"{database.schema}.labels"
    documents(database)
    outputs = [to_volume(pod_), to_table(database, "documents", own=own)]
    spec = pod_.spec(config, outputs=outputs)
    assert pod_.run(spec).num_noise == 3
    file = pq.read_table(pod_.root / "outputs/labels/clusters.parquet").slice(0, 3)
    assert file["cluster_id"].to_pylist() == [-1] * 3
    assert file["cluster_name"].to_pylist() == file["cluster_distance"].to_pylist() == [None] * 3
    kinds = asked(database, "SELECT pg_typeof(document_id)::text FROM {} LIMIT 1", own)
    assert kinds == [("bigint",)]


LABELLED = "SELECT document_id, cluster_id, cluster_name, cluster_distance::float8, run FROM {} ORDER BY 1"
Labelled = dict[Any, tuple[Any, ...]]
"""Cluster, its name, distance and run, by document."""


def expected(pod: Pod, spec: RunSpec) -> Labelled:
    """The results of each document in a run's folder, in the form of an output."""
    named = names(pod, spec)
    return {
        document: (cluster, named.get(cluster), distance, spec.run)
        for document, (cluster, distance) in members(pod, spec).items()
    }


def in_table(database: Database, table: str) -> Labelled:
    return {document: tuple(rest) for document, *rest in asked(database, LABELLED, table)}


def in_points(client: QdrantClient) -> Labelled:
    points, _ = client.scroll("documents", limit=1_000, with_payload=True)
    keys = ("cluster_id", "cluster_name", "cluster_distance", "run")
    return {str(point.id): tuple((point.payload or {}).get(key) for key in keys) for point in points}


def earlier(pod: Pod, *specs: RunSpec) -> list[dict[str, Any]]:
    return [{"run": spec.run, "uri": str(pod.folder(spec))} for spec in specs]


def test_assigned_documents_in_postgresql(pod_: Pod, database: Database) -> None:
    """A run with mode assign writes IDs and names of the clustering, each time that it is repeated."""
    write(pod_.volume / "data.parquet", DATA.vectors[:60], IDS[:60], TEXTS[:60])
    nightly = pod_.spec(KMEANS, {"uri": "data.parquet", "text_column": "text"}, run="nightly-1a2b-1")
    pod_.run(nightly)
    table, own = documents(database), f"{database.schema}.labels"
    outputs = [to_table(database, table, reads=True), to_table(database, table, "col_labels", own=own)]
    [base] = earlier(pod_, nightly)
    hourly: dict[str, Any] = {"trigger": "hourly", "mode": "assign", "base": base, "outputs": outputs}
    first = pod_.spec(KMEANS, database.source(table), run="hourly-9c1d-1", **hourly)
    for _ in range(2):
        result = pod_.run(first)
        assert result.notes[-2:] == [f"wrote 90 rows of {database.server.uri()}: table {name}" for name in (table, own)]
        assert in_table(database, table) == in_table(database, own) == expected(pod_, first)
    assert {name for _, name, _, _ in in_table(database, table).values()} == set(names(pod_, nightly).values())

    # An hour later, one document has moved to another topic, one resembles none, and one was removed.
    row = int((DATA.labels != DATA.labels[0]).argmax())
    there, away = ([str(vector.tolist())] for vector in (DATA.vectors[row], -DATA.vectors.mean(axis=0)))
    move = "UPDATE {} SET embedding = %s::vector WHERE document_id = "
    database.run(f"{move}'doc-00'", table, values=there)
    database.run(f"{move}'doc-01'", table, values=away)
    database.run("DELETE FROM {} WHERE document_id = 'doc-02'", table)
    second = pod_.spec(KMEANS, database.source(table), run="hourly-9c1d-2", outputs_before=first.run, **hourly)
    for _ in range(2):
        assert pod_.run(second).num_noise == 1
        labels = in_table(database, table)
        assert labels == in_table(database, own) == expected(pod_, second)
        assert labels["doc-00"][:2] == labels[IDS[row]][:2]
        assert labels["doc-01"] == (-1, None, None, second.run)
        assert len(labels) == 89


def test_assigned_documents_in_qdrant(pod_: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client's local mode in place of a server: the run writes into the points that it reads, and into others."""
    points = [{"_id": n, "embedding": vector.tolist(), "title": f"t{n}"} for n, vector in enumerate(DATA.vectors)]
    client = qdrant_with(points)
    monkeypatch.setattr("clusterworker.data.sources.qdrant.connection.Server.connect", lambda _: client)
    source = {"type": "qdrant", "uri": "http://qdrant:6333", "collection": "documents"}
    write(pod_.volume / "data.parquet", DATA.vectors[:60], [str(n) for n in range(60)], TEXTS[:60])
    nightly = pod_.spec(KMEANS, {"uri": "data.parquet", "text_column": "text"}, run="nightly-1a2b-1")
    pod_.run(nightly)
    output = {"collection_id": "col_0", "source": source, "write": {}, "reads": True}
    [base] = earlier(pod_, nightly)
    hourly: dict[str, Any] = {"trigger": "hourly", "mode": "assign", "base": base, "outputs": [output]}
    first = pod_.spec(KMEANS, source, run="hourly-9c1d-1", **hourly)
    for _ in range(2):
        result = pod_.run(first)
        assert result.notes[-1] == "wrote 90 points of http://qdrant:6333: collection documents"
        assert in_points(client) == expected(pod_, first)
    client.delete("documents", [0])
    second = pod_.spec(KMEANS, source, run="hourly-9c1d-2", outputs_before=first.run, **hourly)
    for _ in range(2):
        pod_.run(second)
        assert in_points(client) == expected(pod_, second)
        assert len(in_points(client)) == 89
    [point] = client.retrieve("documents", [1])
    assert (point.payload or {})["title"] == "t1", "nothing else of the payload changes"


def test_composite_clusters_in_postgresql_and_qdrant(
    pod_: Pod, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs, of a table and of points: each output gets the clusters of its own documents, a third one all."""
    table, own = documents(database, IDS[:50]), f"{database.schema}.labels"
    points = [{"_id": 50 + n, "embedding": vector.tolist()} for n, vector in enumerate(DATA.vectors[50:])]
    client = qdrant_with(points)
    monkeypatch.setattr("clusterworker.data.sources.qdrant.connection.Server.connect", lambda _: client)
    in_qdrant = {"type": "qdrant", "uri": "http://qdrant:6333", "collection": "documents"}
    sources = {"col_table": database.source(table, text_column="body"), "col_points": in_qdrant}
    runs = []
    for name, source in sources.items():
        collections = [{"collection_id": name, "source": source}]
        runs.append(pod_.spec({**KMEANS, "n_clusters": 6}, trigger=name, run=f"{name}-1a2b-1", collections=collections))
        pod_.run(runs[-1])
    outputs = [
        to_table(database, table, "col_table", reads=True),
        {"collection_id": "col_points", "source": in_qdrant, "write": {}, "reads": True},
        to_table(database, table, "col_labels", own=own),
    ]
    joint: dict[str, Any] = {
        "trigger": "joint", "mode": "composite", "sources": earlier(pod_, *runs), "outputs": outputs,
        "collections": [{"collection_id": name, "source": source} for name, source in sources.items()],
    }  # fmt: skip
    spec = pod_.spec(KMEANS, run="joint-7e5f-1", **joint)
    for _ in range(2):
        result = pod_.run(spec)
        assert result.notes[-3:] == [
            f"wrote 50 rows of {database.server.uri()}: table {table}",
            "wrote 40 points of http://qdrant:6333: collection documents",
            f"wrote 90 rows of {database.server.uri()}: table {own}",
        ]
        every = expected(pod_, spec)
        assert in_table(database, table) | in_points(client) == every == in_table(database, own)
        assert len(every) == 90
    counts = asked(database, "SELECT collection_id, count(*) FROM {} GROUP BY 1 ORDER BY 1", own)
    assert counts == [("col_points", 40), ("col_table", 50)]

    # The next one has the ids of the last one, and replaces what that one wrote.
    previous = {"run": spec.run, "uri": str(pod_.folder(spec)), "next_cluster_id": result.next_cluster_id}
    following = pod_.spec(
        KMEANS, run="joint-7e5f-2", **(joint | {"sources": earlier(pod_, *runs[::-1]), "previous": previous})
    )
    pod_.run(following)
    now = in_table(database, table) | in_points(client)
    assert {document: label[:2] for document, label in now.items()} == {
        document: label[:2] for document, label in every.items()
    }
    assert {run for *_, run in now.values()} == {following.run}


def test_what_cannot_be_written_is_told_before_anything_is_read(pod_: Pod, database: Database) -> None:
    table = documents(database)
    absent = to_table(database, f"{database.schema}.absent")
    with pytest.raises(MisconfiguredError, match="no such table"):
        pod_.run(pod_.spec(KMEANS, database.source(table), outputs=[absent]))
    assert {line["phase"] for line in pod_.messages} == {"open"}
    assert not pod_.folder(pod_.spec(KMEANS)).exists()


def test_a_failed_output_fails_the_run_and_the_next_attempt_completes_it(
    pod_: Pod, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "PAUSES", (0.0,))
    table = documents(database)
    outputs = [to_volume(pod_), to_table(database, table, reads=True)]
    spec = pod_.spec(KMEANS, database.source(table), outputs=outputs)
    database.run("CREATE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM "
                 "pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$", f"{database.schema}.die")  # fmt: skip
    database.run("CREATE TRIGGER dying BEFORE UPDATE ON {} FOR EACH ROW WHEN (NEW.document_id = 'doc-50') "
                 "EXECUTE FUNCTION {}()", table, f"{database.schema}.die")  # fmt: skip
    with pytest.raises(UnavailableError) as raised:
        pod_.run(spec)
    assert str(raised.value).endswith(
        ": 90 of 90 rows were sent, and none was written: the table is unchanged; 1 of 2 outputs are complete; "
        "another attempt repeats it"
    )
    assert not pod_.folder(spec).exists(), "a failed run leaves no results"
    assert sum("writing is repeated in 0 s: " in line["message"] for line in pod_.messages) == 1
    assert asked(database, "SELECT count(run) FROM {}", table) == [(0,)]
    # The first attempt's process has ended, and its connections with it.
    database.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'clusterworker'")
    database.run("DROP TRIGGER dying ON {}", table)
    result = pod_.run(spec)
    assert result.status == "completed"
    assert asked(database, "SELECT run, count(*) FROM {} GROUP BY 1", table) == [(spec.run, 90)]
    assert json.loads((pod_.results / "search/nightly/latest.json").read_text())["run"] == spec.run


def test_without_outputs_nothing_is_written_and_no_client_is_loaded(pod_: Pod) -> None:
    write(pod_.volume / "data.parquet", DATA.vectors)
    before = sorted(pod_.volume.iterdir())
    result = pod_.run(pod_.spec(KMEANS))
    assert not any(note.startswith("wrote") for note in result.notes)
    assert "write" not in {line["phase"] for line in pod_.messages}
    assert {line["steps"] for line in pod_.messages if "steps" in line} == {7}
    assert sorted(pod_.volume.iterdir()) == before


def again(batch: RunSpec, **fields: Any) -> RerunSpec:
    asked = {
        "namespace": batch.namespace,
        "trigger": "again",
        "run": "again-9c1d44-20261122020000",
        "slot": "2026-11-22T02:00:00Z",
        "batch_id": batch.run,
        "batch_trigger": batch.trigger,
        "batch_results": batch.results,
        "results": batch.results,
        "outputs": [{**output.model_dump(exclude={"reads"}), "reads": False} for output in batch.outputs],
    }
    return RerunSpec.model_validate({**asked, **fields})


def test_a_batch_that_is_run_again_writes_its_labels_again(pod_: Pod, database: Database) -> None:
    """Whatever was written since, the batch's output is written again, under its name, and nothing else."""
    table = documents(database)
    source = database.source(table, text_column="body")
    outputs = [to_table(database, table, reads=True), to_volume(pod_)]
    batch = pod_.spec(KMEANS, source, outputs=outputs, run="nightly-1a2b-20261121020000")
    pod_.run(batch)
    query = "SELECT document_id, cluster_id, cluster_name, cluster_distance::float8, run FROM {} ORDER BY 1"
    labels, file = asked(database, query, table), pod_.root / "outputs/labels/clusters.parquet"
    content = file.read_bytes()
    later = pod_.spec({**KMEANS, "n_clusters": 2}, source, outputs=outputs, run="nightly-1a2b-20261122020000")
    pod_.run(later)
    assert asked(database, query, table) != labels
    for run in ("again-9c1d44-1", "again-9c1d44-2"):
        result = rerun(again(batch, run=run, outputs_before=later.run), Progress(pod_.log), pod_.mounts)
        assert result.notes[-1] == "wrote 90 rows of labels/clusters.parquet"
        assert asked(database, query, table) == labels
        assert file.read_bytes() == content
    third = again(batch, run="third-1-1", trigger="third", batch_trigger="again", batch_id="again-9c1d44-2")
    rerun(third, Progress(pod_.log), pod_.mounts)
    assert {row[-1] for row in asked(database, query, table)} == {batch.run}, "a rerun of a rerun is one of the batch"


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"filters": {"field": "document_id", "operator": "ne", "value": "doc-1"}, "outputs": None},
         "no outputs were written: action_config.filters select only some of the batch's documents"),
        ({"outputs": None}, "the batch's outputs were not written again: its entry in the history does not name them"),
    ],
)  # fmt: skip
def test_a_rerun_that_writes_no_outputs_says_why(pod_: Pod, fields: dict[str, Any], note: str) -> None:
    write(pod_.volume / "data.parquet", DATA.vectors)
    batch = pod_.spec(KMEANS, outputs=[to_volume(pod_)], run="nightly-1a2b-20261121020000")
    pod_.run(batch)
    file = pod_.root / "outputs/labels/clusters.parquet"
    file.unlink()
    result = rerun(again(batch, **fields), Progress(pod_.log), pod_.mounts)
    assert result.status == "completed"
    assert result.notes[0].startswith(note)
    assert not file.exists()


def test_a_rerun_writes_where_the_batch_wrote_or_nowhere(pod_: Pod) -> None:
    """A Collection that was opened for another place is not the one that the batch was allowed to write."""
    write(pod_.volume / "data.parquet", DATA.vectors)
    batch = pod_.spec(KMEANS, outputs=[to_volume(pod_)], run="nightly-1a2b-20261121020000")
    pod_.run(batch)
    moved = again(batch, outputs=[to_volume(pod_, "elsewhere/")])
    with pytest.raises(MisconfiguredError) as raised:
        rerun(moved, Progress(pod_.log), pod_.mounts)
    assert str(raised.value) == (
        "batch nightly-1a2b-20261121020000 wrote its output 'col_labels' to labels/, but the Collection now has "
        "elsewhere/: undo the change of the Collection, or request a run of trigger nightly instead"
    )
