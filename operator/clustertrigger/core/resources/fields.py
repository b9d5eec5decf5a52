"""Finds fields of a resource's model by their path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

_DEEPEST = 4
"""Maximum number of levels in which a field is searched; filters can be nested without limit."""


def known_fields(path: Sequence[int | str], model: type[BaseModel] | None) -> list[str]:
    """Returns the fields that the object at a path can have."""
    found = model_at(model, path)
    return sorted(found.model_fields) if found else []


def model_at(model: type[BaseModel] | None, path: Sequence[int | str]) -> type[BaseModel] | None:
    """Returns the model of the object at a path."""
    for part in path:
        if isinstance(part, int):
            continue
        info = model.model_fields.get(part) if model else None
        model = None if info is None else _model_in(info.annotation)
    return model


def places(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yields the paths of all fields of a model, without those of lists' items."""
    for name, info in model.model_fields.items():
        yield (*above, name)
        kind = info.annotation
        for inner in get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,):
            if isinstance(inner, type) and issubclass(inner, BaseModel) and len(above) < _DEEPEST:
                yield from places(inner, (*above, name))


def joined(root: str, path: Iterable[int | str]) -> str:
    """Returns a path as text, such as `spec.run.tolerations[0].key`."""
    text = root + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text if root else text.removeprefix(".")


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in inner if model is not None), None)
