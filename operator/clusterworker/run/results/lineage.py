"""Writes lineage.parquet: the changes of clusters since the previous run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clusterworker.clustering.succession import Step

LINEAGE = "lineage.parquet"


def write_lineage(file: Path, steps: Sequence[Step], names: Mapping[int, str], last_names: Mapping[int, str]) -> None:
    """Writes lineage.parquet.

    It has a row for each cluster of this run, largest first, and for each cluster that no longer exists.

    Args:
        file: The file to write.
        steps: The change of each cluster.
        names: Names of this run's clusters by cluster_id.
        last_names: Names of the clusters of the previous run.
    """
    pq.write_table(pa.table(lineage_columns(steps, names, last_names)), file, compression="zstd")


def lineage_columns(steps: Sequence[Step], names: Mapping[int, str], last_names: Mapping[int, str]) -> dict[str, Any]:
    """Return the columns of lineage.parquet."""
    return {
        "cluster_id": pa.array([step.cluster_id for step in steps], pa.int32()),
        "event": pa.array([step.event for step in steps], pa.string()),
        "other_cluster_id": pa.array([step.other for step in steps], pa.int32()),
        "distance_to_previous": pa.array([step.distance for step in steps], pa.float32()),
        "documents": pa.array([step.documents for step in steps], pa.int64()),
        "previous_documents": pa.array([step.documents_before for step in steps], pa.int64()),
        "kept": pa.array([step.kept for step in steps], pa.int64()),
        "joined": pa.array([step.joined for step in steps], pa.int64()),
        "left": pa.array([step.left for step in steps], pa.int64()),
        "name": pa.array([names.get(step.cluster_id) for step in steps], pa.string()),
        "previous_name": pa.array([last_names.get(step.cluster_id) for step in steps], pa.string()),
    }
