"""Writes and reads the files of layers: every document's cluster at each granularity, and the next run's input."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clustercontract.layers import FILE, LayerCluster, Layers
from clusterworker.clustering.algorithms.clustering import LayeredClusters
from clusterworker.clustering.layer_succession import LayerSuccession
from clusterworker.clustering.succession import Step
from clusterworker.data.arrays import NOISE, Labels, Rows, Vectors
from clusterworker.run.results.centroids import centroids_in, vector_column
from clusterworker.run.results.lineage import lineage_columns

TABLE, CLUSTERS, LINEAGE = "layers.parquet", "layer_clusters.parquet", "layer_lineage.parquet"
NODES = "taxonomy.parquet"
"""Name of a file beside the folders of a trigger's runs. A Collection with its uri always reads the newest run's
clusters.
"""


@dataclass(frozen=True)
class StoredLayer:
    """A layer of layer_clusters.parquet, for the next run.

    Attributes:
        ids: cluster_id, largest cluster first, shape (clusters,).
        names: Names of the clusters.
        sizes: Documents of each cluster, shape (clusters,).
        centroids: shape (clusters, dimensions).
    """

    ids: Rows
    names: tuple[str, ...]
    sizes: Rows
    centroids: Vectors


def write_layers(
    staged: Path,
    layered: LayeredClusters,
    described: Layers,
    numbered: LayerSuccession | None,
    last_names: Mapping[int, str],
) -> None:
    """Write the files into the directory that holds members.parquet.

    The file layers.parquet has a row per document and layer: document_id, layer (0 the finest), cluster_id (-1 is
    noise), and collection_id if there are several collections. The file layer_clusters.parquet has a row per cluster of
    every layer. In layer_lineage.parquet, layer and previous_layer come before the columns of lineage.parquet.

    Args:
        staged: The directory.
        layered: The layers.
        described: Descriptions of the layers, with the ids of their clusters.
        numbered: The changes of the clusters since the previous run; None if clusters are numbered by size.
        last_names: Names of the clusters of the previous run, by cluster_id.
    """
    (staged / FILE).write_text(described.model_dump_json(indent=1, exclude_none=True) + "\n", encoding="utf-8")
    clusters = [(layer.layer, cluster) for layer in described.layers for cluster in layer.clusters]
    pq.write_table(_table(clusters, np.concatenate(layered.centroids)), staged / CLUSTERS, compression="zstd")
    if numbered:
        names = {cluster.cluster_id: cluster.name for _, cluster in clusters}
        _write_lineage(staged / LINEAGE, numbered, names, last_names)
    ids = [[cluster.cluster_id for cluster in layer.clusters] for layer in described.layers]
    # The last number is for NOISE, which is -1.
    numbers = [np.array([*own, NOISE], np.int32) for own in ids]
    with pq.ParquetFile(staged / "members.parquet", pre_buffer=False) as members:
        kept = [name for name in ("document_id", "collection_id") if name in members.schema_arrow.names]
        own = [members.schema_arrow.field(name) for name in kept]
        columns = [pa.field("layer", pa.int32(), nullable=False), pa.field("cluster_id", pa.int32(), nullable=False)]
        schema = pa.schema([own[0], *columns, *own[1:]])
        with pq.ParquetWriter(staged / TABLE, schema, compression="zstd") as writer:
            first = 0
            for group in range(members.num_row_groups):
                documents = members.read_row_group(group, columns=kept)
                rows = slice(first, first + len(documents))
                for layer, labels in enumerate(layered.labels):
                    table = documents.add_column(1, "layer", pa.array(np.full(len(documents), layer, np.int32)))
                    table = table.add_column(2, "cluster_id", pa.array(numbers[layer][labels[rows]]))
                    writer.write_table(table.cast(schema))
                first += len(documents)


def _table(clusters: Sequence[tuple[int, LayerCluster]], centroids: Vectors) -> Any:
    return pa.table(
        {
            "cluster_id": pa.array([cluster.cluster_id for _, cluster in clusters], pa.int32()),
            "layer": pa.array([layer for layer, _ in clusters], pa.int32()),
            "name": pa.array([cluster.name for _, cluster in clusters], pa.string()),
            "parent_cluster_id": pa.array([cluster.parent_cluster_id for _, cluster in clusters], pa.int32()),
            "documents": pa.array([cluster.num_documents for _, cluster in clusters], pa.int64()),
            "centroid": vector_column(centroids),
        }
    )


def _write_lineage(
    file: Path, numbered: LayerSuccession, names: Mapping[int, str], last_names: Mapping[int, str]
) -> None:
    layers: list[tuple[int | None, int | None]] = []
    steps: list[Step] = []
    for layer, (own, before) in enumerate(zip(numbered.layers, numbered.before, strict=True)):
        layers += [(layer, before)] * len(own.steps)
        steps += own.steps
    for place, gone in numbered.gone.items():
        layers += [(None, place)] * len(gone)
        steps += gone
    columns = {
        "layer": pa.array([layer for layer, _ in layers], pa.int32()),
        "previous_layer": pa.array([before for _, before in layers], pa.int32()),
    }
    pq.write_table(pa.table(columns | lineage_columns(steps, names, last_names)), file, compression="zstd")


def nodes_of(layered: LayeredClusters, described: Layers, run: str, model: str) -> bytes:
    """Return the clusters of all layers as a collection whose documents are the nodes of a taxonomy.

    The columns are node_id (the cluster_id), parent_id (null for a root), label, layer, documents and embedding, which
    is the centroid. A cluster that has the documents of one of a finer layer, and no other, is left out: no two nodes
    are alike.

    Args:
        layered: The layers.
        described: Descriptions of the layers.
        run: The Job's name.
        model: Embedding model, "" if no collection names it.

    Returns:
        The content of a Parquet file.
    """
    clusters = {cluster.cluster_id: cluster for layer in described.layers for cluster in layer.clusters}
    left_out: dict[int, int] = {}
    parents: dict[int, int | None] = {}
    for number, cluster in clusters.items():  # The finest layer is first.
        if number in left_out:
            continue
        above = cluster.parent_cluster_id
        while above is not None and clusters[above].num_documents == cluster.num_documents:
            left_out[above] = number
            above = clusters[above].parent_cluster_id
        parents[number] = above
    rows = [place for place, number in enumerate(clusters) if number in parents]
    numbers = list(parents)
    layers = {cluster.cluster_id: layer.layer for layer in described.layers for cluster in layer.clusters}
    kept = [parent if parent is None else left_out.get(parent, parent) for parent in parents.values()]
    table = pa.table(
        {
            "node_id": pa.array(numbers, pa.int64()),
            "parent_id": pa.array(kept, pa.int64()),
            "label": pa.array([clusters[number].name for number in numbers], pa.string()),
            "layer": pa.array([layers[number] for number in numbers], pa.int32()),
            "documents": pa.array([clusters[number].num_documents for number in numbers], pa.int64()),
            "embedding": vector_column(np.concatenate(layered.centroids)[rows]),
        }
    )
    metadata = {"run": run} | ({"embedding_model": model} if model else {})
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def read_layer_clusters(source: Any) -> list[StoredLayer]:
    """Reads layer_clusters.parquet.

    Args:
        source: A path, or a pyarrow file.

    Raises:
        KeyError, ValueError, OSError: as of `tables.read_centroids`.
    """
    with pq.ParquetFile(source) as file:
        table = file.read()
    ids, centroids = centroids_in(table, CLUSTERS)
    layers, sizes = (table[name].to_numpy().astype(np.int64) for name in ("layer", "documents"))
    names = np.array(table["name"].to_pylist(), object)
    count = int(layers.max(initial=-1)) + 1
    rows = [np.flatnonzero(layers == layer) for layer in range(count)]
    if not all(map(len, rows)) or (layers < 0).any():
        raise ValueError(f"{CLUSTERS} does not hold every layer from 0")
    return [StoredLayer(ids[own], tuple(names[own]), sizes[own], centroids[own]) for own in rows]


def read_layers(source: Any, layers: int) -> list[Labels]:
    """Returns the cluster_id of every document in every layer, in the order of members.parquet, from layers.parquet.

    Args:
        source: A path, or a pyarrow file.
        layers: Number of layers.

    Raises:
        KeyError, ValueError, OSError: as of `tables.read_centroids`.
    """
    found: list[list[Labels]] = [[] for _ in range(layers)]
    with pq.ParquetFile(source) as file:
        for batch in file.iter_batches(columns=["layer", "cluster_id"]):
            numbers, clusters = batch["layer"].to_numpy(), batch["cluster_id"].to_numpy()
            for layer in range(layers):
                found[layer].append(clusters[numbers == layer].astype(np.int32))
    return [np.concatenate([np.empty(0, np.int32), *parts]) for parts in found]
