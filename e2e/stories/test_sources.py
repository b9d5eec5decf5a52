"""Story of sources: the same 9,000 documents from three sources, and a million from one."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer
from psycopg import sql
from sklearn.metrics import adjusted_rand_score

from e2e.stories.conftest import Stage
from e2e.stories.data import EXAMPLE
from e2e.stories.scene import Object, Scene
from e2e.stories.test_s3 import KEYS, REGION, client_of
from harness.claim_files import POD, claim_files
from harness.servers.postgresql import PostgreSQL, running_postgresql

DOCUMENTS, MILLION, DIMENSIONS = 9_000, 1_000_000, 192
KINDS = ("parquet", "s3", "postgresql")
API = {"apiVersion": "clustertrigger.dev/v1alpha1"}
READER = "stories_reader"
PASSWORD = f"s3cret %:/@'{secrets.token_hex(8)}"
PHASES = ["open", "read", "cluster", "assign", "measure", "report", "publish"]
GENERATE = f"""
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
random = np.random.default_rng(0)
centres = random.normal(size=(40, {DIMENSIONS}))
kind = pa.list_(pa.float32(), {DIMENSIONS})
schema = pa.schema([("document_id", pa.int64()), ("embedding", kind)])
with pq.ParquetWriter("/claims/embeddings/million.parquet", schema) as file:
    for first in range(0, {MILLION}, 100_000):
        vectors = centres[random.integers(40, size=100_000)] + random.normal(size=(100_000, {DIMENSIONS}))
        numbers = pa.array(vectors.astype(np.float32).ravel())
        rows = [pa.array(np.arange(first, first + 100_000)), pa.FixedSizeListArray.from_arrays(numbers, type=kind)]
        file.write_table(pa.Table.from_arrays(rows, schema=schema))
"""


@dataclass(frozen=True)
class Places:
    """Servers that have the documents, in addition to the claim."""

    s3: str
    postgresql: PostgreSQL


@cache
def documents() -> pa.Table:
    """Return the 3,003 packages of the example, and copies with a little noise and their own ids, sorted by id.

    k-means depends on the order of documents, and PostgreSQL's rows are read in the order of their ids.
    """
    packages = pq.read_table(EXAMPLE, columns=["document_id", "description", "embedding"])
    kind = packages.schema.field("embedding").type
    vectors = packages["embedding"].combine_chunks().flatten().to_numpy().reshape(-1, kind.list_size)
    random = np.random.default_rng(0)
    copies = []
    for copy in range(-(-DOCUMENTS // len(packages))):
        noisy = vectors + np.float32(0.01 * bool(copy)) * random.normal(size=vectors.shape).astype(np.float32)
        ids = [f"{name}-{copy}" for name in packages["document_id"].to_pylist()]
        column = pa.FixedSizeListArray.from_arrays(pa.array(noisy.ravel()), type=kind)
        copies.append(pa.table({"document_id": ids, "description": packages["description"], "embedding": column}))
    return pa.concat_tables(copies)[:DOCUMENTS].sort_by("document_id").combine_chunks()


@pytest.fixture(scope="module")
def places(stage_set: Stage) -> Iterator[Places]:
    """Servers on this machine that Pods can reach, and a claim, all with the same documents."""
    scene, host = stage_set.scene, stage_set.cluster.host_address
    buffer = io.BytesIO()
    pq.write_table(documents(), buffer)
    with claim_files(scene.kubectl, stage_set.images.worker.name, ["embeddings"]) as claims:
        claims.upload_new("embeddings", {"nine-thousand.parquet": buffer.getvalue()})
    bucket = ThreadedMotoServer(ip_address=host, port=0)
    bucket.start()
    try:
        address, port = bucket.get_host_and_port()
        endpoint = f"http://{address}:{port}"
        client = client_of(endpoint)
        client.create_bucket(Bucket="documents", CreateBucketConfiguration={"LocationConstraint": REGION})
        client.put_object(Bucket="documents", Key="nine-thousand.parquet", Body=buffer.getvalue())
        with running_postgresql(host) as server:
            fill(server)
            yield Places(endpoint, server)
    finally:
        bucket.stop()


def fill(server: PostgreSQL) -> None:
    """Create the table, and a user who may only read it."""
    table = documents()
    with server.connect() as connection:
        connection.execute(
            "CREATE TABLE documents (document_id text PRIMARY KEY, description text, embedding vector(384))"
        )
        with connection.cursor() as cursor, cursor.copy("COPY documents FROM STDIN") as copy:
            for row in table.to_pylist():
                copy.write_row([row["document_id"], row["description"], str(row["embedding"])])
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(READER), sql.Literal(PASSWORD))
        )
        connection.execute(sql.SQL("GRANT SELECT ON documents TO {}").format(sql.Identifier(READER)))


def sources(places: Places) -> dict[str, Object]:
    """Return the spec of each Collection."""
    bucket = {"secret_name": "documents-bucket", "endpoint": places.s3, "region": REGION}
    database = {
        "type": "postgresql",
        "uri": places.postgresql.uri(),
        "table": "documents",
        "secret_name": "documents-db",
    }
    text = {"text_column": "description"}
    return {
        "parquet": {"volume": "embeddings", "source": {"uri": "nine-thousand.parquet", **text}},
        "s3": {"source": {"uri": "s3://documents/nine-thousand.parquet", **bucket, **text}},
        "postgresql": {"source": {**database, **text}},
    }


def trigger(name: str, collection: str, config: Object, **run: Any) -> Object:
    """Return a trigger that fires when it is applied."""
    return {
        **API,
        "kind": "ClusterTrigger",
        "metadata": {"name": name},
        "spec": {
            "trigger_type": "interval",
            "schedule_config": {"interval_seconds": 86400, "start_immediately": True},
            "execution_config": {"collection_ids": [collection], "config": config},
            "run": {"resources": {"requests": {"cpu": "20m", "memory": "64Mi"}}, **run},
        },
    }


def manifests(places: Places) -> list[Object]:
    credentials = {"documents-bucket": KEYS, "documents-db": {"username": READER, "password": PASSWORD}}
    config = {"algorithm": "kmeans", "n_clusters": 12, "random_state": 7}
    return [
        *(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": keys}
            for name, keys in credentials.items()
        ),
        *(
            {**API, "kind": "Collection", "metadata": {"name": f"from-{kind}"}, "spec": spec}
            for kind, spec in sources(places).items()
        ),
        *(trigger(f"from-{kind}", f"from-{kind}", config) for kind in KINDS),
    ]


def test_the_same_documents_give_the_same_clusters(
    stage_set: Stage, scene: Scene, places: Places, tmp_path: Path
) -> None:
    scene.kubectl.apply(*manifests(places))
    found = {}
    for kind in KINDS:
        run = scene.run_ended(f"from-{kind}")
        assert (run["status"], run["num_documents"], run["num_clusters"]) == ("completed", DOCUMENTS, 12), run
        found[kind] = run["job_id"]
    with claim_files(scene.kubectl, stage_set.images.worker.name, ["clustertrigger-results"]) as claims:
        for kind, job in found.items():
            claims.download("clustertrigger-results", f"{scene.kubectl.namespace}/from-{kind}/{job}", tmp_path / kind)
    members = {kind: pq.read_table(tmp_path / kind / "members.parquet").sort_by("document_id") for kind in KINDS}
    first = members["parquet"]
    for other in members.values():
        assert other["document_id"].equals(first["document_id"])
        assert adjusted_rand_score(first["cluster_id"].to_numpy(), other["cluster_id"].to_numpy()) == 1.0
    summaries = {kind: json.loads((tmp_path / kind / "metrics.json").read_text())["clusters"] for kind in KINDS}
    assert summaries["postgresql"] == summaries["s3"] == summaries["parquet"], "names and central documents too"


def test_the_password_is_nowhere_to_be_seen(scene: Scene, places: Places) -> None:
    """The message also hides a wrong password, which the database's message partly contains."""
    name = "wrong-password"
    secret = {"username": READER, "password": f"{PASSWORD}-wrong"}
    collection = {**sources(places)["postgresql"]["source"], "secret_name": name}
    scene.kubectl.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": secret},
        {**API, "kind": "Collection", "metadata": {"name": name}, "spec": {"source": collection}},
        trigger(name, name, {"algorithm": "kmeans", "n_clusters": 2}),
    )
    run = scene.run_ended(name)
    assert run["error"] == (
        f"{places.postgresql.uri()}: PostgreSQL refused the user: check username and password in Secret {name}"
    )
    for story in (name, "from-postgresql"):
        (job,) = scene.jobs(story)
        seen = json.dumps([job, *scene.pods(story), *scene.events(story), scene.trigger(story)])
        assert PASSWORD not in seen + scene.kubectl("logs", f"job/{job['metadata']['name']}")


def test_a_million_vectors_and_their_progress(stage_set: Stage, scene: Scene) -> None:
    with claim_files(scene.kubectl, stage_set.images.worker.name, ["embeddings"]):
        scene.kubectl.pipe(["exec", POD, "--", "python", "-c", GENERATE], b"")
    collection = {"volume": "embeddings", "source": {"uri": "million.parquet"}}
    limited = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "2Gi"}}
    config = {"algorithm": "kmeans", "n_clusters": 40, "metric": "euclidean"}
    scene.kubectl.apply(
        {**API, "kind": "Collection", "metadata": {"name": "million"}, "spec": collection},
        trigger("million", "million", config, resources=limited),
    )
    run = scene.run_ended("million", patience=600)
    assert (run["status"], run["num_documents"], run["num_clusters"]) == ("completed", MILLION, 40), run

    lines = [json.loads(line) for line in scene.kubectl("logs", f"job/{run['job_id']}").splitlines()]
    assert list(dict.fromkeys(line["phase"] for line in lines if line.get("phase"))) == PHASES
    for phase in PHASES:
        shares = [line["done"] for line in lines if line.get("phase") == phase and "done" in line]
        assert shares == sorted(shares)
        assert all(0 <= share <= 1 for share in shares)
    underway = [line for line in lines if 0 < line.get("done", 0) < 1]
    assert underway, "a million take longer than the two seconds between two lines of progress"
