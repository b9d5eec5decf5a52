"""Finds the nearest nodes of each document with faiss (exactly), in several threads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import faiss
import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from clusterworker.data.ahead import in_threads
from clusterworker.data.arrays import Labels, Rows, Vectors
from clusterworker.data.sources.batch import Place
from clusterworker.enrichment.nodes import unit_length
from clusterworker.process.errors import MisconfiguredError


class Picked:
    """Rows of a place."""

    def __init__(self, place: Place, rows: Rows) -> None:
        self._place = place
        self._rows = rows

    def at(self, offset: int) -> str:
        """See Place."""
        return self._place.at(int(self._rows[offset]))

    def refused(self, offset: int, why: str) -> MisconfiguredError:
        """See Place."""
        return self._place.refused(int(self._rows[offset]), why)


_SAFE = (1e-20, 1e30)
"""Range of squared lengths in which products with unit vectors neither lose precision nor overflow in float32."""


@dataclass(frozen=True)
class Slice:
    """Documents that are searched together.

    Attributes:
        ids: pyarrow array, one id per row.
        vectors: Vectors, shape (rows, dimensions).
        rows: Row of each in the collection, shape (rows,).
        place: Place of their batch.
        first: Row of `place` at which they begin.
    """

    ids: Any
    vectors: Vectors
    rows: Any
    place: Place
    first: int


@dataclass(frozen=True)
class Searched:
    """Documents that were searched together, and their nearest nodes.

    Attributes:
        ids: pyarrow array, one id per row.
        rows: Row of each in the collection, shape (rows,).
        nodes: Numbers of the nearest nodes, nearest first, shape (rows, nodes).
        scores: Their cosine similarities, of the same shape.
    """

    ids: Any
    rows: Any
    nodes: Labels
    scores: Vectors

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Returns the documents of all parts, in order."""
        ids = pa.concat_arrays([part.ids for part in parts])
        rows, nodes, scores = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("rows", "nodes", "scores")
        )
        return cls(ids, rows, nodes, scores)


class NodeSearch:
    """Compares documents with all nodes.

    Args:
        nodes: Vectors of unit length, shape (nodes, dimensions).
        top_k: Number of nodes to find.
    """

    def __init__(self, nodes: Vectors, top_k: int) -> None:
        self._index = faiss.IndexFlatIP(nodes.shape[1])
        self._index.add(np.ascontiguousarray(nodes))
        self._count = min(top_k, len(nodes))

    def nearest(
        self, vectors: Vectors, place: Place | None = None, first: int = 0, count: int | None = None
    ) -> tuple[Labels, Vectors]:
        """Returns the nearest nodes of each document, nearest first, and their cosine similarities.

        The documents' lengths do not change which nodes are nearest, so only the scores are divided by them.

        Args:
            vectors: Vectors of any length except 0, shape (rows, dimensions).
            place: Names a row in a message; None for documents that were searched before.
            first: Row of `place` at which they begin.
            count: Number of nodes; None for top_k.

        Returns:
            Numbers of nodes and scores, both of shape (rows, min(top_k, nodes)).

        Raises:
            MisconfiguredError: a vector is all zeros; names the row.
        """
        with np.errstate(over="ignore"):
            squares = np.vecdot(vectors, vectors)
        lengths: Vectors = np.sqrt(squares)
        if len(vectors) and not (squares.min() > _SAFE[0] and squares.max() < _SAFE[1]):
            vectors = unit_length(vectors, place, "document", first)
            lengths = np.ones(len(vectors), np.float32)
        count = min(count or self._count, self._index.ntotal)
        products, nodes = self._index.search(np.ascontiguousarray(vectors), count)
        scores: Vectors = np.clip(products / lengths[:, None], -1, 1)
        return nodes.astype(np.int32), scores

    def all(self, slices: Iterator[Slice], threads: int) -> Iterator[Searched]:
        """Yields the nearest nodes of each slice, in order.

        Args:
            slices: Slices.
            threads: Number of threads. Each reads and searches slices of its own, so they do not wait for each other,
                as faiss's threads would.
        """
        with threadpool_limits(1, user_api="blas"):
            yield from in_threads(slices, self._search, threads)

    def _search(self, documents: Slice) -> Searched:
        faiss.omp_set_num_threads(1)  # It is a setting of the calling thread.
        nodes, scores = self.nearest(documents.vectors, documents.place, documents.first)
        return Searched(documents.ids, documents.rows, nodes, scores)
