"""Stores the key of each row on disk, for sources that find rows only by key."""

import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import BinaryIO, cast

import numpy as np

from clusterworker.data.arrays import Rows

_PIECE = 4_096
"""Number of keys that are read at a time."""


class IdSpool:
    """The keys of all rows as strings, in two scratch files that disappear with the process."""

    def __init__(self) -> None:
        self._text = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - lives as long as the collection
        self._ends = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115
        self.rows = 0
        self._end = 0

    def add(self, keys: Sequence[str]) -> None:
        """Appends the keys of the next rows."""
        encoded = [key.encode() for key in keys]
        ends = np.cumsum([self._end, *map(len, encoded)], dtype=np.int64)[1:]
        self._text.write(b"".join(encoded))
        self._ends.write(ends.tobytes())
        self.rows += len(encoded)
        self._end = int(ends[-1]) if len(ends) else self._end

    def keys(self, rows: Rows) -> dict[int, str]:
        """Returns the keys of some rows, by row number."""
        found = {}
        for row in rows[rows < self.rows].tolist():
            begin = self._end_of(row - 1) if row else 0
            self._text.seek(begin)
            found[row] = self._text.read(self._end_of(row) - begin).decode()
        return found

    def all(self) -> Iterator[str]:
        """Yields the keys of all rows in order."""
        begin = 0
        for first in range(0, self.rows, _PIECE):
            self._ends.seek(first * 8)
            ends = np.frombuffer(self._ends.read(8 * min(_PIECE, self.rows - first)), np.int64) - begin
            self._text.seek(begin)
            text = self._text.read(int(ends[-1]))
            begin += len(text)
            for start, end in pairwise([0, *ends.tolist()]):
                yield text[start:end].decode()

    def _end_of(self, row: int) -> int:
        self._ends.seek(row * 8)
        return int(np.frombuffer(self._ends.read(8), np.int64)[0])
