"""Converts Arrow's types to the few that filters, ids and vectors use.

Public tools write strings as views (Polars), as dictionaries (pandas' categories) or as bytes without a mark that they
are text (Impala, old Spark), and wrap types into extensions. pyarrow has no kernels for some of these.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def plain_type(kind: Any) -> Any:
    """Returns the type of a column of this type after `plain`."""
    while True:
        if isinstance(kind, pa.Bool8Type):
            return pa.bool_()
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
            kind = kind.value_type
        elif pa.types.is_string_view(kind):
            return pa.string()
        elif pa.types.is_binary_view(kind):
            return pa.binary()
        elif pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
            return pa.large_list(kind.value_field)
        elif pa.types.is_decimal32(kind) or pa.types.is_decimal64(kind):
            return pa.decimal128(kind.precision, kind.scale)  # pyarrow 26 does not cast decimal32 to integers.
        else:
            return kind


def plain(column: Any) -> Any:
    """Returns a column without extension, dictionary, run-end encoding and view.

    A column without any of these is returned as it is. Nulls of a dictionary's values become nulls of the column.
    """
    while True:
        kind = column.type
        if isinstance(kind, pa.Bool8Type):
            return column.cast(pa.bool_())
        if isinstance(kind, pa.BaseExtensionType):
            column = column.storage
        elif pa.types.is_dictionary(kind):
            # The values come first, here and below, because only plain ones have kernels.
            column = plain(column.dictionary).take(column.indices)
        elif pa.types.is_run_end_encoded(kind):
            rows = np.arange(column.offset, column.offset + len(column))
            places = np.searchsorted(column.run_ends.to_numpy(), rows, side="right")
            column = plain(column.values).take(pa.array(places))
        else:
            target = plain_type(kind)
            if target == kind:
                return column
            return _lists(column, target) if pa.types.is_large_list(target) else column.cast(target)


def _lists(views: Any, target: Any) -> Any:
    """Converts views of lists to lists, because pyarrow 26 casts them to invalid arrays."""
    lengths = pc.fill_null(pc.list_value_length(views), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))
    missing = views.is_null() if views.null_count else None
    return pa.LargeListArray.from_arrays(offsets, views.flatten(), type=target, mask=missing)


def take(column: Any, rows: Any) -> Any:
    """Returns some rows as a pyarrow array. pyarrow 26 cannot take them from views inside lists."""
    try:
        return column.take(rows)
    except pa.ArrowNotImplementedError:
        return pa.concat_arrays([column[:0], *(column[row : row + 1] for row in rows.to_pylist())])


def is_there(column: Any) -> Any:
    """Returns true for each value and null for each null, for columns that filters only compare with null."""
    valid = column.is_valid()
    return pc.if_else(valid, valid, pa.scalar(None, pa.bool_()))


def is_text(kind: Any) -> bool:
    """Returns whether a plain type contains text, or bytes that may be text."""
    types = pa.types
    return bool(
        types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind) or types.is_large_binary(kind)
    )


def is_uuid(kind: Any) -> bool:
    """Returns whether a plain type contains UUIDs: 16 bytes each, as in files without Parquet's mark."""
    return bool(pa.types.is_fixed_size_binary(kind) and kind.byte_width == 16)
