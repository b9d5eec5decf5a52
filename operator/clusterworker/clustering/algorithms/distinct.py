"""Vectors that occur more than once: a clustering processes each distinct one, and its copies join the same cluster."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from clusterworker.data.arrays import Labels, Rows, Vectors
from clusterworker.data.sources.batch import BATCH_ROWS

_SEED = 20_261_128
"""Seed of the multipliers that distinguish rows; any number works."""

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class Distinct:
    """The distinct ones of some vectors, in the order of their first occurrence.

    Attributes:
        vectors: shape (distinct, dimensions); the very array that was looked at where it holds no copies.
        numbers: which of them each document's vector is, shape (rows,).
        counts: documents per distinct vector, shape (distinct,).
    """

    vectors: Vectors
    numbers: Rows
    counts: Rows

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def copies(self) -> bool:
        """Whether any vector occurs more than once."""
        return len(self.counts) < len(self.numbers)

    @property
    def noun(self) -> str:
        """What there are so many of, for notes."""
        return noun(len(self.numbers), len(self.counts))

    def spread(self, values: npt.NDArray[T]) -> npt.NDArray[T]:
        """Give every document what belongs to its distinct vector, shape (rows, ...)."""
        return values[self.numbers] if self.copies else values

    def unite(self, labels: Labels) -> Labels:
        """Give all documents of a distinct vector the label that most of them have; of equals the least."""
        if not self.copies:
            return labels
        least = int(labels.min(initial=0))
        shifted = labels.astype(np.int64) - least
        width = int(shifted.max(initial=0)) + 1
        pairs, counts = np.unique(self.numbers * width + shifted, return_counts=True)
        order = np.lexsort((pairs, -counts, pairs // width))
        owners = pairs[order] // width
        first = order[np.r_[True, owners[1:] != owners[:-1]]]
        return self.spread((pairs[first] % width + least).astype(np.int32))


def noun(rows: int, distinct: int) -> str:
    """What there are so many of, for notes.

    Args:
        rows: documents.
        distinct: of their vectors.
    """
    return "distinct vectors" if distinct < rows else "documents"


def distinct(vectors: Vectors) -> Distinct:
    """Find the distinct vectors.

    Numbers are compared by value: 0 and -0 are equal.

    Args:
        vectors: shape (rows, dimensions), finite.
    """
    rows, numbers, counts = occurrences(vectors)
    kept = vectors if len(rows) == len(vectors) else np.ascontiguousarray(vectors[rows])
    return Distinct(kept, numbers, counts)


def occurrences(vectors: Vectors) -> tuple[Rows, Rows, Rows]:
    """Find the distinct vectors, and copy none.

    Args:
        vectors: shape (rows, dimensions), finite.

    Returns:
        The row where each occurs first, shape (distinct,); which of them each document's vector is, shape
        (rows,); and documents per distinct vector, shape (distinct,).
    """
    _, first, numbers, counts = np.unique(prints(vectors), return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    rows, numbers, counts = first[order], place[numbers.ravel()], counts[order]
    if not _equal(vectors, rows, numbers):  # two vectors of one print: one chance in 2^64 for each pair
        _, rows, numbers, counts = np.unique(
            vectors + np.float32(0), axis=0, return_index=True, return_inverse=True, return_counts=True
        )
    return rows, numbers.ravel().astype(np.int64), counts.astype(np.int64)


def prints(vectors: Vectors) -> npt.NDArray[np.uint64]:
    """A number per row that differs where rows do, shape (rows,)."""
    multipliers = np.random.default_rng(_SEED).integers(1, 2**64, vectors.shape[1], dtype=np.uint64, endpoint=False)
    found = np.empty(len(vectors), np.uint64)
    size = 1_024  # stays in the processor's cache
    for start in range(0, len(vectors), size):
        block = np.ascontiguousarray(vectors[start : start + size] + np.float32(0))  # -0 becomes 0
        found[start : start + size] = (block.view(np.uint32) * multipliers).sum(axis=1, dtype=np.uint64)
    return found


def _equal(vectors: Vectors, rows: Rows, numbers: Rows) -> bool:
    """Whether each vector equals the one that it counts as a copy of."""
    others = np.flatnonzero(rows[numbers] != np.arange(len(vectors)))
    for start in range(0, len(others), BATCH_ROWS):
        part = others[start : start + BATCH_ROWS]
        if not np.array_equal(vectors[part], vectors[rows[numbers[part]]]):
            return False
    return True
