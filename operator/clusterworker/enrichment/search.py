"""The nearest nodes of each document, by faiss (exact), several batches at a time."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from clusterworker.data.arrays import Labels, Rows, Vectors
from clusterworker.data.sources.batch import Place
from clusterworker.enrichment.nodes import unit_length


class Picked:
    """Some rows of a place."""

    def __init__(self, place: Place, rows: Rows) -> None:
        self._place = place
        self._rows = rows

    def at(self, offset: int) -> str:
        """See Place."""
        return self._place.at(int(self._rows[offset]))


_SAFE = (1e-20, 1e30)
"""Squared lengths between which single precision neither loses nor overflows products with unit vectors."""
_AHEAD = 2
"""Batches per thread that wait for it or have been searched: what bounds the memory."""


@dataclass(frozen=True)
class Slice:
    """Some documents that are searched at once.

    Attributes:
        ids: pyarrow array, one per row.
        vectors: shape (rows, dimensions).
        rows: number of each in the collection, shape (rows,).
        place: where their batch lies.
        first: row of `place` with which they begin.
    """

    ids: Any
    vectors: Vectors
    rows: Any
    place: Place
    first: int


class NodeSearch:
    """Compares documents with all nodes.

    Args:
        nodes: of unit length, shape (nodes, dimensions).
        top_k: how many nodes to find.
    """

    def __init__(self, nodes: Vectors, top_k: int) -> None:
        self._index = faiss.IndexFlatIP(nodes.shape[1])
        self._index.add(np.ascontiguousarray(nodes))
        self._count = min(top_k, len(nodes))

    def nearest(
        self, vectors: Vectors, place: Place | None = None, first: int = 0, count: int | None = None
    ) -> tuple[Labels, Vectors]:
        """Return the nearest nodes of each document, nearest first, and their cosine similarities.

        The documents' lengths do not change which nodes are nearest, so that only the scores are divided by them.

        Args:
            vectors: of any length but 0, shape (rows, dimensions).
            place: names a row in a message; None: documents that were searched before.
            first: row of `place` with which they begin.
            count: how many nodes; None: top_k.

        Returns:
            Numbers of nodes and scores, both of shape (rows, min(top_k, nodes)).

        Raises:
            MisconfiguredError: a vector is all zeros; names the row.
        """
        squares = np.einsum("ij,ij->i", vectors, vectors)
        lengths = np.sqrt(squares)
        if len(vectors) and not (squares.min() > _SAFE[0] and squares.max() < _SAFE[1]):
            vectors = unit_length(vectors, place, "document", first)
            lengths = np.ones(len(vectors), np.float32)
        count = min(count or self._count, self._index.ntotal)
        products, nodes = self._index.search(np.ascontiguousarray(vectors), count)
        scores: Vectors = np.clip(products / lengths[:, None], -1, 1)
        return nodes.astype(np.int32), scores

    def all(self, slices: Iterable[Slice], threads: int) -> Iterator[tuple[Slice, Labels, Vectors]]:
        """Yield each slice with what `nearest` finds for it, in order.

        Args:
            slices: read as they are needed, a few ahead.
            threads: that search, each a slice of its own: none waits for another, as the threads of one search would.
        """
        waiting: deque[tuple[Slice, Future[tuple[Labels, Vectors]]]] = deque()
        with (
            threadpool_limits(1, user_api="blas"),
            ThreadPoolExecutor(threads, "search", initializer=lambda: faiss.omp_set_num_threads(1)) as pool,
        ):
            try:
                for one in slices:
                    waiting.append((one, pool.submit(self.nearest, one.vectors, one.place, one.first)))
                    if len(waiting) > threads * _AHEAD:
                        done, found = waiting.popleft()
                        yield (done, *found.result())
                while waiting:
                    done, found = waiting.popleft()
                    yield (done, *found.result())
            finally:
                for _, found in waiting:
                    found.cancel()
