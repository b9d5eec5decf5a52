"""Converts a Parquet column of vectors to a matrix, without a copy if possible.

Vectors are lists of numbers, of any list and number type; JSON text, as in exports from CSV; or Spark's VectorUDT, a
struct that is dense or sparse. What is clustered are their numbers rounded to float32.
"""

import json
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from clusterworker.data.arrays import Rows, Vectors
from clusterworker.data.sources.batch import Batch, Place
from clusterworker.data.sources.messages import REMEDY, wrong_length
from clusterworker.data.sources.plain import is_text, plain, plain_type
from clusterworker.process.errors import MisconfiguredError

Numbers = npt.NDArray[Any]
"""Numbers of type float32 or float64."""
_UDT = ("type", "size", "indices", "values")
"""Fields of Spark's VectorUDT: type is 1 for a dense vector, 0 for a sparse one."""
_DENSE, _SPARSE = 1, 0
RAW_BYTES = (
    "whose number type is unknown: write lists of numbers, such as numpy.frombuffer(value, numpy.float32).tolist()"
)
_SERIALIZED = {
    re.compile(rb"\x80[\x02-\x05].*\.", re.DOTALL): (
        "Python's pickle: write lists of numbers, such as pickle.loads(value).tolist()"
    ),
    re.compile(rb"\x93NUMPY.*", re.DOTALL): (
        "numpy.save: write lists of numbers, such as numpy.load(io.BytesIO(value)).tolist()"
    ),
    re.compile(rb"PK\x03\x04.*", re.DOTALL): (
        "a program such as torch.save: write lists of numbers, such as torch.load(io.BytesIO(value)).tolist()"
    ),
}
"""What wrote bytes that are not only the numbers, and how to get the numbers."""
_UNPRINTABLE = re.compile(rb"[^\t\n\r -~]")
"""What no list of numbers contains, and what nearly every raw vector does."""


def is_vector_type(kind: Any) -> bool:
    """Returns whether a plain type can contain vectors. Each value is verified when it is read."""
    return is_text(kind) or _is_udt(kind) or pa.types.is_null(kind) or (_is_list(kind) and _is_number(kind.value_type))


def fixed_dimensions(kind: Any) -> int | None:
    """Returns the length of every vector if the plain type determines it."""
    return int(kind.list_size) if pa.types.is_fixed_size_list(kind) else None


def first_length(column: Any, place: Place, what: str) -> int:
    """Returns the length of the first vector of a plain column; arguments and errors as of to_numbers."""
    first = column[:1]
    _refuse_nulls(first, place, what)
    if is_text(first.type):
        return len(_parsed(_bytes(first)[0], place.at(0), what))
    return int(_lengths(first, place, what)[0])


def to_numbers(column: Any, dimensions: int, place: Place, what: str) -> Numbers:
    """Returns the column's vectors, shape (rows, dimensions): float64 where the column's type has more than float32.

    Args:
        column: pyarrow array of a plain type that can contain vectors.
        dimensions: Required length of every vector.
        place: Place of the column's first row.
        what: Name of the column in messages.

    Raises:
        MisconfiguredError: A vector is null, has another length, contains a null, or is not a vector; the error names
        the row.
    """
    _refuse_nulls(column, place, what)
    if is_text(column.type):
        return _from_text(column, dimensions, place, what)
    _refuse_lengths(_lengths(column, place, what), dimensions, place, what)
    if _is_udt(column.type):
        return _from_udt(column, dimensions, place, what)
    return _numbers(column.flatten(), dimensions, place, what).reshape(len(column), dimensions)


def batch_of(ids: Any, numbers: Numbers, index: int, place: Place, what: str) -> Batch:
    """Returns a batch with numbers rounded to float32; those beyond its range become infinite, or 0.

    Args:
        ids: Its documents' ids.
        numbers: float32 or float64, shape (rows, dimensions).
        index: Index of the collection in the RunSpec.
        place: Place of its first row.
        what: Name of the column in messages.

    Raises:
        MisconfiguredError: a vector holds NaN or infinity; names the row.
    """
    with np.errstate(over="ignore", under="ignore"):
        vectors: Vectors = numbers.astype(np.float32, copy=False)
    _refuse_not_finite(vectors, numbers, place, what)
    return Batch(ids, vectors, index, place, None if numbers.dtype == np.float32 else numbers)


def _refuse_not_finite(vectors: Vectors, numbers: Numbers, place: Place, what: str) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        # NaN and infinity remain in the sum of squares, which takes one pass and no array of the matrix's size.
        squares = np.vecdot(vectors, vectors)
    if np.isfinite(squares).all():
        return
    finite = np.isfinite(numbers)
    if finite.all():  # The squares of numbers beyond 1e18 are infinite in float32, although the numbers are not.
        return
    row = int(np.argmin(finite.all(axis=1)))
    value = numbers[row][~finite[row]][0]
    shown = "NaN" if np.isnan(value) else "an infinite number"
    raise MisconfiguredError(f"{place.at(row)}: {what} holds {shown}: {REMEDY}")


def _refuse_nulls(column: Any, place: Place, what: str) -> None:
    if column.null_count:
        raise MisconfiguredError(f"{place.at(_first(column.is_null()))}: {what} is null: {REMEDY}")


def _refuse_lengths(lengths: Any, dimensions: int, place: Place, what: str) -> None:
    wrong = pc.not_equal(lengths, dimensions)
    if pc.any(wrong).as_py():
        row = _first(wrong)
        raise wrong_length(place.at(row), what, int(lengths[row].as_py()), dimensions)


def _numbers(values: Any, dimensions: int, place: Place, what: str) -> Numbers:
    """Returns the numbers of vectors of equal length, consecutively; shape (values,)."""
    values = plain(values)
    if values.null_count:
        row = _first(values.is_null()) // dimensions
        raise MisconfiguredError(f"{place.at(row)}: {what} holds a null inside the vector: {REMEDY}")
    if pa.types.is_decimal(values.type):
        values = values.cast(pa.float64())
    numbers: Numbers = values.to_numpy(zero_copy_only=False)
    return numbers.astype(np.float32 if np.can_cast(numbers.dtype, np.float32) else np.float64, copy=False)


def _lengths(column: Any, place: Place, what: str) -> Any:
    """Returns the length of each vector, as a pyarrow array."""
    if not _is_udt(column.type):
        return pc.list_value_length(column)
    kinds, sizes, _, values = (plain(column.field(name)) for name in _UDT)
    known = pc.is_in(kinds, pa.array([_DENSE, _SPARSE], kinds.type))
    if not pc.all(known).as_py():
        raise _no_vector(place.at(_first(pc.invert(known))), what)
    lengths = pc.if_else(
        pc.equal(kinds, _DENSE), pc.cast(pc.list_value_length(values), pa.int64()), pc.cast(sizes, pa.int64())
    )
    is_length = pc.fill_null(pc.greater_equal(lengths, 0), False)
    if not pc.all(is_length).as_py():
        raise _no_vector(place.at(_first(pc.invert(is_length))), what)
    return lengths


def _from_udt(column: Any, dimensions: int, place: Place, what: str) -> Numbers:
    """Returns dense vectors. Dense ones are copied; in sparse ones, missing numbers are 0."""
    kinds, _, indices, values = (plain(column.field(name)) for name in _UDT)
    dense = np.asarray(pc.equal(kinds, _DENSE).to_numpy(zero_copy_only=False), bool)
    if dense.all():
        return _numbers(values.flatten(), dimensions, place, what).reshape(len(column), dimensions)
    matrix = np.zeros((len(column), dimensions))
    for row, is_dense in enumerate(dense.tolist()):
        numbers = np.asarray(_numbers(values[row : row + 1].flatten(), dimensions, _Row(place, row), what))
        at: Rows = np.arange(dimensions) if is_dense else _indices(indices[row], place.at(row), what)
        if len(at) != len(numbers) or (len(at) and not 0 <= at.min() <= at.max() < dimensions):
            raise _no_vector(place.at(row), what)
        matrix[row, at] = numbers
    return matrix


def _indices(listed: Any, at: str, what: str) -> Rows:
    found = listed.as_py()
    if found is None or None in found or len(set(found)) < len(found):
        raise _no_vector(at, what)
    return np.array(found, np.int64)


def _from_text(column: Any, dimensions: int, place: Place, what: str) -> Numbers:
    matrix = np.empty((len(column), dimensions))
    for row, text in enumerate(_bytes(column)):
        numbers = _parsed(text, place.at(row), what)
        if len(numbers) != dimensions:
            raise wrong_length(place.at(row), what, len(numbers), dimensions)
        matrix[row] = numbers
    return matrix


def _bytes(column: Any) -> list[bytes]:
    """What is said to be UTF-8, as it is: it may not be."""
    types = pa.types
    is_large = types.is_large_string(column.type) or types.is_large_binary(column.type)
    binary = pa.large_binary() if is_large else pa.binary()
    found: list[bytes] = column.cast(binary).to_pylist()
    return found


def _parsed(text: bytes, at: str, what: str) -> list[float]:
    """The numbers of a JSON list."""
    try:
        numbers = json.loads(text)
    except (ValueError, RecursionError):
        numbers = None
    if not isinstance(numbers, list) or not all(type(number) in (int, float) for number in numbers):
        for form, writer in _SERIALIZED.items():
            if form.fullmatch(text):
                raise MisconfiguredError(f"{at}: {what} holds {len(text)} bytes of {writer}")
        if _UNPRINTABLE.search(text):
            raise MisconfiguredError(f"{at}: {what} holds {len(text)} raw bytes, {RAW_BYTES}")
        raise MisconfiguredError(
            f"{at}: {what} holds text that is not a JSON list of numbers, such as [0.1, 0.2]: write lists of numbers, "
            "or set source.vector_column to the column with the embeddings"
        )
    try:
        return [float(number) for number in numbers]
    except OverflowError:
        return [float("inf")] * len(numbers)


class _Row:
    """A place that always names the same row."""

    def __init__(self, place: Place, row: int) -> None:
        self._place = place
        self._row = row

    def at(self, offset: int) -> str:
        """See Place."""
        return self._place.at(self._row)

    def refused(self, offset: int, why: str) -> MisconfiguredError:
        """See Place."""
        return self._place.refused(self._row, why)


def _no_vector(at: str, what: str) -> MisconfiguredError:
    return MisconfiguredError(
        f"{at}: {what} holds a struct that is not a Spark vector (VectorUDT: type, size, indices, values): {REMEDY}"
    )


def _is_list(kind: Any) -> bool:
    return bool(pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_number(kind: Any) -> bool:
    kind = plain_type(kind)
    types = pa.types
    return bool(types.is_floating(kind) or types.is_integer(kind) or types.is_decimal(kind) or types.is_null(kind))


def _is_udt(kind: Any) -> bool:
    if not pa.types.is_struct(kind) or sorted(kind.names) != sorted(_UDT):
        return False
    fields = {field.name: plain_type(field.type) for field in kind}
    lists = [fields["indices"], fields["values"]]
    return bool(
        all(pa.types.is_integer(fields[name]) for name in ("type", "size"))
        and all(_is_list(one) and _is_number(one.value_type) for one in lists)
        and pa.types.is_integer(plain_type(fields["indices"].value_type))
    )


def _first(mask: Any) -> int:
    return int(pc.index(mask, True).as_py())
