"""The folder of the run before, as far as this run's clusters are numbered after it."""

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
"""Place of a document that the run before did not have."""
_BYTES_PER_DOCUMENT, _BYTES_WITH_LAYERS = 12, 60
"""The second with ten layers, the most by default."""


@dataclass(frozen=True)
class Previous:
    """What a run knows of the one before.

    Attributes:
        next_id: no cluster of the trigger has had this cluster_id or a higher one.
        ancestors: the clusters of the run before; None if clusters are renumbered.
        names: of them.
        members: its documents; None where they cannot be compared.
        modes: of mean_shift, shape (clusters, dimensions); None where they are not known.
        notes: what is not known, and why, for people.
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
    """The documents of the run before, and those of them that come by in this run.

    A hash of 64 bits identifies documents. Among a billion documents, the probability of a collision is a few percent.

    Args:
        table: members.parquet of the run before.
        ancestors: its clusters.
        layout: where its documents lay, in the order of the table, if a layout of them was made.
        layered: whether other granularities will be asked for.

    Attributes:
        noise: documents in no cluster.
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
        """Return the same documents in the clusters of another granularity.

        Args:
            ancestors: these clusters.
            labels: cluster_id of each document, in the order of the table.
            file: that holds the labels, for the error.
            names: of the file that holds the clusters.

        Raises:
            ValueError: a document's cluster is none of these.
        """
        if len(labels) != len(self._order):
            raise ValueError(f"{file} holds {len(labels)} documents, {MEMBERS} holds {len(self._order)}")
        other = copy(self)
        other._put(ancestors, labels[self._order], file, names)
        return other

    def _put(self, ancestors: Ancestors, labelled: Labels, file: str, names: str) -> None:
        # Clusters by their place, noise after the last.
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
        """Return what counts documents that both runs have.

        Args:
            clusters: of this run.
            collection_ids: in the order of the RunSpec.
        """
        return Shared(partial(self._find, collection_ids), self._labels, (self._clusters + 1, clusters + 1))

    def counter_by_key(self, clusters: int) -> Shared:
        """Return what counts documents that both runs have, which are told by their keys (`keys_of`).

        Args:
            clusters: of this run.
        """
        return Shared(partial(places_in, self._keys), self._labels, (self._clusters + 1, clusters + 1))

    def among(self, dataset: Dataset, collection_ids: list[str]) -> tuple[Labels, Positions | None]:
        """Return where the documents of this run were in the run before: in which cluster, and where in its layout.

        Args:
            dataset: the documents of this run.
            collection_ids: in the order of the RunSpec.
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
        """Return which of its documents each document of this run is, or ABSENT, shape (rows,).

        Args:
            dataset: the documents of this run.
            collection_ids: in the order of the RunSpec.
        """
        found, first = np.full(dataset.rows, ABSENT, np.int64), 0
        for batch in dataset.batches():
            places, known = self._find(collection_ids, batch)
            found[first + np.flatnonzero(known)] = places[known]
            first += len(known)
        return found

    def shared(self, places: Rows, labels: Labels, clusters: int) -> Any:
        """Return how many documents each cluster then and each cluster now both have, as `Shared.counts`.

        Args:
            places: of this run's documents, from `places`.
            labels: of the same documents now, shape (rows,).
            clusters: of this run.
        """
        known = places != ABSENT
        return _crossed(self._labels[places[known]], labels[known], (self._clusters + 1, clusters + 1))

    def _find(self, collection_ids: list[str], batch: Batch) -> tuple[Rows, Flags]:
        """The place of each of the batch's documents among those of the run before, and whether it was there."""
        names = [collection_ids[batch.collection]] * len(batch.ids) if self._by_collection else None
        keys = keys_of(batch.ids, names)
        return places_in(self._keys, keys)


class Shared:
    """Counts documents of both runs by their cluster then and now.

    Attributes:
        counts: shape (clusters before + 1, clusters now + 1); the last of each is noise.
    """

    def __init__(self, find: Callable[[Any], tuple[Rows, Flags]], labels: Labels, shape: tuple[int, int]) -> None:
        self._find, self._labels = find, labels
        self.counts: Any = sparse.csr_array(shape, dtype=np.int64)

    def before(self, write: MemberWriter) -> MemberWriter:
        """Return what takes in a batch, and then writes it."""

        def both(batch: Batch, labels: Labels, distances: Distances) -> None:
            self.add(batch, labels)
            write(batch, labels, distances)

        return both

    def add(self, documents: Any, labels: Labels) -> None:
        """Take in documents of this run, as a Batch or by their keys, and their clusters, shape (rows,)."""
        places, known = self._find(documents)
        self.counts = self.counts + _crossed(self._labels[places[known]], labels[known], self.counts.shape)

    def reorder(self, order: Rows) -> None:
        """Take the clusters of this run in another order, once all documents have been taken in.

        Args:
            order: places of the clusters, shape (clusters,).
        """
        self.counts = self.counts[:, np.append(order, len(order))]


def _crossed(before: Labels, now: Labels, shape: tuple[int, int]) -> Any:
    ones = np.ones(len(now), np.int64)
    return sparse.csr_array((ones, (before, np.where(now == NOISE, shape[1] - 1, now))), shape=shape)


def is_lasting(config: ClusteringConfig) -> bool:
    """Whether clusters are numbered after those of the run before."""
    return config.ids == "lasting"


def previous_of(spec: RunSpec, dimensions: int, secrets: Path, memory: int) -> Previous:
    """Return what is known of the run before. What cannot be read is not, and a note says why.

    Args:
        spec: of this run.
        dimensions: of its documents.
        secrets: where Secrets are mounted.
        memory: bytes that the container may use; an eighth of it is for the documents' hashes.
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
    """Return what clustering goes on from.

    Args:
        previous: from `previous_of`.
        config: of this run.
        dataset: the documents of this run.
        collection_ids: in the order of the RunSpec.
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
    """Number the clusters of this run after those of the run before.

    Args:
        previous: from `previous_of`.
        config: of this run.
        clustering: of this run.
        sizes: documents of each cluster, shape (clusters,).
        limit: from `distance_limit`.
        shared: what the pass over the documents counted; None where documents are not compared.
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
    """Return the names that clusters had in the run before, where it had them.

    Args:
        previous: from `previous_of`.
        succession: from `numbered`.
        members: members.parquet of this run, with the ids that last.
        in_layers: names by cluster_id, of clusters of all granularities.
    """

    def still_there(asked: Mapping[int, str]) -> Collection[int]:
        own = read_clusters_named_after(members, {int(succession.ids[place]): name for place, name in asked.items()})
        return {place for place in asked if int(succession.ids[place]) in own}

    return LastNames(names_of(previous, succession), still_there, in_layers)


def names_of(previous: Previous, succession: Succession) -> dict[int, str]:
    """Return the names that clusters had in the run before, by their place in this run."""
    had = previous.had
    return {place: had[number] for place, number in enumerate(succession.ids.tolist()) if number in had}


def changes_of(
    previous: Previous, succession: Succession, clustering: Clustering, shared: Shared | None, names: Sequence[str]
) -> Changes | None:
    """Return what became of the clusters of the run before; None if clusters are renumbered.

    Args:
        previous: from `previous_of`.
        succession: from `numbered`.
        clustering: of this run.
        shared: what the pass over the documents counted; None where documents are not compared.
        names: of this run's clusters.
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
    """Return how far apart the centroids of one cluster in two runs may be.

    Args:
        config: of this run.
        found: by the pass over what it has clustered.
    """
    mean = found.total / found.documents
    spread = float(np.sqrt(max(float((found.total_squares / found.documents - mean**2).sum()), 0.0)))
    return limit_of(config.metric, spread)


def crossing_of(previous: Previous, shared: Shared | None) -> Crossing | None:
    """Return where the documents of the run before are now, where they were compared.

    Args:
        previous: from `previous_of`.
        shared: what the pass over the documents counted.
    """
    before, members = previous.ancestors, previous.members
    if before is None or members is None or shared is None:
        return None
    return Crossing(before.run, before.ids, previous.names, before.sizes, members.noise, shared.counts)


def begun_in_words(clustering: Clustering) -> list[str]:
    """Say where clusters did not go on from those of the run before, and why."""
    return [clustering.begun.better] if clustering.begun and clustering.begun.better else []


def _moves(before: Ancestors, succession: Succession, counts: Any | None) -> tuple[int | None, int | None]:
    """Documents of both runs, and those of them that are in another cluster, or in none, or were."""
    if counts is None:
        return None, None
    pairs = counts.tocoo()
    then, now = np.append(before.ids, NOISE)[pairs.row], np.append(succession.ids, NOISE)[pairs.col]
    return int(pairs.data.sum()), int(pairs.data[then != now].sum())


def file_of(last: PreviousRun, name: str, spec: RunSpec, secrets: Path) -> Any:
    """Return a file of the run before: on a volume its path, from a bucket its content.

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
    """Where documents lay in the run before, if it made a layout of them, and why that is not known."""
    if not _may_reduce(spec.config):
        return None, ()
    try:
        return read_layout(file_of(last, LAYOUT, spec, secrets)), ()
    except FileNotFoundError:
        return None, ()  # it clustered the vectors themselves
    except (RunError, OSError, ValueError, KeyError, pa.ArrowException) as error:
        return None, (f"the layout of {last.run} cannot be read: {one_line(error)}",)


def _modes_of(last: PreviousRun, ids: Rows, spec: RunSpec, secrets: Path) -> tuple[Vectors | None, tuple[str, ...]]:
    """Where the windows of mean_shift rested in the run before, and why that is not known."""
    if spec.config.algorithm != "mean_shift":
        return None, ()
    try:
        return read_modes(file_of(last, MODES, spec, secrets), ids), ()
    except FileNotFoundError:
        return None, ()  # it is older than the file
    except (RunError, OSError, ValueError, KeyError, pa.ArrowException) as error:
        return None, (f"the modes of {last.run} cannot be read: {one_line(error)}",)


def _may_reduce(config: ClusteringConfig) -> bool:
    return config.algorithm == "evoc" or hasattr(config.parameters(), "reduce")


def _anew(spec: RunSpec, why: str) -> tuple[str, ...]:
    return () if not is_lasting(spec.config) else (f"clusters are renumbered: {why}",)


def not_compared(last: PreviousRun, why: str) -> str:
    """Say why documents are not."""
    return f"documents are not compared with those of {last.run}: {why}"


def _canonical(algorithm: str) -> str:
    return "hierarchical" if algorithm == "agglomerative" else algorithm


def keys_of(ids: Any, collection_ids: Sequence[str] | None) -> Rows:
    """Return 64 bits that stand for each document of a collection, shape (rows,): see `document_keys`.

    Args:
        ids: a pyarrow array of integers or strings.
        collection_ids: of each document; None where they do not tell documents apart.
    """
    keys = document_keys(ids)
    if collection_ids is None:
        return keys
    with np.errstate(over="ignore"):
        return keys * 31 + np.fromiter(map(hash, collection_ids), np.int64, len(keys))
