"""Stores a hash of each row's vector on disk, for sources without snapshots."""

import tempfile
from typing import BinaryIO, cast

import numpy as np

from clusterworker.data.arrays import Vectors
from clusterworker.data.prints import prints


class PrintSpool:
    """Hashes of the vectors of all rows, 8 bytes each, in a scratch file that disappears with the process."""

    def __init__(self) -> None:
        self._file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - lives as long as the collection

    def add(self, vectors: Vectors) -> None:
        """Appends the vectors of the next rows."""
        self._file.write(prints(vectors).tobytes())

    def first_other(self, row: int, vectors: Vectors) -> int | None:
        """Returns the position of the first vector that differs from the one that was added for its row.

        Args:
            row: Row number of the first vector.
            vectors: Vectors of this row and the next ones, shape (rows, dimensions).
        """
        found = prints(vectors)
        self._file.seek(row * found.itemsize)
        others = np.flatnonzero(found != np.frombuffer(self._file.read(found.nbytes), found.dtype))
        return int(others[0]) if len(others) else None
