"""Tests of the conversion from pydantic's JSON Schema to structural schemas, construct by construct."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import AwareDatetime, BaseModel, Field

from codegen.structural import structural_schema


class Inner(BaseModel):
    """An inner object."""

    size: int = Field(3, ge=1, le=9)
    note: str | None = None


class Outer(BaseModel):
    """An outer object."""

    text: str | None = Field(None, max_length=8, description="A text.")
    whole: int = Field(ge=0)
    small: int = Field(ge=0, le=100)
    real: float = Field(gt=0)
    choice: Literal["a", "b"] = "a"
    only: Literal["x"]
    when: AwareDatetime | None = None
    amount: Annotated[int, Field(ge=0)] | Annotated[str, Field(pattern="^[0-9]+$")]
    inner: Inner = Field(Inner(), description="The one inside.")
    amounts: dict[str, int | str] = Field(default_factory=dict)
    many: list[Inner] = Field(default_factory=list, max_length=4)
    free: dict[str, Any] | None = Field(None, json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})


EXPECTED: dict[str, dict[str, Any]] = {
    "text": {"description": "A text.", "type": "string", "maxLength": 8},
    "whole": {"type": "integer", "format": "int64", "minimum": 0},
    "small": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 100},
    "real": {"type": "number", "format": "double", "minimum": 0.0, "exclusiveMinimum": True},
    "choice": {"type": "string", "enum": ["a", "b"], "default": "a"},
    "only": {"type": "string", "enum": ["x"]},
    "when": {"type": "string", "format": "date-time"},
    "amount": {
        "x-kubernetes-int-or-string": True,
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "pattern": "^[0-9]+$",
        "minimum": 0,
    },
    "inner": {
        "description": "The one inside.",
        "type": "object",
        "default": {},
        "properties": {
            "size": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 9, "default": 3},
            "note": {"type": "string"},
        },
    },
    "amounts": {
        "type": "object",
        "additionalProperties": {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
        },
    },
    "many": {
        "type": "array",
        "maxItems": 4,
        "x-kubernetes-list-type": "atomic",
        "items": {
            "description": "An inner object.",
            "type": "object",
            "properties": {
                "size": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 9, "default": 3},
                "note": {"type": "string"},
            },
        },
    },
    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}


@pytest.mark.parametrize("field", EXPECTED)
def test_field(field: str) -> None:
    assert structural_schema(Outer)["properties"][field] == EXPECTED[field]


def test_object() -> None:
    schema = structural_schema(Outer)

    assert (schema["type"], schema["description"]) == ("object", "An outer object.")
    assert schema["required"] == ["whole", "small", "real", "only", "amount"]
    assert list(schema["properties"]) == list(EXPECTED)


def test_defaults_only_where_wanted() -> None:
    properties = structural_schema(Outer, keeps_default=lambda path: path.startswith(".inner"))["properties"]

    assert "default" not in properties["choice"]
    assert properties["inner"]["default"] == {}


def test_default_of_an_object_leaves_out_what_its_fields_default_to() -> None:
    class Holder(BaseModel):
        inner: Inner = Inner(size=5, note=None)

    assert structural_schema(Holder)["properties"]["inner"]["default"] == {"size": 5}


def test_union_is_refused_by_name() -> None:
    class Odd(BaseModel):
        either: bool | str

    with pytest.raises(ValueError, match=r"^\.either: a structural schema does not support unions"):
        structural_schema(Odd)
