"""Writes and reads the positions and modes from which the next run continues."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clusterworker.clustering.algorithms.start import Positions
from clusterworker.data.arrays import Rows, Vectors
from clusterworker.data.sorted_arrays import places_in
from clusterworker.run.results.centroids import centroids_in, vector_column, vectors_in
from clusterworker.run.results.record import MEMBERS

LAYOUT, MODES = "layout.parquet", "modes.parquet"
_BY = b"layout"
"""Key in the metadata of LAYOUT."""


def write_layout(staged: Path, layout: Positions) -> None:
    """Writes layout.parquet into the directory of members.parquet, with a row per document, in the same order.

    Columns: document_id, position (FixedSizeList<float32>), and collection_id if there are several collections. A
    document that was not in the sample has no position: it has NaN for each number.
    """
    components = layout.values.shape[1]
    with pq.ParquetFile(staged / MEMBERS, pre_buffer=False) as members:
        kept = [name for name in ("document_id", "collection_id") if name in members.schema_arrow.names]
        own = [members.schema_arrow.field(name) for name in kept]
        position = pa.field("position", pa.list_(pa.float32(), components), nullable=False)
        schema = pa.schema([own[0], position, *own[1:]], {_BY: layout.by})
        with pq.ParquetWriter(staged / LAYOUT, schema, compression="zstd") as writer:
            first = 0
            for group in range(members.num_row_groups):
                documents = members.read_row_group(group, columns=kept)
                part = np.ascontiguousarray(layout.values[first : first + len(documents)], np.float32)
                writer.write_table(documents.add_column(1, position, vector_column(part)).cast(schema))
                first += len(documents)


def write_modes(staged: Path, ids: Rows, modes: Vectors) -> None:
    """Writes modes.parquet: cluster_id, and mode (FixedSizeList<float32>), the final position of the cluster's window.

    Args:
        staged: Directory of the run.
        ids: cluster_id of each cluster, shape (clusters,).
        modes: shape (clusters, dimensions).
    """
    table = pa.table({"cluster_id": pa.array(ids, pa.int32()), "mode": vector_column(modes)})
    pq.write_table(table, staged / MODES, compression="zstd")


def read_modes(source: Any, ids: Rows) -> Vectors:
    """Reads modes.parquet.

    Args:
        source: A path, or a pyarrow file.
        ids: Ids of the clusters whose modes are returned, in this order.

    Raises:
        KeyError, ValueError, OSError: as of `read_centroids`.
    """
    with pq.ParquetFile(source) as file:
        found, modes = centroids_in(file.read(), MODES, "mode")
    places, known = places_in(np.sort(found), ids)
    if not known.all():
        raise ValueError(f"{MODES} does not hold one mode per cluster")
    ordered: Vectors = modes[np.argsort(found)[places]]
    return ordered


def read_layout(source: Any) -> Positions:
    """Reads layout.parquet.

    Args:
        source: A path, or a pyarrow file.

    Raises:
        KeyError, ValueError, OSError: as of `read_centroids`.
    """
    with pq.ParquetFile(source) as file:
        by = (file.schema_arrow.metadata or {})[_BY].decode()
        values = vectors_in(file.read(columns=["position"])["position"])
    if np.isinf(values).any() or (np.isnan(values).any(axis=1) != np.isnan(values).all(axis=1)).any():
        raise ValueError(f"{LAYOUT} holds a position that is not a finite number")
    return Positions(by, values)
