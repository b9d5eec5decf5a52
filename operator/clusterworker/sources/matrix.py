"""A Parquet column of lists as a float32 matrix, without a copy where the column allows."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clusterworker.arrays import Vectors
from clusterworker.errors import MisconfiguredError
from clusterworker.sources.batch import Place
from clusterworker.sources.messages import REMEDY, wrong_length


def storage_type(kind: Any) -> Any:
    """Return what an extension type, such as a fixed shape tensor, is stored as."""
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def is_vector_type(kind: Any) -> bool:
    """Whether the type is a list of floating-point numbers."""
    kind = storage_type(kind)
    lists = pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return bool(lists and pa.types.is_floating(kind.value_type))


def fixed_dimensions(kind: Any) -> int | None:
    """Length that the type itself promises for every vector."""
    kind = storage_type(kind)
    return int(kind.list_size) if pa.types.is_fixed_size_list(kind) else None


def to_matrix(column: Any, dimensions: int, place: Place, what: str) -> Vectors:
    """Return the column's vectors, shape (rows, dimensions).

    Args:
        column: pyarrow array of lists.
        dimensions: length that every vector must have.
        place: where the column's first row lies.
        what: how the column is called in messages.

    Raises:
        MisconfiguredError: a vector is null, of another length, or holds a null, NaN or infinity; names the row.
    """
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if column.null_count:
        raise MisconfiguredError(f"{place.at(_first(column.is_null()))}: {what} is null: {REMEDY}")
    lengths = pc.list_value_length(column)
    wrong = pc.not_equal(lengths, dimensions)
    if pc.any(wrong).as_py():
        row = _first(wrong)
        raise wrong_length(place.at(row), what, lengths[row].as_py(), dimensions)
    values = column.flatten()
    if values.null_count:
        row = _first(values.is_null()) // dimensions
        raise MisconfiguredError(f"{place.at(row)}: {what} holds a null inside the vector: {REMEDY}")
    with np.errstate(over="ignore"):  # a double too large for float32 becomes infinite, which is told below
        numbers: Vectors = values.to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    matrix = numbers.reshape(len(column), dimensions)
    check_finite(matrix, place, what)
    return matrix


def check_finite(matrix: Vectors, place: Place, what: str) -> None:
    """Refuse vectors with numbers that are none.

    Raises:
        MisconfiguredError: a vector holds NaN or infinity; names the row.
    """
    if np.isfinite(matrix).all():
        return
    row = int(np.argmin(np.isfinite(matrix).all(axis=1)))
    value = matrix[row][~np.isfinite(matrix[row])][0]
    shown = "NaN" if np.isnan(value) else "an infinite number"
    raise MisconfiguredError(f"{place.at(row)}: {what} holds {shown}: {REMEDY}")


def _first(mask: Any) -> int:
    return int(pc.index(mask, True).as_py())
