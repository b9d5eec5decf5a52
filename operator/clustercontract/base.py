"""What every model of the API shares: strict fields, and the rules that go into the CRD beside them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

ApiId = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
"""An id of the API, such as col_abc123; ids may hold underscores, object names may not."""


class FrugalModel(BaseModel):
    """Shares what never changes with other models: the set of the fields that were given, and defaults.

    They are most of a model's memory, and thousands of triggers are held.
    """

    model_config = ConfigDict(frozen=True)

    def model_post_init(self, context: Any, /) -> None:
        """Lets go of the set that pydantic has made."""
        object.__setattr__(self, "__pydantic_fields_set__", _shared(frozenset(self.__pydantic_fields_set__)))

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Itself: pydantic would give each model a copy of a default of its own."""
        return self


@lru_cache(maxsize=1024)
def _shared(names: frozenset[str]) -> set[str]:
    return set(names)  # Nothing changes it: models are frozen, and a copy copies it.


class ApiModel(FrugalModel):
    """A part of a resource: unknown fields and other types are refused, as the API server's strict validation does."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: object) -> object:
        """As on the API server, which prunes nulls before it fills in defaults: the API's clients may write them."""
        if isinstance(data, dict) and None not in data.values():
            return data  # as nearly always: what the API server stores holds no nulls
        if not isinstance(data, Mapping):
            return data
        return {name: value for name, value in data.items() if value is not None or name not in cls.model_fields}


Blame = Literal["FieldValueInvalid", "FieldValueRequired", "FieldValueForbidden"]


def cel(rule: str, message: str, *, field: str | None = None, reason: Blame = "FieldValueInvalid") -> dict[str, Any]:
    """One CEL rule of a CRD schema; the message names the field and the way out.

    Args:
        rule: what must hold.
        message: what is wrong otherwise.
        field: the field to blame, from the rule's object on, such as `.schedule_config.timezone`.
        reason: how the API server introduces the message.
    """
    written = {"rule": rule, "message": message}
    return written if field is None else {**written, "fieldPath": field, "reason": reason}


def with_rules(*rules: dict[str, Any]) -> dict[str, Any]:
    """`json_schema_extra` that carries CEL rules into the CRD."""
    return {"x-kubernetes-validations": list(rules)}
