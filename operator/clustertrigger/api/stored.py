"""Plain dataclasses that are stored as JSON in a status: thousands are held, and a decision works on copies of them.

Their fields say with `Annotated[…, Field(…)]` what goes into the CRD. Reading leaves out what a newer version wrote.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar, get_type_hints

from pydantic import ConfigDict, TypeAdapter

Part = TypeVar("Part")
_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}
_EXACT: dict[tuple[type[Any], str], TypeAdapter[Any]] = {}
"""By dataclass and field; each is made once, when it is first needed."""
_EXACTLY = ConfigDict(strict=True, revalidate_instances="always")


def read_part(kind: type[Part], raw: object) -> Part:
    """The dataclass that JSON stands for.

    Raises:
        ValidationError: it stands for none.
    """
    read: Part = _adapter(kind).validate_python(raw)
    return read


def as_json(part: Any) -> dict[str, Any]:
    """A dataclass as JSON, without what is None."""
    said: dict[str, Any] = _adapter(type(part)).dump_python(part, mode="json", exclude_none=True)
    return said


def require_types(part: Any, fields: Iterable[str]) -> None:
    """Looks at some fields, with all that they hold: mypy sees most mistakes, and not those in what Any hides.

    Raises:
        ValidationError: a field does not hold what it is declared to hold.
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
