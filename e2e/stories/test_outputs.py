"""Story of outputs: clusters and nodes are written to the documents' table in PostgreSQL, and to a file on a claim."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from psycopg import sql

from e2e.stories.conftest import Stage
from e2e.stories.data import EXAMPLE, SECTIONS
from e2e.stories.scene import Object, Scene
from e2e.stories.triggers import DAY, SMALL, by_interval
from harness.claim_files import claim_files
from harness.servers.postgresql import PostgreSQL, running_postgresql

API = {"apiVersion": "clustertrigger.dev/v1alpha1"}
READER, WRITER = "packages-reader", "packages-writer"
PASSWORDS = {name: secrets.token_hex(8) for name in (READER, WRITER)}
LABELS = ("cluster_id", "cluster_name", "cluster_distance", "run")
NODES = ("taxonomy_node_id", "taxonomy_label", "taxonomy_path", "taxonomy_score", "taxonomy_node_ids",
         "taxonomy_labels", "taxonomy_scores", "taxonomy_run")  # fmt: skip
CONFIG = {"algorithm": "kmeans", "n_clusters": 12, "random_state": 7}


@pytest.fixture(scope="module")
def server(stage_set: Stage) -> Iterator[PostgreSQL]:
    """A server with 3,003 packages in a table, a user who may read it, and one who may write only four columns."""
    with running_postgresql(stage_set.cluster.host_address) as running:
        with running.connect() as connection:
            connection.execute(
                "CREATE TABLE packages (document_id text PRIMARY KEY, section text, description text, "
                "embedding vector(384), cluster_id integer, cluster_name text, cluster_distance real, run text)"
            )
            copy_in = "COPY packages (document_id, section, description, embedding) FROM STDIN"
            with connection.cursor().copy(copy_in) as copy:
                for row in pq.read_table(EXAMPLE).to_pylist():
                    copy.write_row([row["document_id"], row["section"], row["description"], str(row["embedding"])])
            connection.execute('CREATE TABLE sections (section text, label text, "group" text, embedding vector(384))')
            for row in pq.read_table(SECTIONS).to_pylist():
                values = [row["section"], row["label"], row["group"], str(row["embedding"])]
                connection.execute("INSERT INTO sections VALUES (%s, %s, %s, %s)", values)
            for name, password in PASSWORDS.items():
                create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
                connection.execute(create.format(sql.Identifier(name), sql.Literal(password)))
            connection.execute(sql.SQL("GRANT SELECT ON packages, sections TO {}").format(sql.Identifier(READER)))
            connection.execute(sql.SQL("GRANT SELECT ON packages TO {}").format(sql.Identifier(WRITER)))
        yield running


def manifests(server: PostgreSQL) -> list[Object]:
    database = {"type": "postgresql", "uri": server.uri(), "table": "packages", "secret_name": READER}
    source = {**database, "text_column": "description"}
    collections: dict[str, Object] = {
        "packages-table": {"source": source, "write": {"secret_name": WRITER}},
        "packages-labels": {"volume": "embeddings", "source": {"uri": "labels/"}, "write": {}},
        "packages-closed": {"source": source},
        "sections-table": {"source": {**database, "table": "sections", "document_id_column": "section"}},
    }
    return [
        *(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
             "stringData": {"username": name, "password": password}}
            for name, password in PASSWORDS.items()
        ),
        {**API, "kind": "Taxonomy", "metadata": {"name": "sections-of-table"},
         "spec": {"collection_id": "sections-table", "label_column": "label", "parent_column": "group", "top_k": 2}},
        *({**API, "kind": "Collection", "metadata": {"name": one}, "spec": spec} for one, spec in collections.items()),
    ]  # fmt: skip


def trigger(name: str, *outputs: str) -> Object:
    made = by_interval(name, CONFIG, collection="packages-table", retries=0)
    made["spec"]["execution_config"]["outputs"] = list(outputs)
    return made


def acting(name: str, action: str, **config: str) -> Object:
    spec = {
        "action_type": action,
        "action_config": config,
        "trigger_type": "interval",
        "schedule_config": {"interval_seconds": DAY, "start_immediately": True},
        "run": {"retries": 0, "resources": SMALL},
    }
    return {**API, "kind": "ClusterTrigger", "metadata": {"name": name}, "spec": spec}


def asked(server: PostgreSQL, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with server.connect() as connection:
        return connection.execute(query, values).fetchall()


def test_a_writer_who_may_not_write_yet(scene: Scene, server: PostgreSQL) -> None:
    """The run fails before it reads documents, and the error names the rights that the table's owner must grant."""
    scene.kubectl.apply(*manifests(server), trigger("labelled", "packages-table", "packages-labels"))
    scene.request_run("labelled", "first")
    run = scene.run_ended("labelled")
    print(f"\n{run['error']}")
    assert run["status"] == "failed"
    assert run["error"] == (
        f"{server.uri()}: table packages: the user of Secret {WRITER} may not write it: "
        "grant that user SELECT, UPDATE on packages"
    )
    assert asked(server, "SELECT count(run) FROM packages") == [(0,)]


def test_a_query_by_cluster_name(stage_set: Stage, scene: Scene, server: PostgreSQL, tmp_path: Path) -> None:
    with server.connect() as connection:
        grant = sql.SQL("GRANT UPDATE ({}) ON packages TO {}").format(
            sql.SQL(", ").join(map(sql.Identifier, LABELS)), sql.Identifier(WRITER)
        )
        connection.execute(grant)
    scene.request_run("labelled", "second")
    run = scene.run_ended("labelled", slot="manual/second")
    assert (run["status"], run["num_documents"], run["num_clusters"]) == ("completed", 3003, 12), run
    assert f"wrote 3,003 rows of {server.uri()}: table packages" in run["notes"]
    assert "wrote 3,003 rows of labels/clusters.parquet" in run["notes"]

    clusters = scene.status("labelled")["last_result"]["clusters"]
    sizes = dict(asked(server, "SELECT cluster_name, count(*) FROM packages GROUP BY 1"))
    assert {cluster["name"]: cluster["num_documents"] for cluster in clusters}.items() <= sizes.items()
    assert asked(server, "SELECT DISTINCT run FROM packages") == [(run["job_id"],)]
    query = (
        "SELECT cluster_name, count(*), mode() WITHIN GROUP (ORDER BY section), "
        "(array_agg(document_id ORDER BY cluster_distance))[1:3] FROM packages GROUP BY 1 ORDER BY 2 DESC"
    )
    print(f"\n{query};")
    for row in asked(server, query):
        print(*row, sep=" | ")
    nearest = "SELECT document_id FROM packages WHERE cluster_name = %s ORDER BY cluster_distance LIMIT 1"
    for cluster in clusters[:3]:
        assert asked(server, nearest, cluster["name"]) == [(cluster["central_documents"][0]["document_id"],)]

    with claim_files(scene.kubectl, stage_set.images.worker.name, ["embeddings"]) as claims:
        claims.download("embeddings", "labels", tmp_path / "labels")
    file = pq.read_table(tmp_path / "labels" / "clusters.parquet").select(["document_id", "cluster_id", "cluster_name"])
    stored = asked(server, "SELECT document_id, cluster_id, cluster_name FROM packages")
    assert sorted(tuple(row.values()) for row in file.to_pylist()) == sorted(stored)


def test_the_next_run_replaces_the_labels(scene: Scene, server: PostgreSQL) -> None:
    with server.connect() as connection:
        connection.execute("DELETE FROM packages WHERE section = 'fonts'")
    scene.request_run("labelled", "third")
    run = scene.run_ended("labelled", slot="manual/third")
    assert run["status"] == "completed", run
    assert asked(server, "SELECT run, count(*) FROM packages GROUP BY 1") == [(run["job_id"], run["num_documents"])]
    assert run["num_documents"] < 3003


def test_a_rerun_writes_the_labels_again(scene: Scene, server: PostgreSQL) -> None:
    """A rerun restores changed output of a batch, with the batch's name."""
    batch = scene.status("labelled")["history"][0]
    query = "SELECT document_id, cluster_id, cluster_name, cluster_distance, run FROM packages ORDER BY 1"
    labels = asked(server, query)
    assert {row[-1] for row in labels} == {batch["job_id"]}
    with server.connect() as connection:
        connection.execute("UPDATE packages SET cluster_id = 99, cluster_name = 'spoiled', run = NULL")
    scene.kubectl.apply(acting("labelled-again", "batch_rerun", batch_id=batch["job_id"]))
    run = scene.run_ended("labelled-again")
    assert (run["status"], run["outputs"]) == ("completed", ["packages-table", "packages-labels"]), run
    assert f"wrote {len(labels):,} rows of {server.uri()}: table packages" in run["notes"]
    assert asked(server, query) == labels


def test_an_enrichment_in_place(scene: Scene, server: PostgreSQL) -> None:
    """Nodes are written to the documents' rows, which also have the clusters of another trigger."""
    clusters = asked(server, "SELECT document_id, cluster_id, run FROM packages ORDER BY 1")
    with server.connect() as connection:
        kinds = ("text", "text", "text", "real", "text[]", "text[]", "real[]", "text")
        for column, kind in zip(NODES, kinds, strict=True):
            connection.execute(
                sql.SQL("ALTER TABLE packages ADD COLUMN {} {}").format(sql.Identifier(column), sql.SQL(kind))
            )
        grant = sql.SQL("GRANT UPDATE ({}) ON packages TO {}")
        columns = sql.SQL(", ").join(map(sql.Identifier, NODES))
        connection.execute(grant.format(columns, sql.Identifier(WRITER)))
    config = {"taxonomy_id": "sections-of-table", "collection_id": "packages-table"}
    scene.kubectl.apply(
        acting("sectioned", "taxonomy_enrichment", **config, target_collection_id="packages-table"),
        acting("in-a-file", "taxonomy_enrichment", **{**config, "collection_id": "packages-labels"},
               target_collection_id="packages-labels"),
    )  # fmt: skip
    run = scene.run_ended("sectioned")
    assert (run["status"], run["num_documents"]) == ("completed", len(clusters)), run
    assert f"wrote {len(clusters):,} rows of {server.uri()}: table packages" in run["notes"]
    query = "SELECT taxonomy_path, count(*), round(avg(taxonomy_score)::numeric, 2) FROM packages GROUP BY 1 ORDER BY 2"
    print(f"\n{query} DESC LIMIT 5;")
    for row in asked(server, f"{query} DESC LIMIT 5"):
        print(*row, sep=" | ")
    # The nearest section of every package by pgvector's cosine distance.
    nearest = (
        "SELECT count(*) FROM packages p WHERE taxonomy_node_id <> (SELECT section FROM sections s "
        "ORDER BY s.embedding <=> p.embedding LIMIT 1)"
    )
    [(other,)] = asked(server, nearest)
    assert other <= 3, "ties apart"
    lists = (
        "SELECT DISTINCT cardinality(taxonomy_node_ids), taxonomy_label = taxonomy_labels[1], taxonomy_run "
        "FROM packages"
    )
    assert asked(server, lists) == [(2, True, run["job_id"])]
    assert asked(server, "SELECT document_id, cluster_id, run FROM packages ORDER BY 1") == clusters
    ready = scene.condition("in-a-file", "Ready")
    print(f"\n{ready['reason']}: {ready['message']}")
    assert (ready["status"], ready["reason"]) == ("False", "OutputNotWritable")
    assert "a Parquet source cannot be changed in place" in ready["message"]


def test_a_collection_that_is_closed_to_writers(scene: Scene, server: PostgreSQL) -> None:
    """Without spec.write, nothing is written, and a trigger that requests it gets an error immediately."""
    made = trigger("unasked", "packages-closed")
    made["spec"]["execution_config"]["collection_ids"] = ["packages-table"]
    scene.kubectl.apply(made)
    ready = scene.eventually(
        lambda: ready if (ready := scene.condition("unasked", "Ready")).get("status") == "False" else None,
        "unasked: not ready",
        "unasked",
    )
    print(f"\n{ready['reason']}: {ready['message']}")
    assert ready["reason"] == "OutputNotWritable"
    assert "collection 'packages-closed' is an output, but its spec.write is not set" in ready["message"]
    scene.kubectl("delete", "clustertrigger", "unasked", "labelled", "labelled-again", "sectioned", "in-a-file")
    scene.kubectl("delete", "taxonomy", "sections-of-table")
