"""Reads the previous run's folder, as far as it determines the numbers of this run's clusters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from clustercontract.brief import Changes
from clustercontract.clustering import ClusteringConfig
from clustercontract.run import PreviousRun, RunSpec
from clusterworker.clustering.algorithms.clustering import Clustering
from clusterworker.clustering.algorithms.start import Positions, Start
from clusterworker.clustering.description import LastNames
from clusterworker.clustering.succession import LISTED, Ancestors, Succession, anew, in_words, limit_of, succeed
from clusterworker.clustering.survey import Distances, MemberWriter, Survey
from clusterworker.data.arrays import NOISE, Flags, Labels, Rows, Vectors
from clusterworker.data.dataset import Dataset
from clusterworker.data.sorted_arrays import places_in
from clusterworker.data.sources.batch import Batch
from clusterworker.data.sources.document_ids import document_keys
from clusterworker.process.errors import RunError
from clusterworker.process.text import one_line
from clusterworker.run.findings import Crossing
from clusterworker.run.results.record import MEMBERS
from clusterworker.run.results.tables import (
    CENTROIDS,
    LAYOUT,
    MODES,
    read_centroids,
    read_clusters_named_after,
    read_layout,
    read_modes,
)
from clusterworker.storage.file import open_file

ABSENT = -1
"""Place of a document that the previous run did not have."""
_BYTES_PER_DOCUMENT, _BYTES_WITH_LAYERS = 12, 60
"""The second with ten layers, the most by default."""


@dataclass(frozen=True)
class Previous:
    """What a run knows about the previous one.

    Attributes:
        next_id: No cluster of the trigger has had this cluster_id or a higher one.
        ancestors: The clusters of the previous run; None if clusters are renumbered.
        names: Their names.
        members: Its documents; None if they cannot be compared.
        modes: Modes of mean_shift, shape (clusters, dimensions); None if unknown.
        notes: What is unknown, and why.
    """

    next_id: int = 0
    ancestors: Ancestors | None = None
    names: tuple[str, ...] = ()
    members: Members | None = None
    modes: Vectors | None = None
    notes: tuple[str, ...] = ()

    @property
    def had(self) -> dict[int, str]:
        """Names of its clusters by cluster_id."""
        return {} if self.ancestors is None else dict(zip(self.ancestors.ids.tolist(), self.names, strict=True))


class Members:
    """The documents of the previous run, and those of them that this run also reads.

    A hash of 64 bits identifies documents. Among a billion documents, the probability of a collision is a few percent.

    Args:
        table: members.parquet of the previous run.
        ancestors: Its clusters.
        layout: Positions of its documents, in the order of the table, if it computed a layout.
        layered: Whether other granularities will be needed.

    Attributes:
        noise: Number of documents in no cluster.
    """

    def __init__(
        self, table: pq.ParquetFile, ancestors: Ancestors, layout: Positions | None = None, *, layered: bool = False
    ) -> None:
        self._by_collection = "collection_id" in table.schema_arrow.names
        keys, labels = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for batch in table.iter_batches():
            names = batch["collection_id"].to_pylist() if self._by_collection else None
            keys.append(keys_of(batch["document_id"], names))
            labels.append(batch["cluster_id"].to_numpy())
        every = np.concatenate(keys)
        if layout is not None and len(layout.values) != len(every):
            raise ValueError(f"{LAYOUT} holds {len(layout.values)} documents, {MEMBERS} holds {len(every)}")
        order = np.argsort(every, kind="stable")
        self._keys = every[order]
        self._layout = None if layout is None else Positions(layout.by, layout.values[order])
        self._order = order if layered else np.empty(0, np.int64)
        self._put(ancestors, np.concatenate(labels)[order].astype(np.int32), MEMBERS, CENTROIDS)

    def at(self, ancestors: Ancestors, labels: Labels, file: str, names: str) -> Members:
        """Returns the same documents in the clusters of another granularity.

        Args:
            ancestors: These clusters.
            labels: cluster_id of each document, in the order of the table.
            file: File that contains the labels, for the error.
            names: File that contains the clusters, for the error.

        Raises:
            ValueError: a document's cluster is none of these.
        """
        if len(labels) != len(self._order):
            raise ValueError(f"{file} holds {len(labels)} documents, {MEMBERS} holds {len(self._order)}")
        other = copy(self)
        other._put(ancestors, labels[self._order], file, names)
        return other

    def _put(self, ancestors: Ancestors, labelled: Labels, file: str, names: str) -> None:
        # Clusters are represented by their place, and noise comes after the last one.
        self._clusters = len(ancestors.ids)
        places = np.argsort(ancestors.ids)
        found = np.searchsorted(ancestors.ids[places], labelled)
        known = labelled != NOISE
        if (found[known] >= self._clusters).any() or (ancestors.ids[places[found[known]]] != labelled[known]).any():
            raise ValueError(f"{file} names clusters that {names} does not have")
        self.noise = int(len(labelled) - known.sum())
        self._labels = np.full(len(labelled), self._clusters, np.int32)
        self._labels[known] = places[found[known]]

    def counter(self, clusters: int, collection_ids: list[str]) -> Shared:
        """Returns an object that counts documents of both runs.

        Args:
            clusters: Number of clusters of this run.
            collection_ids: Collections in the order of the RunSpec.
        """
        return Shared(partial(self._find, collection_ids), self._labels, (self._clusters + 1, clusters + 1))

    def counter_by_key(self, clusters: int) -> Shared:
        """Returns an object that counts documents of both runs, which are identified by their keys (`keys_of`).

        Args:
            clusters: Number of clusters of this run.
        """
        return Shared(partial(places_in, self._keys), self._labels, (self._clusters + 1, clusters + 1))

    def among(self, dataset: Dataset, collection_ids: list[str]) -> tuple[Labels, Positions | None]:
        """Returns where the documents of this run were in the previous run: their cluster and position in the layout.

        Args:
            dataset: The documents of this run.
            collection_ids: Collections in the order of the RunSpec.
        """
        layout = self._layout
        places = self.places(dataset, collection_ids)
        rows = np.flatnonzero(places != ABSENT)
        labels = np.full(dataset.rows, NOISE, np.int32)
        own = self._labels[places[rows]]
        labels[rows] = np.where(own == self._clusters, NOISE, own)
        if layout is None:
            return labels, None
        values = np.full((dataset.rows, layout.values.shape[1]), np.nan, np.float32)
        values[rows] = layout.values[places[rows]]
        return labels, Positions(layout.by, values)

    def places(self, dataset: Dataset, collection_ids: list[str]) -> Rows:
        """Returns which of its documents each document of this run is, or ABSENT, shape (rows,).

        Args:
            dataset: The documents of this run.
            collection_ids: Collections in the order of the RunSpec.
        """
        found, first = np.full(dataset.rows, ABSENT, np.int64), 0
        for batch in dataset.batches():
            places, known = self._find(collection_ids, batch)
            found[first + np.flatnonzero(known)] = places[known]
            first += len(known)
        return found

    def shared(self, places: Rows, labels: Labels, clusters: int) -> Any:
        """Returns the number of documents that each earlier and each current cluster share, as `Shared.counts`.

        Args:
            places: Places of this run's documents, from `places`.
            labels: Current labels of the same documents, shape (rows,).
            clusters: Number of clusters of this run.
        """
        known = places != ABSENT
        return _crossed(self._labels[places[known]], labels[known], (self._clusters + 1, clusters + 1))

    def _find(self, collection_ids: list[str], batch: Batch) -> tuple[Rows, Flags]:
        """Returns the place of each of the batch's documents in the previous run, and whether it exists there."""
        names = [collection_ids[batch.collection]] * len(batch.ids) if self._by_collection else None
        keys = keys_of(batch.ids, names)
        return places_in(self._keys, keys)


class Shared:
    """Counts documents of both runs by their earlier and their current cluster.

    Attributes:
        counts: Counts, shape (clusters before + 1, clusters now + 1); the last of each is noise.
    """

    def __init__(self, find: Callable[[Any], tuple[Rows, Flags]], labels: Labels, shape: tuple[int, int]) -> None:
        self._find, self._labels = find, labels
        self.counts: Any = sparse.csr_array(shape, dtype=np.int64)

    def before(self, write: MemberWriter) -> MemberWriter:
        """Returns a function that counts a batch, and then writes it."""

        def both(batch: Batch, labels: Labels, distances: Distances) -> None:
            self.add(batch, labels)
            write(batch, labels, distances)

        return both

    def add(self, documents: Any, labels: Labels) -> None:
        """Adds documents of this run, as a Batch or by their keys, and their clusters, shape (rows,)."""
        places, known = self._find(documents)
        self.counts = self.counts + _crossed(self._labels[places[known]], labels[known], self.counts.shape)

    def reorder(self, order: Rows) -> None:
        """Reorders the clusters of this run, after all documents have been added.

        Args:
            order: Places of the clusters, shape (clusters,).
        """
        self.counts = self.counts[:, np.append(order, len(order))]


def _crossed(before: Labels, now: Labels, shape: tuple[int, int]) -> Any:
    ones = np.ones(len(now), np.int64)
    return sparse.csr_array((ones, (before, np.where(now == NOISE, shape[1] - 1, now))), shape=shape)


def is_lasting(config: ClusteringConfig) -> bool:
    """Returns whether clusters keep the numbers of the previous run."""
    return config.ids == "lasting"


def previous_of(spec: RunSpec, dimensions: int, secrets: Path, memory: int) -> Previous:
    """Returns what is known about the previous run. If a part cannot be read, it is unknown, and a note has the reason.

    Args:
        spec: Spec of this run.
        dimensions: Dimensions of its documents.
        secrets: where Secrets are mounted.
        memory: Bytes that the container may use. An eighth of it is for the documents' hashes.
    """
    last = spec.previous
    if last is None:
        return Previous()
    try:
        kept = read_centroids(file_of(last, CENTROIDS, spec, secrets))
    except (RunError, OSError, ValueError, KeyError, pa.ArrowException) as error:
        why = f"the clusters of {last.run} cannot be read: {one_line(error)}"
        return Previous(last.next_cluster_id, notes=_anew(spec, why))
    next_id = max(last.next_cluster_id, kept.next_id)
    if not is_lasting(spec.config):
        return Previous(next_id)
    ours = {"algorithm": _canonical(spec.config.algorithm), "metric": spec.config.metric, "dimensions": dimensions}
    theirs = {"algorithm": _canonical(kept.algorithm), "metric": kept.metric, "dimensions": kept.centroids.shape[1]}
    for name, value in ours.items():
        if value != theirs[name]:
            return Previous(next_id, notes=_anew(spec, f"{name} was {theirs[name]} in {last.run}, and is {value} now"))
    ancestors, names = Ancestors(last.run, kept.ids, kept.centroids, kept.sizes), tuple(kept.names)
    modes, notes = _modes_of(last, kept.ids, spec, secrets)
    layered = spec.config.algorithm == "evoc"
    if int(kept.sizes.sum()) * (_BYTES_WITH_LAYERS if layered else _BYTES_PER_DOCUMENT) > memory // 8:
        notes += (not_compared(last, "they are too many for the memory"),)
        return Previous(next_id, ancestors, names, modes=modes, notes=notes)
    layout, more = _layout_of(last, spec, secrets)
    try:
        table = pq.ParquetFile(file_of(last, MEMBERS, spec, secrets))
        members = Members(table, ancestors, layout, layered=layered)
    except (RunError, OSError, ValueError, KeyError, pa.ArrowException) as error:
        return Previous(next_id, ancestors, names, modes=modes, notes=(*notes, not_compared(last, one_line(error))))
    return Previous(next_id, ancestors, names, members, modes, notes + more)


def start_of(previous: Previous, config: ClusteringConfig, dataset: Dataset, collection_ids: list[str]) -> Start | None:
    """Returns what the clustering continues from.

    Args:
        previous: From `previous_of`.
        config: Configuration of this run.
        dataset: The documents of this run.
        collection_ids: Collections in the order of the RunSpec.
    """
    before, members = previous.ancestors, previous.members
    if before is None:
        return None
    if members is None or not _may_reduce(config):
        return Start(before.run, before.centroids, modes=previous.modes)
    return Start(before.run, before.centroids, *members.among(dataset, collection_ids), previous.modes)


def numbered(
    previous: Previous,
    config: ClusteringConfig,
    clustering: Clustering,
    sizes: Rows,
    limit: float,
    shared: Shared | None,
) -> Succession:
    """Numbers the clusters of this run after those of the previous run.

    Args:
        previous: From `previous_of`.
        config: Configuration of this run.
        clustering: Clustering of this run.
        sizes: Documents of each cluster, shape (clusters,).
        limit: From `distance_limit`.
        shared: Counts from the pass over the documents; None if documents are not compared.
    """
    before = previous.ancestors
    if not is_lasting(config):
        by_size = anew(sizes, 0)
        return replace(by_size, next_id=max(by_size.next_id, previous.next_id))
    if before is None:
        return anew(sizes, previous.next_id)
    counts = shared.counts if shared else None
    return succeed(before, clustering.centroids, sizes, counts, config.metric, limit, previous.next_id)


def last_names(previous: Previous, succession: Succession, members: Path, in_layers: Mapping[int, str]) -> LastNames:
    """Returns the names of clusters in the previous run, if they had any.

    Args:
        previous: From `previous_of`.
        succession: From `numbered`.
        members: members.parquet of this run, with lasting ids.
        in_layers: Names by cluster_id, of clusters of all granularities.
    """

    def still_there(asked: Mapping[int, str]) -> Collection[int]:
        own = read_clusters_named_after(members, {int(succession.ids[place]): name for place, name in asked.items()})
        return {place for place in asked if int(succession.ids[place]) in own}

    return LastNames(names_of(previous, succession), still_there, in_layers)


def names_of(previous: Previous, succession: Succession) -> dict[int, str]:
    """Returns the names of clusters in the previous run, by their place in this run."""
    had = previous.had
    return {place: had[number] for place, number in enumerate(succession.ids.tolist()) if number in had}


def changes_of(
    previous: Previous, succession: Succession, clustering: Clustering, shared: Shared | None, names: Sequence[str]
) -> Changes | None:
    """Returns the changes of the clusters since the previous run; None if clusters are renumbered.

    Args:
        previous: From `previous_of`.
        succession: From `numbered`.
        clustering: Clustering of this run.
        shared: Counts from the pass over the documents; None if documents are not compared.
        names: Names of this run's clusters.
    """
    before, had = previous.ancestors, previous.had
    if before is None:
        return None
    documents, moved = _moves(before, succession, shared.counts if shared else None)
    steps, begun = succession.steps, clustering.begun
    own = zip(succession.ids.tolist(), names, strict=True)
    renamed = [number for number, name in own if number in had and had[number] != name]
    return Changes(
        since=before.run,
        summary="; ".join([in_words(steps, renamed, documents, moved), *begun_in_words(clustering)]),
        kept=sum(step.event == "kept" for step in steps),
        renamed=renamed[:LISTED],
        new=[step.cluster_id for step in steps if step.event in ("new", "split_from")][:LISTED],
        gone=[step.cluster_id for step in steps if step.event in ("gone", "merged_into")][:LISTED],
        documents=documents,
        moved=moved,
        start=begun.start if begun else None,
    )


def distance_limit(config: ClusteringConfig, found: Survey) -> float:
    """Returns the maximum distance between the centroids of one cluster in two runs.

    Args:
        config: Configuration of this run.
        found: Result of the pass over the clustered documents.
    """
    mean = found.total / found.documents
    spread = float(np.sqrt(max(float((found.total_squares / found.documents - mean**2).sum()), 0.0)))
    return limit_of(config.metric, spread)


def crossing_of(previous: Previous, shared: Shared | None) -> Crossing | None:
    """Returns where the documents of the previous run are now, if they were compared.

    Args:
        previous: From `previous_of`.
        shared: Counts from the pass over the documents.
    """
    before, members = previous.ancestors, previous.members
    if before is None or members is None or shared is None:
        return None
    return Crossing(before.run, before.ids, previous.names, before.sizes, members.noise, shared.counts)


def begun_in_words(clustering: Clustering) -> list[str]:
    """Returns a note if clusters do not continue those of the previous run, with the reason."""
    return [clustering.begun.better] if clustering.begun and clustering.begun.better else []


def _moves(before: Ancestors, succession: Succession, counts: Any | None) -> tuple[int | None, int | None]:
    """Returns the number of documents of both runs, and of those whose cluster changed, also from or to noise."""
    if counts is None:
        return None, None
    pairs = counts.tocoo()
    then, now = np.append(before.ids, NOISE)[pairs.row], np.append(succession.ids, NOISE)[pairs.col]
    return int(pairs.data.sum()), int(pairs.data[then != now].sum())


def file_of(last: PreviousRun, name: str, spec: RunSpec, secrets: Path) -> Any:
    """Returns a file of the previous run: its path on a volume, or its content from a bucket.

    Raises:
        RunError: the bucket does not answer.
        FileNotFoundError: it does not exist.
    """
    uri = f"{last.uri}/{name}"
    if "://" not in uri:
        return uri
    content = open_file(uri, last.results or spec.results, secrets).read()
    if content is None:
        raise FileNotFoundError(f"{uri} does not exist")
    return pa.BufferReader(content)


def _layout_of(last: PreviousRun, spec: RunSpec, secrets: Path) -> tuple[Positions | None, tuple[str, ...]]:
    """Returns the positions of documents in the previous run, if it computed a layout, or why they are unknown."""
    if not _may_reduce(spec.config):
        return None, ()
    try:
        return read_layout(file_of(last, LAYOUT, spec, secrets)), ()
    except FileNotFoundError:
        return None, ()  # It clustered the vectors themselves.
    except (RunError, OSError, ValueError, KeyError, pa.ArrowException) as error:
        return None, (f"the layout of {last.run} cannot be read: {one_line(error)}",)


def _modes_of(last: PreviousRun, ids: Rows, spec: RunSpec, secrets: Path) -> tuple[Vectors | None, tuple[str, ...]]:
    """Returns where the windows of mean_shift ended in the previous run, or why that is unknown."""
    if spec.config.algorithm != "mean_shift":
        return None, ()
    try:
        return read_modes(file_of(last, MODES, spec, secrets), ids), ()
    except FileNotFoundError:
        return None, ()  # The run is older than the file.
    except (RunError, OSError, ValueError, KeyError, pa.ArrowException) as error:
        return None, (f"the modes of {last.run} cannot be read: {one_line(error)}",)


def _may_reduce(config: ClusteringConfig) -> bool:
    return config.algorithm == "evoc" or hasattr(config.parameters(), "reduce")


def _anew(spec: RunSpec, why: str) -> tuple[str, ...]:
    return () if not is_lasting(spec.config) else (f"clusters are renumbered: {why}",)


def not_compared(last: PreviousRun, why: str) -> str:
    """Returns why documents are not compared."""
    return f"documents are not compared with those of {last.run}: {why}"


def _canonical(algorithm: str) -> str:
    return "hierarchical" if algorithm == "agglomerative" else algorithm


def keys_of(ids: Any, collection_ids: Sequence[str] | None) -> Rows:
    """Returns a hash of 64 bits for each document of a collection, shape (rows,): see `document_keys`.

    Args:
        ids: A pyarrow array of integers or strings.
        collection_ids: Collection of each document; None if collections do not distinguish documents.
    """
    keys = document_keys(ids)
    if collection_ids is None:
        return keys
    with np.errstate(over="ignore"):
        return keys * 31 + np.fromiter(map(hash, collection_ids), np.int64, len(keys))
