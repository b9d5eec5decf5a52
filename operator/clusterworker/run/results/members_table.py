"""Writes and reads members.parquet: the cluster of each document."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clusterworker.clustering.naming import BEGINNING, END, LONGEST
from clusterworker.clustering.survey import Distances
from clusterworker.data.arrays import NOISE, Labels, Rows
from clusterworker.data.sources.batch import Batch


def members_schema(*, integer_ids: bool, tells_collections: bool) -> pa.Schema:
    """Returns the schema of members.parquet.

    Columns: document_id (string, or int64 if all ids are integers), cluster_id (int32, -1 is noise),
    distance_to_centroid (float, null for noise), and collection_id if there are several collections.
    """
    fields = [
        pa.field("document_id", pa.int64() if integer_ids else pa.string(), nullable=False),
        pa.field("cluster_id", pa.int32(), nullable=False),
        pa.field("distance_to_centroid", pa.float32()),
    ]
    if tells_collections:
        fields.append(pa.field("collection_id", pa.dictionary(pa.int32(), pa.string()), nullable=False))
    return pa.schema(fields)


def members_writer(file: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Returns the writer of members.parquet, without dictionaries for columns whose values are almost all different."""
    repeated = [name for name in ("cluster_id", "collection_id") if name in schema.names]
    return pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=repeated)


class MembersTable:
    """Writes members.parquet while documents are read; see `members_schema`.

    Args:
        file: The file to write.
        collection_ids: Collections in the order of the RunSpec.
        integer_ids: Whether document ids are integers.
    """

    def __init__(self, file: Path, collection_ids: Sequence[str], *, integer_ids: bool) -> None:
        self._collections = list(collection_ids) if len(collection_ids) > 1 else []
        self._schema = members_schema(integer_ids=integer_ids, tells_collections=bool(self._collections))
        self._writer = members_writer(file, self._schema)

    def write(self, batch: Batch, labels: Labels, distances: Distances) -> None:
        """Appends a batch."""
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


def renumber(members: Path, ids: Rows) -> None:
    """Replaces places by cluster_ids in members.parquet, because the clusters were not numbered when it was written.

    Args:
        members: The file.
        ids: cluster_id by place, shape (clusters,).
    """
    if np.array_equal(ids, np.arange(len(ids))):
        return
    draft = members.with_suffix(".renumbered")
    with (
        pq.ParquetFile(members, pre_buffer=False) as old,
        members_writer(draft, old.schema_arrow) as new,
    ):
        for group in range(old.num_row_groups):
            new.write_table(renumbered(old.read_row_group(group), ids))
    draft.replace(members)


def renumbered(members: Any, ids: Rows) -> Any:
    """Returns rows of members.parquet with cluster_ids instead of places, as `renumber` does."""
    numbers = np.append(ids, NOISE).astype(np.int32)  # The last number is for NOISE, which is -1.
    place = members.schema.get_field_index("cluster_id")
    column = pa.array(numbers[members["cluster_id"].to_numpy()])
    return members.set_column(place, members.schema.field(place), column)


def read_clusters_named_after(members: Path, names: Mapping[int, str]) -> set[int]:
    """Returns which clusters contain the document whose id is their name.

    Args:
        members: members.parquet.
        names: Names by cluster_id.
    """
    wanted = pa.array(sorted(set(names.values())), pa.string())
    found: set[int] = set()
    with pq.ParquetFile(members, pre_buffer=False) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=["document_id", "cluster_id"])
            ids = table["document_id"].cast(pa.string())
            ends = pc.utf8_slice_codeunits(ids, 0, BEGINNING), pc.utf8_slice_codeunits(ids, -END)
            ids = pc.if_else(pc.greater(pc.utf8_length(ids), LONGEST), pc.binary_join_element_wise(*ends, "…"), ids)
            named = pc.is_in(ids, wanted)
            own = zip(table["cluster_id"].filter(named).to_pylist(), ids.filter(named).to_pylist(), strict=True)
            found.update(number for number, name in own if names.get(number) == name)
    return found


def read_document_ids(members: Path, rows: Rows) -> dict[int, str | int]:
    """Returns the ids of some documents, by row number of the whole data set.

    Args:
        members: members.parquet, which lists documents in the order of the data set.
        rows: Row numbers, in any order. Only row groups that contain one of them are read.
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
