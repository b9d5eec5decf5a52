"""Encodes rows for COPY ...

(FORMAT BINARY) without a Python object for each value. See https://www.postgresql.org/docs/current/sql-copy.html. Each
row is a number of fields (int16), then for each field its length (int32, -1 for NULL) and its bytes; all numbers are
big-endian.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"

_SCALARS: dict[Any, tuple[str, str | None]] = {
    pa.int32(): ("integer", ">i4"),
    pa.int64(): ("bigint", ">i8"),
    pa.float32(): ("real", ">f4"),
    pa.float64(): ("double precision", ">f8"),
    pa.bool_(): ("boolean", "u1"),
    pa.string(): ("text", None),
}
"""Maps pyarrow's types to PostgreSQL's, and numpy's type of one value; None for text, which has any length."""
TYPES: dict[Any, str] = {
    **{kind: name for kind, (name, _) in _SCALARS.items()},
    **{pa.list_(kind): f"{name}[]" for kind, (name, _) in _SCALARS.items()},
}
"""Maps pyarrow's types to PostgreSQL's."""
_OIDS = {pa.int32(): 23, pa.int64(): 20, pa.float32(): 700, pa.float64(): 701, pa.bool_(): 16, pa.string(): 25}
"""Object ids of the elements' types of arrays; pg_type.dat of PostgreSQL never changes them."""
_EMPTY_ARRAY, _ARRAY = 12, 20
"""Number of bytes before the elements: number of dimensions, flag for nulls, element type; and for each dimension its
length and lower bound.
"""

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Field:
    """One column: the bytes of all values, consecutively, and the length of each, -1 for NULL."""

    lengths: Places
    content: Bytes


def copied(batch: pa.RecordBatch) -> bytes:
    """Returns the encoded rows of a batch, whose columns have the types in TYPES."""
    rows = batch.num_rows
    fields = [_field(column) for column in batch.columns]
    sizes = [np.maximum(field.lengths, 0) for field in fields]
    ends = np.cumsum(2 + 4 * len(fields) + np.sum(sizes, axis=0, dtype=np.int64))
    places = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    out = np.empty(int(ends[-1]) if rows else 0, np.uint8)
    _put(out, places, np.full(rows, len(fields), ">i2"))
    places = places + 2
    for field, size in zip(fields, sizes, strict=True):
        _put(out, places, field.lengths.astype(">i4"))
        places = places + 4
        _scatter(out, places, size, field.content)
        places = places + size
    return out.tobytes()


def _field(column: Any) -> _Field:
    """Returns a column's bytes; a null has none."""
    if pa.types.is_list(column.type):
        return _arrays(column)
    _, kind = _SCALARS[column.type]
    valid = np.asarray(column.is_valid())
    present = column.drop_null()
    if kind is None:
        offsets = np.frombuffer(present.buffers()[1], np.int32, len(present) + 1, 4 * present.offset).astype(np.int64)
        data = present.buffers()[2]
        content = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
        content, lengths = content[offsets[0] : offsets[-1]], np.diff(offsets)
    else:
        values = present.to_numpy(zero_copy_only=False).astype(kind)
        content = np.ascontiguousarray(values).view(np.uint8)
        lengths = np.full(len(present), values.itemsize, np.int64)
    return _Field(_with_nulls(valid, lengths), content)


def _arrays(column: Any) -> _Field:
    """Returns one-dimensional arrays without nulls; each element is its length (int32) and its bytes."""
    present = column.drop_null()
    counts = np.asarray(pc.list_value_length(present)).astype(np.int64)
    elements = _field(present.flatten())
    ends = np.cumsum(counts)
    reached = np.concatenate([[0], np.cumsum(4 + elements.lengths)])
    heads = np.where(counts > 0, _ARRAY, _EMPTY_ARRAY)
    sizes = heads + reached[ends] - reached[ends - counts]
    begins = np.cumsum(sizes) - sizes
    content = np.zeros(int(sizes.sum()), np.uint8)
    filled = counts > 0
    _put(content, begins, filled.astype(">i4"))
    _put(content, begins + 8, np.full(len(counts), _OIDS[column.type.value_type], ">i4"))
    _put(content, begins[filled] + 12, counts[filled].astype(">i4"))
    _put(content, begins[filled] + 16, np.ones(int(filled.sum()), ">i4"))
    places = np.repeat(begins + heads - reached[ends - counts], counts) + reached[:-1]
    _put(content, places, elements.lengths.astype(">i4"))
    _scatter(content, places + 4, elements.lengths, elements.content)
    return _Field(_with_nulls(np.asarray(column.is_valid()), sizes), content)


def _with_nulls(valid: Any, lengths: Places) -> Places:
    every = np.full(len(valid), -1, np.int64)
    every[valid] = lengths
    return every


def _scatter(out: Bytes, places: Places, sizes: Places, content: Bytes) -> None:
    """Copies values of these sizes, which are consecutive in `content`, to their positions."""
    begins = np.cumsum(sizes) - sizes
    out[np.repeat(places - begins, sizes) + np.arange(len(content))] = content


def _put(out: Bytes, places: Places, numbers: Any) -> None:
    width = numbers.itemsize
    out[places[:, None] + np.arange(width)] = np.ascontiguousarray(numbers).view(np.uint8).reshape(-1, width)
