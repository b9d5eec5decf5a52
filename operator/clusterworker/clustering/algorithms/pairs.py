"""Computes distances of many pairs: from matrix products if these are precise enough, or else from differences."""

from typing import Any

import numpy as np
import numpy.typing as npt

from clusterworker.clustering.algorithms.frame import Frame
from clusterworker.data.arrays import Doubles, Rows, Vectors

COLUMNS = 8_192
"""Number of columns that are converted to double precision at a time."""
DIFFERENCES = 4 << 20
"""Maximum number of coordinates of which differences are computed at a time."""
MANY = 8
"""If more than one in this number of pairs is uncertain, the whole block is computed more precisely."""
ROUNDING = {np.dtype(np.float32): 4e-6, np.dtype(np.float64): 1e-13}
"""Maximum error of a matrix product as a share of ‖a‖² + ‖b‖², with a large margin."""
DROWNED = 1e-9
"""Below this share of ‖a‖² + ‖b‖², the product in double precision is replaced by differences, so that it is correct to
1e-6.
"""

Bools = npt.NDArray[np.bool_]


class Pairs:
    """Computes distances (1 - cos, or Euclidean) between some rows and some columns at a time.

    For unit vectors, 1 - cos is half of the squared distance, which is also precise for near vectors.

    Args:
        vectors: The rows, shape (rows, dimensions); of unit length with metric cosine.
        metric: cosine or euclidean.
        others: The columns, if they are other vectors.
        frame: Frame of all vectors, if it is known.
    """

    def __init__(
        self,
        vectors: Vectors | Doubles,
        metric: str,
        others: Vectors | Doubles | None = None,
        frame: Frame | None = None,
    ) -> None:
        self._cosine = metric == "cosine"
        self._rows: Any = vectors
        self._columns: Any = vectors if others is None else others
        self.frame = frame or Frame.of(vectors)
        self._single: tuple[Vectors, Vectors] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def block(self, most: int) -> int:
        """Returns how many rows at a time keep distances to all columns, and the rows, within this number of bytes."""
        columns, dimensions = self._columns.shape
        return max(1, int(most // max(4 * columns, 8 * dimensions)))

    def distances(self, rows: slice | Rows, columns: slice = slice(None)) -> Doubles:
        """Returns distances, shape (rows, columns), correct to 1e-6 of their size; exactly 0 for equal vectors."""
        squares = self.squares(rows, columns)
        return np.divide(squares, 2, out=squares) if self._cosine else np.sqrt(squares, out=squares)

    def squares(self, rows: slice | Rows, columns: slice = slice(None)) -> Doubles:
        """Returns squared Euclidean distances, as precise as `distances`."""
        here = self._rows[rows]
        start, stop, _ = columns.indices(len(self._columns))
        squares = np.empty((len(here), max(stop - start, 0)))
        moved = self.frame.moved(here, np.float64)
        lengths = np.vecdot(moved, moved)
        for first in range(start, stop, COLUMNS):
            there = self._columns[first : min(first + COLUMNS, stop)]
            other = self.frame.moved(there, np.float64)
            other_lengths = np.vecdot(other, other)
            sums = lengths[:, None] + other_lengths
            found = moved @ other.T
            found *= -2
            found += sums
            sums *= DROWNED
            imprecise = found <= sums
            found /= self.frame.scale**2
            places = np.nonzero(imprecise)
            if len(places[0]) * MANY > found.size:
                found = _all_by_differences(here, there)
            else:
                found[places] = _by_differences(here, there, *places)
            squares[:, first - start : first - start + len(there)] = found
        return squares

    def within(self, rows: slice | Rows, columns: slice, radius: float, dtype: Any = np.float32) -> Bools:
        """Returns which pairs are at most the radius apart, shape (rows, columns), as precisely as `distances`.

        Args:
            rows: Row numbers.
            columns: Column numbers.
            radius: A distance of the metric.
            dtype: Precision of the matrix product; uncertain pairs are computed again.
        """
        if dtype == np.float32:
            self._single = self._single or self._moved(np.float32)
            here, there = self._single[0][rows], self._single[1][columns]
        else:
            here = self.frame.moved(self._rows[rows], dtype)
            there = self.frame.moved(self._columns[columns], dtype)
        limit = (2 * radius if self._cosine else min(radius, 1e150) ** 2) * self.frame.scale**2
        lengths, other_lengths = np.vecdot(here, here), np.vecdot(there, there)
        found = here @ there.T
        found *= -2
        found += lengths[:, None]
        found += other_lengths
        found -= found.dtype.type(min(limit, 1e37))
        near: Bools = found <= 0
        np.abs(found, out=found)
        rounding = found.dtype.type(ROUNDING[found.dtype])
        doubtful = found <= (lengths * rounding)[:, None] + other_lengths * rounding
        places = np.nonzero(doubtful)
        if len(places[0]) * MANY > found.size:
            return np.asarray(self.distances(rows, columns) <= radius)
        squares = _by_differences(self._rows[rows], self._columns[columns], *places)
        near[places] = (squares / 2 if self._cosine else np.sqrt(squares)) <= radius
        return near

    def single_squares(self, rows: Rows, columns: Rows) -> Doubles:
        """Returns the squared Euclidean distance of each row to the corresponding column, shape (len(rows),)."""
        return _by_differences(self._rows, self._columns, rows, columns)

    def nearest(self, most: int, besides: Rows | None = None) -> tuple[Rows, Doubles]:
        """Returns the nearest column of each row, the first of equal ones, and its distance, both of shape (rows,).

        Args:
            most: Maximum bytes of distances at a time.
            besides: A column of each row that is left out, such as its own vector.
        """
        numbers, squares = np.empty(len(self), np.int64), np.empty(len(self))
        self._single = self._single or self._moved(np.float32)
        lengths, other_lengths = (np.vecdot(part, part) for part in self._single)
        rounding = np.float32(8 * ROUNDING[np.dtype(np.float32)])
        size = self.block(most)
        for first in range(0, len(self), size):
            part = slice(first, first + size)
            found = self._single[0][part] @ self._single[1].T
            found *= -2
            found += other_lengths
            if besides is not None:
                found[np.arange(len(found)), besides[part]] = np.inf
            least = found.min(axis=1)
            # A column's length is at most twice the row's length plus the distance between the two.
            slack = rounding * (lengths[part] + np.maximum(least + lengths[part], 0))
            here, there = np.nonzero(found <= (least + slack)[:, None])
            if len(here) * MANY > found.size + MANY * len(found):
                exact = self.squares(part)
                if besides is not None:
                    exact[np.arange(len(exact)), besides[part]] = np.inf
                numbers[part] = exact.argmin(axis=1)
                squares[part] = exact.min(axis=1)
                continue
            exact = _by_differences(self._rows[part], self._columns, here, there)
            order = np.lexsort((there, exact, here))
            best = order[np.searchsorted(here[order], np.arange(len(found)))]
            numbers[part], squares[part] = there[best], exact[best]
        return numbers, squares / 2 if self._cosine else np.sqrt(squares)

    def _moved(self, dtype: type[np.float32]) -> tuple[Vectors, Vectors]:
        moved = self.frame.moved(self._rows, dtype)
        return moved, moved if self._columns is self._rows else self.frame.moved(self._columns, dtype)


def _by_differences(rows: Any, columns: Any, here: Rows, there: Rows) -> Doubles:
    """Returns squared distances of single pairs, shape (pairs,)."""
    squares = np.empty(len(here))
    size = max(1, DIFFERENCES // rows.shape[1])
    for first in range(0, len(here), size):
        part = slice(first, first + size)
        apart = rows[here[part]].astype(np.float64) - columns[there[part]]
        squares[part] = np.vecdot(apart, apart)
    return squares


def _all_by_differences(rows: Any, columns: Any) -> Doubles:
    from scipy.spatial.distance import cdist

    squares: Doubles = cdist(rows.astype(np.float64), columns.astype(np.float64), "sqeuclidean")
    return squares
