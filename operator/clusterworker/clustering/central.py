"""Keeps the most central documents of every cluster while the documents are read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clusterworker.data.arrays import NOISE, Labels, Rows

PER_CLUSTER = 3


@dataclass(frozen=True)
class CentralDocument:
    """One document near the centre of its cluster."""

    row: int
    document_id: str | int
    distance: float


class CentralDocuments:
    """Keeps the documents nearest to their centroid; the first ones of equal documents."""

    def __init__(self) -> None:
        self._labels: Labels = np.empty(0, np.int32)
        self._distances: npt.NDArray[np.float32] = np.empty(0, np.float32)
        self._rows: Rows = np.empty(0, np.int64)
        self._ids: npt.NDArray[np.object_] = np.empty(0, object)

    def add(self, first: int, ids: Any, labels: Labels, distances: npt.NDArray[np.float32]) -> None:
        """Adds a batch.

        Args:
            first: Row number of its first document.
            ids: pyarrow array.
            labels: shape (rows,).
            distances: Distances to their own centroid, shape (rows,).
        """
        rows = np.arange(first, first + len(labels))
        best = _best(labels, distances, rows)
        best = best[labels[best] != NOISE]
        chosen = np.empty(len(best), object)
        chosen[:] = ids.take(best).to_pylist()
        self._labels = np.concatenate([self._labels, labels[best]])
        self._distances = np.concatenate([self._distances, distances[best]])
        self._rows = np.concatenate([self._rows, rows[best]])
        self._ids = np.concatenate([self._ids, chosen])
        self._keep_best()

    def state(self) -> dict[str, Any]:
        """Returns the documents as arrays, for `merge` in another process."""
        ids = np.frombuffer(json.dumps(self._ids.tolist()).encode(), np.uint8)
        return {"labels": self._labels, "distances": self._distances, "rows": self._rows, "ids": ids}

    def merge(self, state: Mapping[str, Any]) -> None:
        """Adds the documents of another process, from `state`."""
        ids = json.loads(np.asarray(state["ids"]).tobytes())
        chosen = np.empty(len(ids), object)
        chosen[:] = ids
        self._labels = np.concatenate([self._labels, state["labels"]])
        self._distances = np.concatenate([self._distances, state["distances"]])
        self._rows = np.concatenate([self._rows, state["rows"]])
        self._ids = np.concatenate([self._ids, chosen])
        self._keep_best()

    def _keep_best(self) -> None:
        kept = _best(self._labels, self._distances, self._rows)
        self._labels, self._distances = self._labels[kept], self._distances[kept]
        self._rows, self._ids = self._rows[kept], self._ids[kept]

    def renumber(self, places: Rows) -> None:
        """Renumbers the clusters.

        Args:
            places: New number of each cluster, shape (clusters,).
        """
        labels = places[self._labels].astype(np.int32)
        order = np.argsort(labels, kind="stable")
        self._labels, self._distances = labels[order], self._distances[order]
        self._rows, self._ids = self._rows[order], self._ids[order]

    def of(self, cluster: int) -> list[CentralDocument]:
        """Returns the central documents of one cluster, nearest first."""
        begin, end = np.searchsorted(self._labels, [cluster, cluster + 1])
        return [
            CentralDocument(int(self._rows[i]), self._ids[i], float(self._distances[i]))
            for i in range(int(begin), int(end))
        ]


def _best(labels: Labels, distances: npt.NDArray[np.float32], rows: Rows) -> npt.NDArray[np.int64]:
    """Returns the indices of the nearest few per label, sorted by label, distance, row."""
    order = np.lexsort((rows, distances, labels))
    grouped = labels[order]
    starts = np.searchsorted(grouped, grouped)
    return order[np.arange(len(order)) - starts < PER_CLUSTER]
