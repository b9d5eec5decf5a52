"""Writes the outputs of a run: the cluster of each document, from members.parquet with the names of clusters."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clustercontract.output import CLUSTERS, OutputInput
from clustercontract.run import RunSpec
from clusterworker.data.arrays import Rows
from clusterworker.data.sorted_arrays import places_in
from clusterworker.data.sources.collection import Collection
from clusterworker.outputs.table import BATCH_ROWS, Table
from clusterworker.outputs.writing import OutputSet
from clusterworker.process.progress import Progress
from clusterworker.run.results.record import lineage

_COLLECTION = pa.field("collection_id", pa.string(), nullable=False)
_VALUES = [
    pa.field("cluster_id", pa.int32(), nullable=False),
    pa.field("cluster_name", pa.string()),
    pa.field("cluster_distance", pa.float32()),
]


class Outputs:
    """The collections that a run writes.

    Args:
        spec: Spec of the run.
        members: members.parquet, which is written in the meantime.
        scratch: Directory for temporary files.
        secrets: Directory with one directory per mounted Secret.
    """

    def __init__(self, spec: RunSpec, members: Path, scratch: Path, secrets: Path) -> None:
        self._spec = spec
        self._members = members
        self._outputs = OutputSet(spec.outputs, scratch, secrets)
        self._integer_ids = False

    def check_before_reading(self) -> None:
        """Checks the outputs that may add columns to a collection that the run reads.

        Raises:
            RunError: one of them cannot.
        """
        self._outputs.check_before_reading(lambda output: self._labels_of(output).table(self._spec))

    def check(self, collections: Sequence[Collection]) -> None:
        """Checks the other outputs, before anything is computed.

        Raises:
            RunError: one of them cannot.
        """
        self._integer_ids = all(collection.has_integer_ids for collection in collections)
        self._outputs.check(lambda output: self._labels_of(output).table(self._spec))

    def write(self, ids: Rows, names: Sequence[str], progress: Progress) -> list[str]:
        """Writes the outputs, when members.parquet is complete.

        Args:
            ids: cluster_id of each cluster, shape (clusters,).
            names: Names of the clusters.
            progress: Receives the progress.

        Returns:
            What was written, a line for each.

        Raises:
            RunError: one of them failed, and how far it got.
        """

        def table_of(output: OutputInput) -> Table:
            labels = self._labels_of(output)
            labels.name(ids, names)
            return labels.table(self._spec, labels.rows())

        return self._outputs.write(table_of, progress)

    def _labels_of(self, output: OutputInput) -> "Labels":
        several = len(self._spec.collections) > 1 or self._spec.mode == "composite"
        return Labels(self._members, output, several=several, integer_ids=self._integer_ids)


class Labels:
    """Returns the rows of members.parquet for one output.

    Args:
        members: The file. Until it is written, only the table's schema can be read.
        output: The output. If the run also reads it, it gets only its own documents.
        several: Whether the run reads several collections, so that document ids may not be unique.
        integer_ids: Whether document ids are integers.
    """

    def __init__(self, members: Path, output: OutputInput, *, several: bool, integer_ids: bool) -> None:
        self._members = members
        self._only = output.collection_id if output.reads and several else None
        self._tells_collections = several and not output.reads
        identifier = pa.field("document_id", pa.int64() if integer_ids else pa.string(), nullable=False)
        self.schema = pa.schema([identifier, *([_COLLECTION] if self._tells_collections else []), *_VALUES])
        self._ids: Rows = np.empty(0, np.int64)
        self._names = pa.array([], pa.string())

    def name(self, ids: Rows, names: Sequence[str]) -> None:
        """Sets the clusters' names.

        Args:
            ids: cluster_id of each cluster, shape (clusters,).
            names: Names of the clusters.
        """
        order = np.argsort(ids)
        self._ids, self._names = ids[order], pa.array([names[place] for place in order], pa.string())

    def table(self, spec: RunSpec, rows: int = 0) -> Table:
        """Returns the table for outputs.

        Args:
            spec: Spec of the run.
            rows: Number of rows.
        """
        keys = ("document_id", "collection_id") if self._tells_collections else ("document_id",)
        run = spec.outputs_run or spec.run
        before = spec.previous.run if spec.previous else None
        return Table(
            name=CLUSTERS,
            schema=self.schema,
            keys=keys,
            rows=rows,
            batches=self._batches,
            run=run,
            lineage=f"{lineage(run)}-",
            previous=spec.outputs_before or before,
        )

    def rows(self) -> int:
        """Returns the number of rows."""
        if self._only is None:
            with pq.ParquetFile(self._members, pre_buffer=False) as file:
                return int(file.metadata.num_rows)
        return sum(batch.num_rows for batch in self._read(["document_id"]))

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for batch in self._read(["document_id", "cluster_id", "distance_to_centroid"]):
            numbers = batch["cluster_id"].to_numpy()
            places, known = places_in(self._ids, numbers)
            names = self._names.take(pa.array(places, pa.int64(), mask=~known))
            columns = [batch["document_id"]]
            if self._tells_collections:
                columns.append(_collections(batch))
            columns += [batch["cluster_id"], names, batch["distance_to_centroid"]]
            yield pa.record_batch(columns, schema=self.schema)

    def _read(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        needs_collection = self._only is not None or self._tells_collections
        wanted = [*columns, "collection_id"] if needs_collection else columns
        with pq.ParquetFile(self._members, pre_buffer=False) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=wanted):
                found = batch if self._only is None else batch.filter(pc.equal(_collections(batch), self._only))
                if found.num_rows:
                    yield found


def _collections(batch: pa.RecordBatch) -> Any:
    return batch["collection_id"].cast(pa.string())
