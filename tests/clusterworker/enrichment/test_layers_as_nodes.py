"""Tests of a taxonomy of a run's layers: the clusters of one run become the nodes of an enrichment."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from clustercontract.layers import Layers
from clustercontract.run import RunSpec
from tests.clusterworker.conftest import Pod
from tests.clusterworker.enrichment.conftest import Enriching
from tests.clusterworker.planted import nested, write
from tests.clusterworker.storage.s3_server import Bucket

VECTORS, GROUPS, PARTS = nested()
OF_LAYERS = {"taxonomy_id": "tax_clusters", "label_column": "label", "parent_column": "parent_id"}


def clustered(pod: Pod, **fields: object) -> RunSpec:
    """The run whose layers become nodes."""
    texts = [f"group{group} part{part}" for group, part in zip(GROUPS, PARTS, strict=True)]
    write(pod.volume / "early.parquet", VECTORS, texts=texts)
    config = {"algorithm": "evoc", "base_min_cluster_size": 20}
    spec = pod.spec(config, {"uri": "early.parquet", "text_column": "text"}, **fields)
    pod.run(spec)
    return spec


def test_documents_get_the_clusters_of_the_run_before(enriching: Enriching) -> None:
    pod = enriching.pod
    spec = clustered(pod)
    layers = Layers.model_validate_json((pod.folder(spec) / "layers.json").read_bytes())
    clusters = {one.cluster_id: one for layer in layers.layers for one in layer.clusters}
    nodes = pq.read_table(pod.folder(spec).parent / "taxonomy.parquet").to_pydict()
    assert set(nodes["node_id"]) <= clusters.keys()
    assert {number for number, layer in zip(nodes["node_id"], nodes["layer"], strict=True) if layer == 0} == {
        one.cluster_id for one in layers.layers[0].clusters
    }
    assert len({tuple(vector) for vector in nodes["embedding"]}) == len(nodes["node_id"]), "no two nodes are alike"
    sizes = dict(zip(nodes["node_id"], nodes["documents"], strict=True))
    for number, parent in zip(nodes["node_id"], nodes["parent_id"], strict=True):
        if parent is not None:
            assert sizes[parent] > sizes[number]
    late = VECTORS + 0.02 * np.random.default_rng(1).normal(size=VECTORS.shape)
    write(pod.volume / "data.parquet", late.astype(np.float32))  # today's documents are like last night's
    beside = {"uri": "search/nightly/taxonomy.parquet", "document_id_column": "node_id"}
    where = {"collection_id": "col_clusters", "source": beside, "mount_path": str(pod.results)}
    asked = enriching.spec(taxonomy={**OF_LAYERS, "nodes": where})
    result = enriching.run(asked)
    assert result.enrichment is not None
    assert result.enrichment.num_assigned == len(late)
    table = enriching.table(asked).to_pydict()
    members = pq.read_table(pod.folder(spec) / "layers.parquet").to_pydict()
    before: dict[int, set[int]] = {}
    for document, cluster in zip(members["document_id"], members["cluster_id"], strict=True):
        before.setdefault(cluster, set()).add(int(PARTS[int(document.removeprefix("doc-"))]))
    right = [
        int(PARTS[int(document.removeprefix("doc-"))]) in before[int(node)]
        for document, node in zip(table["document_id"], table["node_id"], strict=True)
    ]
    assert np.mean(right) > 0.95
    assert any(" > " in path for path in table["path"]), "nodes have parents"


def test_the_next_run_replaces_the_nodes(enriching: Enriching) -> None:
    pod = enriching.pod
    first = clustered(pod, run="nightly-1a2b-1")
    file = pod.folder(first).parent / "taxonomy.parquet"
    assert pq.read_schema(file).metadata[b"run"] == b"nightly-1a2b-1"
    clustered(pod, run="nightly-1a2b-2")
    assert pq.read_schema(file).metadata[b"run"] == b"nightly-1a2b-2"
    assert json.loads((file.parent / "latest.json").read_text())["run"] == "nightly-1a2b-2"


def test_nodes_in_a_bucket(enriching: Enriching, bucket: Bucket, keys: Path) -> None:
    pod, results = enriching.pod, bucket.results()
    clustered(pod, results=results)
    write(pod.volume / "data.parquet", VECTORS[:10])
    source = {**results, "uri": f"{results['uri']}/search/nightly/taxonomy.parquet", "document_id_column": "node_id"}
    asked = enriching.spec(taxonomy={**OF_LAYERS, "nodes": {"collection_id": "col_clusters", "source": source}})
    assert enriching.run(asked).enrichment.num_assigned == 10  # type: ignore[union-attr]


@pytest.mark.parametrize("config", [{"algorithm": "kmeans", "n_clusters": 3}])
def test_a_run_without_layers_leaves_no_nodes(pod: Pod, config: dict[str, object]) -> None:
    write(pod.volume / "data.parquet", VECTORS)
    spec = pod.spec(config)
    pod.run(spec)
    assert not (pod.folder(spec).parent / "taxonomy.parquet").exists()
