"""Writes and reads centroids.parquet: the clusters, with what the next run needs to number its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clusterworker.data.arrays import Rows, Vectors

CENTROIDS = "centroids.parquet"
_ALGORITHM, _METRIC, _NEXT, _MODEL = b"algorithm", b"metric", b"next_cluster_id", b"embedding_model"
"""Keys in the metadata of CENTROIDS, which the next run reads."""


@dataclass(frozen=True)
class StoredCentroids:
    """The content of centroids.parquet, for the next run.

    Attributes:
        ids: cluster_id, largest cluster first, shape (clusters,).
        centroids: Centroids, shape (clusters, dimensions).
        sizes: Documents of each cluster, shape (clusters,).
        algorithm: As configured.
        metric: cosine or euclidean.
        next_id: The lowest cluster_id that was never used.
        names: Names of the clusters.
        embedding_model: Embedding model of the documents, "" if unknown.
    """

    ids: Rows
    centroids: Vectors
    sizes: Rows
    algorithm: str
    metric: str
    next_id: int
    names: Sequence[str]
    embedding_model: str = ""

    def taken(self, order: Rows) -> Self:
        """Returns the same clusters in another order.

        Args:
            order: Places of the clusters, shape (clusters,).
        """
        names = [self.names[place] for place in order]
        return replace(self, ids=self.ids[order], centroids=self.centroids[order], sizes=self.sizes[order], names=names)

    def write(self, file: Path) -> None:
        """Writes cluster_id, name, documents, centroid (FixedSizeList<float32>), the largest cluster first."""
        metadata = {_ALGORITHM: self.algorithm, _METRIC: self.metric, _NEXT: str(self.next_id)}
        if self.embedding_model:
            metadata[_MODEL] = self.embedding_model
        table = pa.table(
            {
                "cluster_id": pa.array(self.ids, pa.int32()),
                "name": pa.array(list(self.names), pa.string()),
                "documents": pa.array(self.sizes, pa.int64()),
                "centroid": vector_column(self.centroids),
            }
        )
        pq.write_table(table.replace_schema_metadata(metadata), file, compression="zstd")


def read_centroids(source: Any) -> StoredCentroids:
    """Reads centroids.parquet.

    Args:
        source: A path, or a pyarrow file.

    Raises:
        KeyError: a column or an entry of the metadata is missing.
        ValueError: the file is damaged (pyarrow's ArrowInvalid is one), or its content has another format.
        OSError: it cannot be read.
    """
    with pq.ParquetFile(source) as file:
        table = file.read()
    metadata = table.schema.metadata or {}
    ids, centroids = centroids_in(table, CENTROIDS)
    sizes = table["documents"].to_numpy().astype(np.int64)
    next_id = max(int(metadata[_NEXT]), int(ids.max(initial=-1)) + 1)
    names = table["name"].to_pylist()
    algorithm, metric, model = (metadata[_ALGORITHM], metadata[_METRIC], metadata.get(_MODEL, b""))
    return StoredCentroids(ids, centroids, sizes, algorithm.decode(), metric.decode(), next_id, names, model.decode())


def centroids_in(table: Any, name: str, column: str = "centroid") -> tuple[Rows, Vectors]:
    """Return the cluster_ids of a table, and the centroids, shape (rows, dimensions).

    Args:
        table: Table with the columns cluster_id and centroid.
        name: Name of its file, for the error.
        column: Name of the column with the centroids.

    Raises:
        KeyError: a column is missing.
        ValueError: a cluster occurs twice or has no centroid.
    """
    centroids = np.ascontiguousarray(vectors_in(table[column]), np.float32)
    ids = table["cluster_id"].to_numpy().astype(np.int64)
    if not np.isfinite(centroids).all() or len(set(ids.tolist())) < len(ids) or ids.min(initial=0) < 0:
        raise ValueError(f"{name} does not hold one {column} per cluster")
    return ids, centroids


def vector_column(vectors: Vectors) -> Any:
    """Return a column of FixedSizeList<float32>, of vectors of shape (rows, dimensions)."""
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])


def vectors_in(column: Any) -> Any:
    """Return the vectors of a column of FixedSizeList, shape (rows, dimensions)."""
    joined = column.combine_chunks()
    return joined.flatten().to_numpy(zero_copy_only=False).reshape(len(joined), joined.type.list_size)
