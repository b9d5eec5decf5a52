"""Provides the base class of all API models, and helpers that add CEL rules to the CRDs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator

ApiId = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
"""An ID of the API, such as col_abc123. IDs can contain underscores; names of Kubernetes objects cannot."""


class FrugalModel(BaseModel):
    """A model that shares immutable data, such as defaults and the set of the given fields, with other models.

    This data takes most of a model's memory, and the operator holds thousands of triggers.
    """

    model_config = ConfigDict(frozen=True)

    def model_post_init(self, context: Any, /) -> None:
        """Replaces the set of given fields that pydantic created by a shared one."""
        object.__setattr__(self, "__pydantic_fields_set__", _shared(frozenset(self.__pydantic_fields_set__)))

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Returns the model itself, because pydantic would otherwise copy a default for each model."""
        return self


@lru_cache(maxsize=1024)
def _shared(names: frozenset[str]) -> set[str]:
    return set(names)  # Sharing is safe: models are frozen, and copying a model copies the set.


class ApiModel(FrugalModel):
    """A part of a resource. It rejects unknown fields and wrong types, as the API server's strict validation does."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: object) -> object:
        """Treats null as absent, as the API server does: it prunes nulls before it applies defaults.

        It prunes them from fields and from maps, such as labels, but not from lists.
        """
        if not isinstance(data, Mapping):
            return data
        maps = [name for name in _maps(cls) if isinstance(data.get(name), Mapping) and None in data[name].values()]
        if isinstance(data, dict) and not maps and None not in data.values():
            return data  # The usual case: objects that the API server stores contain no nulls.
        present = {name: value for name, value in data.items() if value is not None or name not in cls.model_fields}
        return {**present, **{name: _without_nulls(present[name]) for name in maps}}


@lru_cache(maxsize=1024)
def _maps(model: type[BaseModel]) -> tuple[str, ...]:
    """Returns the names of a model's fields that are maps, or None."""
    return tuple(name for name, field in model.model_fields.items() if _is_map(field.annotation))


def _is_map(annotation: object) -> bool:
    return get_origin(annotation) is dict or any(get_origin(one) is dict for one in get_args(annotation))


def _without_nulls(pairs: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in pairs.items() if value is not None}


Blame = Literal["FieldValueInvalid", "FieldValueRequired", "FieldValueForbidden"]


def cel(rule: str, message: str, *, field: str | None = None, reason: Blame = "FieldValueInvalid") -> dict[str, Any]:
    """Returns one CEL rule for a CRD schema. The message names the field and the remedy.

    Args:
        rule: The condition that must hold.
        message: What is wrong if the condition does not hold.
        field: Path of the invalid field, relative to the rule's object, such as `.schedule_config.timezone`.
        reason: The reason that the API server reports with the message.
    """
    written = {"rule": rule, "message": message}
    return written if field is None else {**written, "fieldPath": field, "reason": reason}


def with_rules(*rules: dict[str, Any]) -> dict[str, Any]:
    """Returns a `json_schema_extra` that adds CEL rules to the CRD."""
    return {"x-kubernetes-validations": list(rules)}


def each_once(names: list[str]) -> list[str]:
    """Returns the names unchanged. The API server treats such a list as a set.

    Raises:
        ValueError: A name is listed twice.
    """
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        raise ValueError(f"{twice!r} is listed twice: remove one of the two entries")
    return names
