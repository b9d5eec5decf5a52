"""Shows the values of a column of any type as text, for a report."""

import uuid
from typing import Any

import pyarrow as pa

from clusterworker.data.sources.plain import is_text, is_uuid

_UNKNOWN_TO_PYTHON = (ValueError, OverflowError, NotImplementedError, KeyError)
"""What pyarrow raises for values that Python does not have, such as nanoseconds and unknown time zones."""


def texts_of(values: Any) -> list[str]:
    """Returns the texts of the values of a plain type; "" for null.

    Bytes are text, and 16 bytes are UUIDs, as in document ids.
    """
    if is_uuid(values.type):
        return ["" if value is None else str(uuid.UUID(bytes=value)) for value in values.to_pylist()]
    if is_text(values.type) or pa.types.is_fixed_size_binary(values.type):
        return ["" if value is None else value.decode(errors="replace") for value in _bytes(values).to_pylist()]
    return [_text(values[row : row + 1]) for row in range(len(values))]


def _bytes(values: Any) -> Any:
    large = pa.types.is_large_string(values.type) or pa.types.is_large_binary(values.type)
    return values.cast(pa.large_binary() if large else pa.binary())


def _text(value: Any) -> str:
    """Returns the text of the only value of an array."""
    if value.null_count == 1:
        return ""
    try:
        return str(value[0].as_py())
    except _UNKNOWN_TO_PYTHON:
        return _in_parts(value)


def _in_parts(value: Any) -> str:
    """Returns the text of a value that Python does not have, or that contains one. Arrow formats what Python cannot."""
    kind, types = value.type, pa.types
    if types.is_struct(kind):
        fields = (f"{kind.field(at).name!r}: {_part(value.field(at))}" for at in range(kind.num_fields))
        return f"{{{', '.join(fields)}}}"
    if types.is_nested(kind) and hasattr(value[0], "values"):
        items = value[0].values
        return f"[{', '.join(_part(items[at : at + 1]) for at in range(len(items)))}]"
    if is_text(kind):
        return str(_bytes(value)[0].as_py().decode(errors="replace"))
    return str(value.to_string(skip_new_lines=True)).strip("[]")


def _part(value: Any) -> str:
    """Returns the text of a value inside another one, as Python shows it."""
    try:
        return repr(value[0].as_py())
    except _UNKNOWN_TO_PYTHON:
        return repr(_in_parts(value)) if is_text(value.type) else _in_parts(value)
