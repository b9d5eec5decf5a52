"""The runs that mode composite combines: their clusters, and the documents of each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from clustercontract.run import PreviousRun, RunSpec
from clusterworker.data.arrays import NOISE, Rows
from clusterworker.data.sorted_arrays import places_in
from clusterworker.data.sources.batch import BATCH_ROWS, Batch, FilePlace
from clusterworker.data.sources.collections import of_another_model, of_other_dimensions
from clusterworker.data.sources.messages import OTHER_MODEL
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.text import one_line
from clusterworker.run.results.centroids import CENTROIDS, StoredCentroids
from clusterworker.run.results.earlier import clusters_of
from clusterworker.run.results.previous import file_of
from clusterworker.run.results.record import MEMBERS, SPEC
from clusterworker.storage.file import open_file

_REMEDY = "name another run in source_execution_ids"


class Source:
    """An earlier run: its clusters as a collection, in which each cluster with documents is a document.

    Args:
        run: The Job's name.
        stored: Its clusters.
        members: members.parquet, for pyarrow.
        collection_id: Collection of all its documents, if members.parquet does not contain the collections.

    Attributes:
        ids: cluster_id of each cluster, shape (clusters,).
        sizes: Documents of each cluster, shape (clusters,).
    """

    def __init__(self, run: str, stored: StoredCentroids, members: pq.ParquetFile, collection_id: str) -> None:
        self.collection_id, self.embedding_model = run, stored.embedding_model
        used = np.flatnonzero(stored.sizes)
        self._stored = stored.taken(used)
        self.ids, self.sizes = self._stored.ids, self._stored.sizes
        self.rows, self.dimensions = self._stored.centroids.shape
        self._members, self._collection_id = members, collection_id

    @property
    def has_integer_ids(self) -> bool:
        """Whether the ids of its documents are integers."""
        return bool(pa.types.is_integer(self._members.schema_arrow.field("document_id").type))

    @property
    def shown(self) -> list[str]:
        """Names of the clusters in the report."""
        return [f"{number} of {self.collection_id}" for number in self.ids.tolist()]

    def batches(self, index: int) -> Iterator[Batch]:
        """See Collection."""
        for first in range(0, self.rows, BATCH_ROWS):
            part = slice(first, first + BATCH_ROWS)
            place = FilePlace(f"{CENTROIDS} of {self.collection_id}", first)
            yield Batch(pa.array(self.shown[part], pa.string()), self._stored.centroids[part], index, place)

    def texts(self, rows: Rows) -> dict[int, str]:
        """Returns the names of clusters."""
        return {int(row): self._stored.names[row] for row in rows}

    def documents(self) -> Iterator[tuple[Any, Any, Rows]]:
        """Yields ids, collection ids and clusters of its documents, in batches. A cluster is its place, or NOISE.

        Raises:
            MisconfiguredError: a document is in a cluster that there is not.
        """
        order = np.argsort(self.ids)
        ordered = self.ids[order]
        for batch in self._members.iter_batches():
            count = batch.num_rows
            if "collection_id" in batch.schema.names:
                collections = batch["collection_id"].cast(pa.string())
            else:
                collections = pa.repeat(self._collection_id, count)
            numbers = batch["cluster_id"].to_numpy().astype(np.int64)
            places, known = places_in(ordered, numbers)
            if not known[numbers != NOISE].all():
                raise MisconfiguredError(
                    f"{MEMBERS} of run {self.collection_id} names clusters that {CENTROIDS} does not have: {_REMEDY}"
                )
            labels = np.full(count, NOISE, np.int64)
            labels[known] = order[places[known]]
            yield batch["document_id"], collections, labels


def open_sources(spec: RunSpec, secrets: Path) -> list[Source]:
    """Opens the runs whose centroids are clustered.

    Args:
        spec: Spec of the run.
        secrets: where Secrets are mounted.

    Raises:
        MisconfiguredError: the results of one are gone or damaged, or two do not fit together.
        RunError: a bucket or a volume does not answer.
    """
    opened = [_open(source, spec, secrets) for source in spec.sources]
    if mismatch := of_other_dimensions(opened):
        first, other = mismatch
        raise MisconfiguredError(
            f"run {first.collection_id} clustered vectors of {first.dimensions} dimensions, but run "
            f"{other.collection_id} of {other.dimensions}: {_REMEDY}"
        )
    if mismatch := of_another_model(opened):
        first, other = mismatch
        raise MisconfiguredError(
            f"run {first.collection_id} clustered vectors of {first.embedding_model}, but run "
            f"{other.collection_id} of {other.embedding_model}: {OTHER_MODEL}; or {_REMEDY}"
        )
    if not any(source.rows for source in opened):
        raise MisconfiguredError(f"none of the {len(opened)} runs has clusters with documents: {_REMEDY}")
    return opened


def _open(source: PreviousRun, spec: RunSpec, secrets: Path) -> Source:
    stored = clusters_of(source, spec, secrets, _REMEDY)
    try:
        members = pq.ParquetFile(file_of(source, MEMBERS, spec, secrets))
        has_collections = "collection_id" in members.schema_arrow.names
        collection_id = "" if has_collections else _collection_of(source, spec, secrets)
    except (ValueError, KeyError, OSError, pa.ArrowException, ValidationError) as error:
        raise MisconfiguredError(
            f"the documents of run {source.run} cannot be read: {source.uri}: {one_line(error)}: {_REMEDY}"
        ) from error
    return Source(source.run, stored, members, collection_id)


def _collection_of(source: PreviousRun, spec: RunSpec, secrets: Path) -> str:
    """Returns the only collection that a run has read."""
    uri = f"{source.uri}/{SPEC}"
    content = open_file(uri, source.results or spec.results, secrets).read()
    if content is None:
        raise FileNotFoundError(f"{uri} does not exist")
    return RunSpec.model_validate_json(content).collections[0].collection_id
