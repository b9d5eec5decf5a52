"""The Parquet tables of a run: members and centroids."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clusterworker.clustering.survey import Distances
from clusterworker.data.arrays import Labels, Rows, Vectors
from clusterworker.data.sources.batch import Batch


class MembersTable:
    """Writes members.parquet while documents stream by.

    Columns: document_id (string, or int64 if all ids are integers), cluster_id (int32, -1 is noise),
    distance_to_centroid (float, null for noise), and collection_id if there are several collections.

    Args:
        file: to write.
        collection_ids: in the order of the RunSpec.
        integer_ids: whether document ids are integers.
    """

    def __init__(self, file: Path, collection_ids: Sequence[str], *, integer_ids: bool) -> None:
        fields = [
            pa.field("document_id", pa.int64() if integer_ids else pa.string(), nullable=False),
            pa.field("cluster_id", pa.int32(), nullable=False),
            pa.field("distance_to_centroid", pa.float32()),
        ]
        self._collections = list(collection_ids) if len(collection_ids) > 1 else []
        if self._collections:
            fields.append(pa.field("collection_id", pa.dictionary(pa.int32(), pa.string()), nullable=False))
        self._schema = pa.schema(fields)
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, batch: Batch, labels: Labels, distances: Distances) -> None:
        """Append a batch."""
        columns: list[Any] = [batch.ids, pa.array(labels), pa.array(distances, from_pandas=True)]
        if self._collections:
            indices = pa.array([batch.collection] * len(labels), pa.int32())
            columns.append(pa.DictionaryArray.from_arrays(indices, pa.array(self._collections)))
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()


def write_centroids(file: Path, centroids: Vectors, sizes: Rows, names: Sequence[str]) -> None:
    """Write centroids.parquet: cluster_id, name, documents, centroid (FixedSizeList<float32>)."""
    dimensions = centroids.shape[1]
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(centroids.ravel()), dimensions)
    table = pa.table(
        {
            "cluster_id": pa.array(range(len(centroids)), pa.int32()),
            "name": pa.array(list(names), pa.string()),
            "documents": pa.array(sizes, pa.int64()),
            "centroid": vectors,
        }
    )
    pq.write_table(table, file, compression="zstd")


def read_document_ids(members: Path, rows: Rows) -> dict[int, str | int]:
    """Return the ids of some documents, by row number of the whole data set.

    Args:
        members: members.parquet, which lists documents in the order of the data set.
        rows: row numbers, in any order; only row groups that hold one of them are read.
    """
    ids: dict[int, str | int] = {}
    wanted, first = np.sort(rows), 0
    with pq.ParquetFile(members, pre_buffer=False) as file:
        for group in range(file.num_row_groups):
            end = first + file.metadata.row_group(group).num_rows
            begin, stop = np.searchsorted(wanted, [first, end])
            if begin < stop:
                inside = wanted[begin:stop]
                column = file.read_row_group(group, columns=["document_id"])["document_id"]
                ids.update(zip(inside.tolist(), column.take(inside - first).to_pylist(), strict=True))
            first = end
    return ids
