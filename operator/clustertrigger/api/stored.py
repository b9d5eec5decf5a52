"""Converts plain dataclasses to and from the JSON of a status.

They are dataclasses because the operator holds thousands of them, and each decision works on copies. Their fields
declare with `Annotated[…, Field(…)]` what the CRD contains. Fields that a newer version wrote are ignored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar, get_type_hints

from pydantic import ConfigDict, TypeAdapter

Part = TypeVar("Part")
_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}
_EXACT: dict[tuple[type[Any], str], TypeAdapter[Any]] = {}
"""Adapters by dataclass and field, created on first use."""
_EXACTLY = ConfigDict(strict=True, revalidate_instances="always")


def read_part(kind: type[Part], raw: object) -> Part:
    """Returns the dataclass that the JSON represents.

    Raises:
        ValidationError: The JSON does not represent one.
    """
    read: Part = _adapter(kind).validate_python(raw)
    return read


def as_json(part: Any) -> dict[str, Any]:
    """Returns a dataclass as JSON, without the fields that are None."""
    fields: dict[str, Any] = _adapter(type(part)).dump_python(part, mode="json", exclude_none=True)
    return fields


def require_types(part: Any, fields: Iterable[str]) -> None:
    """Checks the types of some fields, including nested values, because mypy does not check values of type Any.

    Raises:
        ValidationError: A field has a value of the wrong type.
    """
    hints = None
    for field in fields:
        exact = _EXACT.get((type(part), field))
        if exact is None:
            hints = hints or get_type_hints(type(part), include_extras=True)
            exact = _EXACT[type(part), field] = TypeAdapter(hints[field], config=_EXACTLY)
        exact.validate_python(getattr(part, field))


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    adapter = _ADAPTERS.get(kind)
    if adapter is None:
        adapter = _ADAPTERS[kind] = TypeAdapter(kind)
    return adapter
