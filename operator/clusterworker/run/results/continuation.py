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
_BY, _SETTINGS = b"layout", b"settings"
"""Keys in the metadata of LAYOUT."""


def write_layout(staged: Path, layout: Positions) -> None:
    """Writes layout.parquet into the directory of members.parquet, with a row per document, in the same order.

    Columns: document_id, position (FixedSizeList<float32>), vector_hash (uint64, see `data.prints`), and collection_id
    if there are several collections. A document that was not in the sample has no position: it has NaN for each number.
    """
    if layout.hashes is None or layout.settings is None:
        raise TypeError("a layout of this run has hashes and settings")
    components = layout.values.shape[1]
    with pq.ParquetFile(staged / MEMBERS, pre_buffer=False) as members:
        kept = [name for name in ("document_id", "collection_id") if name in members.schema_arrow.names]
        own = [members.schema_arrow.field(name) for name in kept]
        position = pa.field("position", pa.list_(pa.float32(), components), nullable=False)
        hashed = pa.field("vector_hash", pa.uint64(), nullable=False)
        schema = pa.schema([own[0], position, hashed, *own[1:]], {_BY: layout.by, _SETTINGS: layout.settings})
        with pq.ParquetWriter(staged / LAYOUT, schema, compression="zstd") as writer:
            first = 0
            for group in range(members.num_row_groups):
                documents = members.read_row_group(group, columns=kept)
                rows = slice(first, first + len(documents))
                part = np.ascontiguousarray(layout.values[rows], np.float32)
                table = documents.add_column(1, position, vector_column(part))
                writer.write_table(table.add_column(2, hashed, pa.array(layout.hashes[rows])).cast(schema))
                first = rows.stop


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

    Returns:
        The positions; without hashes and settings if the run is older than these.

    Raises:
        KeyError, ValueError, OSError: as of `read_centroids`.
    """
    with pq.ParquetFile(source) as file:
        metadata = file.schema_arrow.metadata or {}
        table = file.read(columns=["position", "vector_hash"])
    values = vectors_in(table["position"])
    hashes = table["vector_hash"].to_numpy() if "vector_hash" in table.column_names else None
    if np.isinf(values).any() or (np.isnan(values).any(axis=1) != np.isnan(values).all(axis=1)).any():
        raise ValueError(f"{LAYOUT} holds a position that is not a finite number")
    settings = metadata[_SETTINGS].decode() if _SETTINGS in metadata else None
    return Positions(metadata[_BY].decode(), values, settings, hashes)
