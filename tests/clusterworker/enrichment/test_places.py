"""Tests of nodes, documents and results in each kind of store: a database, a vector store, a bucket."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from qdrant_client import QdrantClient

from clustercontract.actions.taxonomy_enrichment import EnrichmentSpec
from clusterworker.data.sources.qdrant import connection
from clusterworker.process.errors import MisconfiguredError
from tests.clusterworker.data.sources_of_all_kinds import Database, database, qdrant_with
from tests.clusterworker.enrichment.conftest import Enriching
from tests.clusterworker.planted import write
from tests.clusterworker.storage.s3_server import BUCKET, Bucket

__all__ = ["database"]

NODES = [
    {"id": 1, "name": "All", "up": None, "embedding": [1, 1, 1]},
    {"id": 2, "name": "X", "up": 1, "embedding": [1, 0, 0]},
    {"id": 3, "name": "Y", "up": 1, "embedding": [0, 1, 0]},
]
DOCUMENTS = np.array([[2, 0, 0], [0, 0.5, 0.01], [1, 1, 1.01]], np.float32)
PATHS = ["All > X", "All > Y", "All"]


def in_source(source: dict[str, Any]) -> dict[str, Any]:
    nodes = {"collection_id": "col_nodes", "source": source}
    return {"nodes": nodes, "label_column": "name", "parent_column": "up"}


def test_nodes_in_a_database(enriching: Enriching, database: Database) -> None:
    table = database.create("t", {"id": "bigint", "name": "text", "up": "bigint", "embedding": "real[]"}, NODES)
    write(enriching.pod.volume / "data.parquet", DOCUMENTS)
    source = database.source(table, document_id_column="id")
    spec = enriching.spec(taxonomy=in_source(source))
    enriching.run(spec)
    assert enriching.table(spec)["path"].to_pylist() == PATHS
    with pytest.raises(
        MisconfiguredError, match=r"no column above: .*: set spec\.parent_column of Taxonomy tax_topics"
    ):
        enriching.run(enriching.spec(taxonomy={**in_source(source), "parent_column": "above"}))


def test_nodes_in_qdrant(enriching: Enriching, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [{**{name: value for name, value in node.items() if name != "id"}, "_id": node["id"]} for node in NODES]
    client: QdrantClient = qdrant_with(points)
    monkeypatch.setattr(connection.Server, "connect", lambda _: client)
    write(enriching.pod.volume / "data.parquet", DOCUMENTS)
    source = {"type": "qdrant", "uri": "http://qdrant:6333", "collection": "documents"}
    spec = enriching.spec(taxonomy=in_source(source))
    enriching.run(spec)
    assert enriching.table(spec)["path"].to_pylist() == PATHS
    with pytest.raises(MisconfiguredError, match=r"no node has a label: set spec.label_column of the Taxonomy"):
        enriching.run(enriching.spec(taxonomy={**in_source(source), "label_column": "label"}))


def test_results_in_a_bucket_and_taken_over_from_there(enriching: Enriching, bucket: Bucket, keys: Path) -> None:
    enriching.nodes(np.eye(3))
    write(enriching.pod.volume / "data.parquet", DOCUMENTS[:2])
    first = enriching.spec(results=bucket.results(), incremental=True)
    result = enriching.run(first)
    prefix = "results/search/labels/labels-1a2b-1/"
    files = {"enrichment.parquet", "metrics.json", "report.html", "run.json", "spec.json"}
    assert {key.removeprefix(prefix) for key in bucket.keys(prefix)} == files

    write(enriching.pod.volume / "data.parquet", DOCUMENTS)
    previous = {"run": first.run, "uri": result.results_uri}
    fields: dict[str, Any] = {"results": bucket.results(), "incremental": True, "previous": previous}
    second: EnrichmentSpec = enriching.spec(run="labels-1a2b-2", **fields)
    result = enriching.run(second)
    assert (result.notes, result.num_documents) == ([], 3)
    assert result.enrichment is not None
    assert result.enrichment.num_taken_over == 2
    key = f"{prefix.replace('-1/', '-2/')}enrichment.parquet"
    body = bucket.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert sorted(pq.read_table(io.BytesIO(body))["document_id"].to_pylist()) == ["doc-0", "doc-1", "doc-2"]
