"""Writes and reads the Parquet tables of a run: members, centroids, and the changes since the previous run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clusterworker.clustering.algorithms.start import Positions
from clusterworker.clustering.naming import BEGINNING, END, LONGEST
from clusterworker.clustering.succession import Step
from clusterworker.clustering.survey import Distances
from clusterworker.data.arrays import NOISE, Labels, Rows, Vectors
from clusterworker.data.sorted_arrays import places_in
from clusterworker.data.sources.batch import Batch
from clusterworker.run.results.record import MEMBERS

CENTROIDS, LINEAGE = "centroids.parquet", "lineage.parquet"
LAYOUT, MODES = "layout.parquet", "modes.parquet"
_BY = b"layout"
"""Key in the metadata of LAYOUT."""
_ALGORITHM, _METRIC, _NEXT, _MODEL = b"algorithm", b"metric", b"next_cluster_id", b"embedding_model"
"""Keys in the metadata of CENTROIDS, which the next run reads."""


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
