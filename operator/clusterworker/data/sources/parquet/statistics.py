"""Finds the row groups of a Parquet file in which a row may match, by the statistics in its footer.

Statistics that are missing, unknown or damaged skip no row group. See `thrift` for why pyarrow does not read them.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import reduce
from operator import and_
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from pyarrow import fs

from clusterworker.data.sources.parquet.thrift import Fields, Reader

_TAIL_BYTES = 8
"""Length of the footer's length and the magic bytes, at the end of a file."""
_ROW_GROUPS, _COLUMNS, _META_DATA = 4, 1, 3
_TYPE, _PATH, _NUM_VALUES, _STATISTICS = 1, 3, 5, 12
_MAX, _MIN, _NULL_COUNT, _MAX_VALUE, _MIN_VALUE = 1, 2, 3, 5, 6
_WANTED: Fields = {
    _ROW_GROUPS: {
        _COLUMNS: {
            _META_DATA: {
                **{field: {} for field in (_TYPE, _PATH, _NUM_VALUES)},
                _STATISTICS: {field: {} for field in (_MAX, _MIN, _NULL_COUNT, _MAX_VALUE, _MIN_VALUE)},
            }
        }
    }
}
"""Numbers of the fields in Parquet's Thrift definition: of FileMetaData, RowGroup, ColumnChunk, ColumnMetaData and
Statistics.
"""
_BOOLEAN, _INT32, _INT64, _FLOAT, _DOUBLE, _BYTES, _FIXED_BYTES = 0, 1, 2, 4, 5, 6, 7
_LENGTHS = {_BOOLEAN: 1, _INT32: 4, _INT64: 8, _FLOAT: 4, _DOUBLE: 8}
"""Number of bytes of a value of each physical type."""


def candidates(file: Any, columns: Any, expression: Any, groups: int) -> Sequence[int]:
    """Returns the numbers of the row groups in which the expression may hold for a row, ascending.

    Args:
        file: pyarrow's random access file.
        columns: pyarrow schema of the compared columns, with types as they were written.
        expression: pyarrow expression of these columns.
        groups: Number of row groups.
    """
    try:
        known = [_guarantee(group, columns) for group in _row_groups(file)]
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError):
        known = []
    if len(known) != groups:
        return range(groups)
    form, nowhere = pads.ParquetFileFormat(), fs.LocalFileSystem()
    fragments = [form.make_fragment(str(n), nowhere, partition_expression=one) for n, one in enumerate(known)]
    left = pads.FileSystemDataset(fragments, columns, form, nowhere).get_fragments(filter=expression)
    return sorted(int(fragment.path) for fragment in left)


def _row_groups(file: Any) -> list[dict[int, Any]]:
    size = file.size()
    length = int.from_bytes(file.read_at(4, size - _TAIL_BYTES), "little")
    footer = Reader(file.read_at(length, size - _TAIL_BYTES - length)).struct(_WANTED)
    found: list[dict[int, Any]] = footer[_ROW_GROUPS]
    return found


def _guarantee(group: dict[int, Any], columns: Any) -> Any:
    """Returns an expression that holds for all rows of a row group."""
    chunks = {}
    for chunk in group[_COLUMNS]:
        meta_data = chunk.get(_META_DATA, {})  # An encrypted column may have none.
        chunks[tuple(meta_data.get(_PATH, ()))] = meta_data
    of_columns = [_facts(chunks.get((field.name.encode(),), {}), field) for field in columns]
    return reduce(and_, (fact for facts in of_columns for fact in facts), pc.scalar(True))


def _facts(meta_data: dict[int, Any], column: Any) -> Iterator[Any]:
    if pa.types.is_nested(column.type):
        return  # A value that is null may be an item.
    statistics, field = meta_data.get(_STATISTICS, {}), pc.field(column.name)
    nulls = statistics.get(_NULL_COUNT)
    if nulls is not None and nulls == meta_data.get(_NUM_VALUES):
        yield field.is_null()
        return
    try:
        bounds = _bounds(meta_data[_TYPE], statistics, column.type)
    except (ValueError, KeyError, OverflowError, pa.ArrowException):
        bounds = None
    if nulls == 0:
        yield field.is_valid()
    if bounds is not None:
        lowest, highest = bounds
        # pyarrow considers an alternative to null only if it is a single comparison.
        for fact in (field >= lowest, field <= highest):
            yield fact if nulls == 0 else fact | field.is_null()


def _bounds(physical: int, statistics: dict[int, Any], kind: Any) -> tuple[Any, Any] | None:
    """Returns two values of the column's type, between which all of its values are; None if they are unknown."""
    lowest, highest = statistics.get(_MIN_VALUE), statistics.get(_MAX_VALUE)
    if (lowest is None or highest is None) and _is_signed(physical, kind):
        lowest, highest = statistics.get(_MIN), statistics.get(_MAX)  # Writers compared bytes and NaN in various ways.
    if lowest is None or highest is None:
        return None
    least, most = (_value(physical, one, kind) for one in (lowest, highest))
    if least is None or most is None or not least <= most:  # NaN is not, either.
        return None
    return pa.scalar(least, kind), pa.scalar(most, kind)


def _is_signed(physical: int, kind: Any) -> bool:
    return physical in (_INT32, _INT64) and not pa.types.is_unsigned_integer(kind)


def _value(physical: int, raw: bytes, kind: Any) -> Any:
    """Returns a value that pyarrow converts to the type, or None.

    Raises:
        ValueError: It is not of the physical type.
    """
    types = pa.types
    if len(raw) != _LENGTHS.get(physical, len(raw)):
        raise ValueError(f"{len(raw)} bytes")
    is_integer = physical in (_INT32, _INT64)
    if types.is_boolean(kind) and physical == _BOOLEAN:
        return raw != b"\0"
    if types.is_integer(kind) and is_integer:
        return int.from_bytes(raw, "little", signed=types.is_signed_integer(kind))
    if (types.is_date32(kind) and physical == _INT32) or (types.is_timestamp(kind) and physical == _INT64):
        return int.from_bytes(raw, "little", signed=True)
    if types.is_decimal(kind):
        steps = int.from_bytes(raw, "little" if is_integer else "big", signed=True)
        return Decimal(f"{steps}e{-kind.scale}")
    if (types.is_float32(kind) and physical == _FLOAT) or (types.is_float64(kind) and physical == _DOUBLE):
        return memoryview(raw).cast("f" if physical == _FLOAT else "d")[0]
    if (types.is_string(kind) or types.is_large_string(kind)) and physical == _BYTES:
        return raw.decode()
    if (types.is_binary(kind) or types.is_large_binary(kind)) and physical == _BYTES:
        return raw
    return raw if types.is_fixed_size_binary(kind) and physical == _FIXED_BYTES else None
