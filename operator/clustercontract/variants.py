"""Supports flat objects that stand for one of several models.

A structural schema does not support tagged unions. Therefore a user writes one object with the fields of all variants,
and a discriminator beside it selects the fields that apply. The variants' models define which field belongs to which
variant, both for the CRD's CEL rules and for validation in Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from clustercontract.base import ApiModel, cel

Variants = Mapping[str, type[ApiModel]]


def takers(variants: Variants, field: str) -> list[str]:
    """Returns the names of the variants that have this field."""
    return [name for name, model in variants.items() if field in model.model_fields]


@cache
def required(model: type[ApiModel]) -> tuple[str, ...]:
    """Returns the names of the required fields."""
    return tuple(name for name, info in model.model_fields.items() if info.is_required())


def variant_rules(
    variants: Variants, *, discriminator: str, parent: str, fields: Iterable[str], optional: bool = False
) -> list[dict[str, Any]]:
    """Returns CEL rules: each variant's required fields are set, and no field of another variant is.

    Args:
        variants: The models by the discriminator's value.
        discriminator: CEL path of the discriminator, such as `self.algorithm`.
        parent: CEL path of the flat object, such as `self`.
        fields: The flat object's own fields.
        optional: Whether the flat object can be absent.
    """
    path = parent.removeprefix("self")
    absent = f"!has({parent}) || " if optional else ""
    rules = [
        cel(
            f"{absent}{discriminator} != '{name}' || has({parent}.{field})",
            missing(name, field),
            field=f"{path}.{field}",
            reason="FieldValueRequired",
        )
        for name, model in variants.items()
        for field in required(model)
    ]
    for field in fields:
        having = takers(variants, field)
        if 0 < len(having) < len(variants):
            listed = ", ".join(f"'{name}'" for name in having)
            rule = f"{absent}!has({parent}.{field}) || {discriminator} in [{listed}]"
            message = foreign(having, field)
            rules.append(cel(rule, message, field=f"{path}.{field}", reason="FieldValueForbidden"))
    return rules


class VariantError(ValueError):
    """A flat object's fields do not match its variant.

    Args:
        message: Begins with the name of the field.
        parent: The field that holds the flat object. None: the object itself is checked.
    """

    def __init__(self, message: str, parent: str | None) -> None:
        super().__init__(message)
        self.parent = parent


def check_variant(variants: Variants, kind: str, flat: ApiModel, parent: str | None = None) -> None:
    """Checks in Python what `variant_rules` checks in CEL.

    Args:
        variants: The models by the discriminator's value.
        kind: The discriminator's value.
        flat: The flat object.
        parent: The field that holds it, if a model around it is checked.

    Raises:
        VariantError: A required field is missing, or a field of another variant is set.
    """
    model = variants[kind]
    for field in required(model):
        if getattr(flat, field) is None:
            raise VariantError(missing(kind, field), parent)
    for field in sorted(flat.model_fields_set - model.model_fields.keys()):
        if getattr(flat, field) is not None and (having := takers(variants, field)):
            raise VariantError(foreign(having, field), parent)


def narrow(variants: Variants, kind: str, flat: ApiModel) -> Any:
    """Returns the variant's own model, with its defaults filled in."""
    model = variants[kind]
    return model(**{name: value for name in model.model_fields if (value := getattr(flat, name)) is not None})


def missing(kind: str, field: str) -> str:
    """Returns the message for a required field that is missing."""
    return f"{field} is required with {kind}: set it"


def foreign(having: list[str], field: str) -> str:
    """Returns the message for a field that belongs to another variant."""
    return f"{field} is valid only with {', '.join(having)}: remove it"
