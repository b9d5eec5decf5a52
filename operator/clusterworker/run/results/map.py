"""Writes and reads map.parquet: positions on the map, for reports of runs that assign documents later."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clustercontract.baseline import BASELINE_FILE
from clustercontract.run import PreviousRun, RunSpec
from clusterworker.data.arrays import Rows, Vectors
from clusterworker.drift.baseline import parse
from clusterworker.process.errors import RunError
from clusterworker.run.findings import EarlierMap
from clusterworker.run.results.centroids import vector_column, vectors_in
from clusterworker.run.results.previous import file_of
from clusterworker.storage.file import open_file

MAP = "map.parquet"
_LAYOUT = b"layout"
"""Key of its metadata."""


def write_map(staged: Path, layout: str, document_ids: Sequence[int | str], cluster_ids: Rows, points: Vectors) -> None:
    """Writes map.parquet: document_id, cluster_id (-1 is noise), position (FixedSizeList<float32>).

    Its first rows are the documents of the baseline's reservoir, in the same order.

    Args:
        staged: Directory of the run.
        layout: How documents are laid out.
        document_ids: Ids of the documents on the map.
        cluster_ids: Their clusters, shape (documents,).
        points: Their positions, shape (documents, 2).
    """
    columns = {
        "document_id": pa.array(document_ids),
        "cluster_id": pa.array(cluster_ids, pa.int32()),
        "position": vector_column(np.ascontiguousarray(points, np.float32)),
    }
    table = pa.table(columns).replace_schema_metadata({_LAYOUT: layout})
    pq.write_table(table, staged / MAP, compression="zstd")


def read_map(run: PreviousRun, spec: RunSpec, secrets: Path) -> EarlierMap | None:
    """Returns the map of an earlier run, and the vectors of its documents; None if it has none that can be read.

    Args:
        run: The earlier run.
        spec: Spec of this run.
        secrets: where Secrets are mounted.
    """
    try:
        with pq.ParquetFile(file_of(run, MAP, spec, secrets)) as file:
            table = file.read()
        content = open_file(f"{run.uri}/{BASELINE_FILE}", run.results or spec.results, secrets).read()
        vectors = parse(content or b"").reservoir
        points = vectors_in(table["position"])
        layout = (table.schema.metadata or {})[_LAYOUT].decode()
        ids = table["cluster_id"].to_numpy().astype(np.int64)
    except (RunError, OSError, ValueError, KeyError, pa.ArrowException):
        return (
            None  # The run is older than the file, or its folder is damaged. The report then computes a map of its own.
        )
    known = min(len(points), len(vectors))
    if not known or points.shape[1] != 2 or not np.isfinite(points).all():
        return None
    return EarlierMap(run.run, layout, ids[:known], vectors[:known], points[:known])
