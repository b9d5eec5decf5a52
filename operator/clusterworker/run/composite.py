"""Carries out a run with mode composite.

It clusters the centroids of earlier runs, and assigns documents to the cluster of their centroid. The weight of a
centroid is the number of documents of its cluster. The algorithm gets as many copies of it, because every algorithm
keeps copies together and counts them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from clustercontract.run import PreviousRun, RunSpec
from clusterworker.clustering.algorithms.choice import cluster
from clusterworker.clustering.algorithms.start import Start
from clusterworker.clustering.description import LastNames, describe
from clusterworker.clustering.naming import of_document
from clusterworker.clustering.survey import Distances, Membership, survey
from clusterworker.data.arrays import NOISE, Labels, Rows
from clusterworker.data.dataset import SpooledDataset, StreamedDataset
from clusterworker.data.sorted_arrays import places_in
from clusterworker.data.sources.batch import BATCH_ROWS, Batch, FilePlace
from clusterworker.data.sources.collection import Collection
from clusterworker.data.sources.collections import of_another_model, of_other_dimensions
from clusterworker.data.sources.messages import OTHER_MODEL
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.progress import Progress
from clusterworker.process.text import one_line
from clusterworker.run.findings import Findings
from clusterworker.run.results.earlier import clusters_of
from clusterworker.run.results.previous import (
    Shared,
    begun_in_words,
    changes_of,
    crossing_of,
    distance_limit,
    file_of,
    keys_of,
    names_of,
    numbered,
    previous_of,
)
from clusterworker.run.results.record import MEMBERS, SPEC
from clusterworker.run.results.tables import CENTROIDS, StoredCentroids, members_schema, members_writer, renumber
from clusterworker.storage.file import open_file

MOST_COPIES = 20_000
"""Approximate number of copies of all centroids together, which every algorithm clusters without a sample."""
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
    if odd := of_other_dimensions(opened):
        first, other = odd
        raise MisconfiguredError(
            f"run {first.collection_id} clustered vectors of {first.dimensions} dimensions, but run "
            f"{other.collection_id} of {other.dimensions}: {_REMEDY}"
        )
    if odd := of_another_model(opened):
        first, other = odd
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
        told = "collection_id" in members.schema_arrow.names
        collection_id = "" if told else _collection_of(source, spec, secrets)
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


@dataclass(frozen=True)
class _Copies:
    """A source in which each cluster occurs as often as its weight says."""

    source: Source
    counts: Rows

    @property
    def collection_id(self) -> str:
        """See Collection."""
        return self.source.collection_id

    @property
    def rows(self) -> int:
        """See Collection."""
        return int(self.counts.sum())

    @property
    def dimensions(self) -> int:
        """See Collection."""
        return int(self.source.dimensions)

    has_integer_ids, embedding_model = True, ""

    def batches(self, index: int) -> Iterator[Batch]:
        """See Collection."""
        for batch in self.source.batches(index):
            first = batch.place.row if isinstance(batch.place, FilePlace) else 0
            counts = self.counts[first : first + len(batch.vectors)]
            vectors = np.repeat(batch.vectors, counts, axis=0)
            yield Batch(pa.array(np.arange(len(vectors))), vectors, index, batch.place)

    def texts(self, rows: Rows) -> dict[int, str]:
        """See Collection."""
        return {}


def copies_of(sizes: Rows) -> Rows:
    """Returns how often each centroid occurs: as often as its cluster has documents, or in proportion, at least once.

    Args:
        sizes: Documents of each cluster, at least 1, shape (clusters,).
    """
    total = int(sizes.sum())
    if total <= MOST_COPIES:
        return sizes
    return np.asarray(np.maximum(np.rint(sizes * (MOST_COPIES / total)), 1), np.int64)


def cluster_centroids(
    spec: RunSpec,
    seed: int,
    sources: Sequence[Source],
    staged: Path,
    scratch: Path,
    secrets: Path,
    memory: int,
    progress: Progress,
) -> Findings:
    """Clusters the centroids of earlier runs, and writes members.parquet with the documents of all of them.

    Args:
        spec: Spec of the run.
        seed: Seed of all random choices.
        sources: Sources from `open_sources`.
        staged: Directory for members.parquet.
        scratch: Directory for a copy of the centroids.
        secrets: Directory of mounted Secrets.
        memory: Bytes that may be used.
        progress: Receives the progress.

    Raises:
        MisconfiguredError: the parameters do not fit the centroids.
    """
    config = spec.config
    inside = [source for source in sources if source.rows]
    count = sum(source.rows for source in inside)
    progress.phase("cluster", f"clustering {count} centroids of {len(sources)} runs by {config.algorithm}")
    ends = np.cumsum([source.rows for source in inside])
    counts = np.split(copies_of(np.concatenate([source.sizes for source in inside])), ends[:-1])
    copies: list[Collection] = [_Copies(*each) for each in zip(inside, counts, strict=True)]
    weighted = SpooledDataset(StreamedDataset(copies, config.metric, progress), scratch)
    previous = previous_of(spec, sources[0].dimensions, secrets, memory)
    start = Start(previous.ancestors.run, previous.ancestors.centroids) if previous.ancestors else None
    clustering = cluster(weighted, config, seed, memory, progress, start)
    if clustering.labels is None:
        raise TypeError("a spooled data set without labels")
    each = np.concatenate(counts)
    labels = clustering.labels[np.cumsum(each) - each]
    own = replace(clustering, labels=labels, layered=None, layout=None, modes=None)
    apart = np.full(count, np.nan, np.float32)

    def keep(batch: Batch, _: Labels, distances: Distances) -> None:
        first = int(ends[batch.collection]) - inside[batch.collection].rows
        row = first + (batch.place.row if isinstance(batch.place, FilePlace) else 0)
        apart[row : row + len(distances)] = distances

    among: list[Collection] = list(inside)
    found = survey(StreamedDataset(among, config.metric, progress), own, config.metric, seed, keep, progress)

    progress.phase("assign", f"writing the members of {len(own.centroids)} clusters")
    starts = {id(source): int(end) - source.rows for source, end in zip(inside, ends, strict=True)}
    shared = previous.members.counter_by_key(len(own.centroids)) if previous.members else None
    written = _write_members(staged / MEMBERS, sources, starts, labels, apart, len(own.centroids), shared, progress)
    membership = Membership(written.sizes, written.noise, found.central, found.reservoir)
    order = membership.largest_first()
    if shared:
        shared.reorder(order)
    own = replace(own, centroids=own.centroids[order], means=own.means[order], labels=None)
    succession = numbered(previous, config, own, membership.sizes, distance_limit(config, found), shared)
    ids = np.empty_like(order)
    ids[order] = succession.ids
    renumber(staged / MEMBERS, ids)
    notes = [
        *previous.notes,
        f"{count} centroids of {len(sources)} runs are clustered, weighted by their numbers of documents",
        *begun_in_words(own),
        *clustering.notes,
    ]
    if written.repeated:
        notes.append(
            f"{written.repeated:,} documents are in several of the runs: each of them has the cluster of the last run"
        )
    for note in notes:
        progress.info(note)
    shown = [name for source in inside for name in source.shown]
    places = np.argsort(order)
    held = {
        (int(places[label]), of_document(name)) for label, name in zip(labels, shown, strict=True) if label != NOISE
    }
    said = describe(
        among,
        membership,
        succession.ids,
        None,
        (),
        lambda rows: {int(row): shown[row] for row in rows},
        LastNames(names_of(previous, succession), lambda names: {p for p, name in names.items() if (p, name) in held}),
    )
    return Findings(
        spec=spec,
        seed=seed,
        clustering=own,
        survey=membership,
        metrics={},
        notes=notes,
        names=said.names,
        clusters=said.clusters,
        texts=said.texts,
        finished_at=datetime.now(UTC),
        succession=succession,
        changes=changes_of(previous, succession, own, shared, said.names),
        last_names=previous.had,
        shown=shown,
        crossing=crossing_of(previous, shared),
    )


@dataclass(frozen=True)
class _Written:
    sizes: Rows
    noise: int
    repeated: int


def _write_members(
    file: Path,
    sources: Sequence[Source],
    starts: dict[int, int],
    labels: Labels,
    apart: npt.NDArray[np.float32],
    clusters: int,
    shared: Shared | None,
    progress: Progress,
) -> _Written:
    """Writes every document once. A document of several runs is written as in the last of them."""
    integers = all(source.has_integer_ids for source in sources)
    schema = members_schema(integer_ids=integers, tells_collections=True)
    # The last number of each is for NOISE, which is -1.
    labels, apart = np.append(labels, NOISE), np.append(apart, np.float32(np.nan))
    sizes, noise, repeated = np.zeros(clusters, np.int64), 0, 0
    seen = np.empty(0, np.int64)
    with members_writer(file, schema) as writer:
        for done, source in enumerate(reversed(sources)):
            fresh = [seen]
            start = starts.get(id(source), 0)
            for given, collections, places in source.documents():
                ids = given.cast(schema.field("document_id").type)
                keys = keys_of(ids, collections.to_pylist())
                _, known = places_in(seen, keys)
                fresh.append(keys[~known])
                repeated += int(known.sum())
                mask = pa.array(~known)
                rows = np.where(places == NOISE, NOISE, start + places)[~known]
                own = labels[rows].astype(np.int32)
                columns = [
                    ids.filter(mask),
                    pa.array(own),
                    pa.array(apart[rows], from_pandas=True),
                    collections.filter(mask).dictionary_encode(),
                ]
                writer.write_batch(pa.record_batch(columns, schema=schema))
                if shared:
                    shared.add(keys[~known], own)
                sizes += np.bincount(own[own != NOISE], minlength=clusters)
                noise += int((own == NOISE).sum())
            seen = np.unique(np.concatenate(fresh))
            progress.advance((done + 1) / len(sources))
    return _Written(sizes, noise, repeated)
