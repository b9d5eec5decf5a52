"""Converts a Parquet column to document ids: 64-bit integers, or strings for all other types of ids."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clusterworker.data.arrays import Rows
from clusterworker.data.sources.batch import Place
from clusterworker.data.sources.plain import is_text, is_uuid
from clusterworker.process.errors import MisconfiguredError

LARGEST = 2**63 - 1
_INTEGER = r"^(0|-?[1-9][0-9]{0,17})$"
"""An integer as `to_ids` writes it as text. All of these fit into 64 bits."""
_LONG_INTEGER = r"^-?[1-9][0-9]{18}$"
"""Some of these fit."""
_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)
_UUID_LENGTH = 36
_DASHES = (8, 13, 18, 23)


def identifies(kind: Any) -> bool:
    """Returns whether a plain type can contain document ids."""
    types = pa.types
    return bool(
        is_text(kind)
        or types.is_fixed_size_binary(kind)
        or types.is_integer(kind)
        or types.is_decimal(kind)
        or types.is_null(kind)
    )


def is_integer(kind: Any) -> bool:
    """Returns whether all values of a plain type are signed 64-bit integers.

    The type uint64 can contain larger numbers, so its values decide.
    """
    types = pa.types
    if types.is_decimal(kind):
        return bool(kind.scale == 0 and kind.precision <= 18)
    return bool(types.is_integer(kind) and not types.is_uint64(kind))


def to_ids(column: Any, place: Place, what: str, *, integers: bool) -> Any:
    """Returns the ids without loss: numbers in digits, UUIDs in their usual form, and bytes as text.

    Args:
        column: Column of a plain type for ids.
        place: Place of its rows.
        what: Name of the column in messages.
        integers: Whether all ids of the collection are 64-bit integers.

    Returns:
        A pyarrow array of int64 with `integers`, else of string.

    Raises:
        MisconfiguredError: An ID is null, or is bytes that are not text; the error names the row.
    """
    if column.null_count:
        row = int(pc.index(column.is_null(), True).as_py())
        raise MisconfiguredError(f"{place.at(row)}: {what} is null: give every document an id")
    if integers:
        return column.cast(pa.int64())
    if is_uuid(column.type):
        return _uuids(column)
    if pa.types.is_fixed_size_binary(column.type):
        column = column.cast(pa.binary())
    try:
        ids = column.cast(pa.string())
        ids.validate(full=True)  # A file can declare bytes as UTF-8 that are not.
    except pa.ArrowInvalid:
        row = next(number for number, value in enumerate(column.cast(_binary(column.type))) if not _is_utf8(value))
        raise MisconfiguredError(
            f"{place.at(row)}: {what} holds bytes that are not UTF-8 text: write ids as text or integers, or set "
            "source.document_id_column to another column"
        ) from None
    return ids


def document_keys(ids: Any) -> Rows:
    """Returns a hash of 64 bits for each document, shape (rows,), which is valid only within this process.

    An integer and its digits as text have the same hash, because one new id that is not an integer makes all ids of a
    run text, and the other documents are still those of the previous run. The probability of a collision is one in ten
    for a billion documents, and one in thirty million for a million.

    Args:
        ids: A pyarrow array of integers or strings.
    """
    if pa.types.is_integer(ids.type):
        keys: Rows = ids.cast(pa.int64()).to_numpy(zero_copy_only=False)
        return keys
    keys = np.fromiter(map(hash, ids.to_pylist()), np.int64, len(ids))
    keys[keys == 0] = hash((0,))  # Python's hash of "" is 0, which is the key of the integer.
    short = pc.match_substring_regex(ids, _INTEGER)
    keys[np.flatnonzero(short)] = ids.filter(short).cast(pa.int64()).to_numpy(zero_copy_only=False)
    long = pc.match_substring_regex(ids, _LONG_INTEGER)
    for row in np.flatnonzero(long).tolist():
        number = int(ids[row].as_py())
        if -LARGEST - 1 <= number <= LARGEST:
            keys[row] = number
    return keys


def _binary(kind: Any) -> Any:
    return pa.large_binary() if pa.types.is_large_string(kind) or pa.types.is_large_binary(kind) else pa.binary()


def _is_utf8(value: Any) -> bool:
    try:
        value.as_py().decode()
    except UnicodeDecodeError:
        return False
    return True


def _uuids(column: Any) -> Any:
    """Returns UUIDs as in RFC 9562: 32 digits and four dashes."""
    rows = len(column)
    _, data = column.buffers()
    raw = np.frombuffer(data, np.uint8, rows * 16, column.offset * 16).reshape(rows, 16)
    digits = _DIGITS[np.stack([raw >> 4, raw & 15], axis=2)].reshape(rows, 32)
    text = np.full((rows, _UUID_LENGTH), ord("-"), np.uint8)
    text[:, np.delete(np.arange(_UUID_LENGTH), _DASHES)] = digits
    offsets = np.arange(0, (rows + 1) * _UUID_LENGTH, _UUID_LENGTH, dtype=np.int32)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(text))
