"""Finds vectors that occur more than once.

A clustering processes each distinct vector once, and its copies join the same cluster.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from clustercontract.counted import counted
from clusterworker.data.arrays import Labels, Rows, Vectors
from clusterworker.data.prints import prints
from clusterworker.data.sources.batch import BATCH_ROWS

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class Distinct:
    """The distinct ones of some vectors, in the order of their first occurrence.

    Attributes:
        vectors: Vectors, shape (distinct, dimensions); the original array if it contains no copies.
        numbers: Number of the distinct vector of each document, shape (rows,).
        counts: Documents per distinct vector, shape (distinct,).
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
        """What is counted, for notes."""
        return noun(len(self.numbers), len(self.counts))

    @property
    def counted(self) -> str:
        """Their number with the noun, for notes."""
        return counted(len(self.counts), "distinct vector" if self.copies else "document")

    @property
    def are(self) -> str:
        """The verb for their number, for notes."""
        return "is" if len(self.counts) == 1 else "are"

    def spread(self, values: npt.NDArray[T]) -> npt.NDArray[T]:
        """Returns the value of its distinct vector for every document, shape (rows, ...)."""
        return values[self.numbers] if self.copies else values

    def unite(self, labels: Labels) -> Labels:
        """Gives all documents of a distinct vector the most frequent label among them; the lowest one of several."""
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
    """Returns what is counted, for notes.

    Args:
        rows: Number of documents.
        distinct: Number of distinct vectors.
    """
    return "distinct vectors" if distinct < rows else "documents"


def distinct(vectors: Vectors) -> Distinct:
    """Finds the distinct vectors. Numbers are compared by value: 0 and -0 are equal.

    Args:
        vectors: Vectors, shape (rows, dimensions), finite.
    """
    rows, numbers, counts = occurrences(vectors)
    kept = vectors if len(rows) == len(vectors) else np.ascontiguousarray(vectors[rows])
    return Distinct(kept, numbers, counts)


def occurrences(vectors: Vectors) -> tuple[Rows, Rows, Rows]:
    """Finds the distinct vectors without copying any.

    Args:
        vectors: Vectors, shape (rows, dimensions), finite.

    Returns:
        The row where each occurs first, shape (distinct,); which of them each document's vector is, shape
        (rows,); and documents per distinct vector, shape (distinct,).
    """
    _, first, numbers, counts = np.unique(prints(vectors), return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    rows, numbers, counts = first[order], place[numbers.ravel()], counts[order]
    # Two vectors have the same hash with a probability of one in 2^64 for each pair.
    if not _equal(vectors, rows, numbers):
        _, rows, numbers, counts = np.unique(
            vectors + np.float32(0), axis=0, return_index=True, return_inverse=True, return_counts=True
        )
    return rows, numbers.ravel().astype(np.int64), counts.astype(np.int64)


def _equal(vectors: Vectors, rows: Rows, numbers: Rows) -> bool:
    """Returns whether each vector equals the one that it counts as a copy of."""
    others = np.flatnonzero(rows[numbers] != np.arange(len(vectors)))
    for start in range(0, len(others), BATCH_ROWS):
        part = others[start : start + BATCH_ROWS]
        if not np.array_equal(vectors[part], vectors[rows[numbers[part]]]):
            return False
    return True
