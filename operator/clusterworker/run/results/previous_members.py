"""The documents of the previous run, and how many of them each of its clusters shares with each cluster of this run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from scipy import sparse

from clusterworker.clustering.algorithms.start import Positions
from clusterworker.clustering.succession import Ancestors
from clusterworker.clustering.survey import Distances, MemberWriter
from clusterworker.data.arrays import NOISE, Flags, Labels, Rows
from clusterworker.data.dataset import Dataset, SpooledDataset
from clusterworker.data.sorted_arrays import places_in
from clusterworker.data.sources.batch import Batch
from clusterworker.data.sources.document_ids import document_keys
from clusterworker.run.results.centroids import CENTROIDS
from clusterworker.run.results.continuation import LAYOUT
from clusterworker.run.results.record import MEMBERS

ABSENT = -1
"""Place of a document that the previous run did not have."""


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
        self._layout = None if layout is None else layout.at(order)
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
            ValueError: a document's cluster is not one of these.
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

    def among(self, dataset: SpooledDataset, collection_ids: list[str]) -> tuple[Labels, Positions | None]:
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
        kept = layout.at(places[rows])
        values[rows] = kept.values
        if kept.hashes is not None:
            # Another vector has no position, whatever its id is.
            values[rows[dataset.hashes[rows] != kept.hashes]] = np.nan
        return labels, replace(layout, values=values, hashes=None)

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
