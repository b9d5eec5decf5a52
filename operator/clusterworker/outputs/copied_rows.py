"""Rows for COPY ... (FORMAT BINARY), made without a Python object per value.

See https://www.postgresql.org/docs/current/sql-copy.html. Each row is a count of fields (int16), then for each field
its length (int32, -1 for NULL) and its bytes; all numbers are big-endian.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"

TYPES: dict[Any, tuple[str, str | None]] = {
    pa.int32(): ("integer", ">i4"),
    pa.int64(): ("bigint", ">i8"),
    pa.float32(): ("real", ">f4"),
    pa.float64(): ("double precision", ">f8"),
    pa.bool_(): ("boolean", "u1"),
    pa.string(): ("text", None),
}
"""By pyarrow's type: PostgreSQL's, and numpy's of one value; None: text, of any length."""

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Field:
    """One column: the bytes of all values, one after the other, and the length of each, -1 for NULL."""

    lengths: Places
    content: Bytes


def copied(batch: pa.RecordBatch) -> bytes:
    """Return the rows of a batch, whose columns are of TYPES."""
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
        begins = np.cumsum(size) - size
        out[np.repeat(places - begins, size) + np.arange(len(field.content))] = field.content
        places = places + size
    return out.tobytes()


def _field(column: Any) -> _Field:
    """A column's bytes; a null has none."""
    _, kind = TYPES[column.type]
    valid = np.asarray(column.is_valid())
    there = column.drop_null()
    if kind is None:
        offsets = np.frombuffer(there.buffers()[1], np.int32, len(there) + 1, 4 * there.offset).astype(np.int64)
        data = there.buffers()[2]
        content = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
        content, lengths = content[offsets[0] : offsets[-1]], np.diff(offsets)
    else:
        values = there.to_numpy(zero_copy_only=False).astype(kind)
        content = np.ascontiguousarray(values).view(np.uint8)
        lengths = np.full(len(there), values.itemsize, np.int64)
    every = np.full(len(column), -1, np.int64)
    every[valid] = lengths
    return _Field(every, content)


def _put(out: Bytes, places: Places, numbers: Any) -> None:
    width = numbers.itemsize
    out[places[:, None] + np.arange(width)] = np.ascontiguousarray(numbers).view(np.uint8).reshape(-1, width)
