"""Decodes rows of COPY ...

(FORMAT BINARY) to arrays; see https://www.postgresql.org/docs/current/sql-copy.html. Each row is a number of fields
(int16), then for each field its length (int32, -1 for NULL) and its bytes. Here, a row has two fields: the vector, then
the id. pgvector sends a vector as its length (int16), an unused int16 and the numbers. PostgreSQL sends an array as
five int32 (dimensions, flags, element type, length, lower bound), then each element after its length. All numbers are
big-endian.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

SIGNATURE = b"PGCOPY\n\xff\r\n\x00"
_HEADER = len(SIGNATURE) + 8
_TRAILER = b"\xff\xff"
_BEGIN = 6
"""Number of bytes before the vector: the number of fields and the vector's length."""


@dataclass(frozen=True)
class VectorFormat:
    """The binary format of a type of vector.

    Attributes:
        head: numpy type of the bytes before the numbers.
        number: numpy type of one number.
        prefix: Number of bytes before each number, which contain its length.
    """

    head: np.dtype[Any]
    number: np.dtype[Any]
    prefix: int = 0

    @property
    def width(self) -> int:
        """Number of bytes of one number and its prefix."""
        return self.prefix + self.number.itemsize

    @property
    def is_array(self) -> bool:
        """Whether it is PostgreSQL's own array."""
        return self.prefix > 0


_PGVECTOR = np.dtype([("length", ">i2"), ("unused", ">i2")])
_ARRAY = np.dtype([("axes", ">i4"), ("nulls", ">i4"), ("type", ">i4"), ("length", ">i4"), ("lower", ">i4")])
VECTORS: Mapping[str, VectorFormat] = {
    "vector": VectorFormat(_PGVECTOR, np.dtype(">f4")),
    "halfvec": VectorFormat(_PGVECTOR, np.dtype(">f2")),
    "_float4": VectorFormat(_ARRAY, np.dtype(">f4"), prefix=4),
    "_float8": VectorFormat(_ARRAY, np.dtype(">f8"), prefix=4),
}
"""Formats by PostgreSQL's internal name of the type; _float4 is real[], _float8 is double precision[]."""


def rows_of(chunks: Iterable[Any]) -> Iterator[bytes]:
    """Yields the rows of a COPY; libpq returns each in one piece."""
    first = True
    for chunk in chunks:
        row = bytes(chunk)
        if first:
            if not row.startswith(SIGNATURE):
                raise ValueError("not the binary format of COPY")
            row = row[_HEADER:]
            first = False
        if row and row != _TRAILER:
            yield row


class Rows:
    """Some rows of (vector, id).

    Args:
        rows: Rows from `rows_of`.
        format: Format of the vectors.
    """

    def __init__(self, rows: Sequence[bytes], format: VectorFormat) -> None:  # noqa: A002 - what it is
        self._rows = rows
        self._format = format
        self._sizes = np.frombuffer(b"".join([row[2:_BEGIN] for row in rows]), ">i4")
        size = format.head.itemsize
        # A NULL and an array without elements are shorter than a head; the bytes after them are ignored.
        heads = b"".join([row[_BEGIN : _BEGIN + size].ljust(size, b"\0") for row in rows])
        self._heads = np.frombuffer(heads, format.head)

    def __len__(self) -> int:
        return len(self._rows)

    def null(self) -> int | None:
        """Position of the first row without a vector."""
        return _first(self._sizes < 0)

    def null_inside(self) -> int | None:
        """Position of the first array with a NULL in it."""
        if not self._format.is_array:
            return None
        return _first((self._sizes >= self._format.head.itemsize) & (self._heads["nulls"] != 0))

    def nested(self) -> int | None:
        """Position of the first array with more than one dimension."""
        if not self._format.is_array:
            return None
        return _first((self._sizes >= self._format.head.itemsize) & (self._heads["axes"] != 1))

    def lengths(self) -> Any:
        """Length of each vector, 0 for a missing vector: int64, shape (rows,)."""
        return np.where(self._sizes >= self._format.head.itemsize, self._heads["length"], 0)

    def numbers(self, dimensions: int) -> npt.NDArray[Any]:
        """Returns the vectors, which must all have this length: float32 or float64, shape (rows, dimensions)."""
        begin = _BEGIN + self._format.head.itemsize
        end = begin + dimensions * self._format.width
        content = b"".join([row[begin:end] for row in self._rows])
        element = np.dtype([("prefix", f"V{self._format.prefix}"), ("value", self._format.number)])
        numbers = np.frombuffer(content, element)["value"]
        kind = np.float64 if self._format.number.itemsize > np.dtype(np.float32).itemsize else np.float32
        return numbers.astype(kind).reshape(len(self._rows), dimensions)

    def ids(self, *, integers: bool) -> Any:
        """Returns the ids as a pyarrow array of int64 or string, null for NULL."""
        begins = _BEGIN + np.maximum(self._sizes, 0)
        values = [_field(row, int(begin)) for row, begin in zip(self._rows, begins.tolist(), strict=True)]
        if integers:
            return pa.array(None if value is None else int.from_bytes(value, "big", signed=True) for value in values)
        return pa.array(values, pa.binary()).cast(pa.string())


def _field(row: bytes, begin: int) -> bytes | None:
    size = int.from_bytes(row[begin : begin + 4], "big", signed=True)
    return None if size < 0 else row[begin + 4 : begin + 4 + size]


def _first(mask: Any) -> int | None:
    return int(np.argmax(mask)) if mask.any() else None
