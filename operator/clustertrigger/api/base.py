"""What every model of the API shares: strict fields, and the rules that go into the CRD beside them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class ApiModel(BaseModel):
    """A part of a resource: unknown fields are refused, as the API server's strict field validation does."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def cel(rule: str, message: str) -> dict[str, Any]:
    """One CEL rule of a CRD schema; the message names the field and the way out."""
    return {"rule": rule, "message": message}


def with_rules(*rules: dict[str, Any]) -> dict[str, Any]:
    """`json_schema_extra` that carries CEL rules into the CRD."""
    return {"x-kubernetes-validations": list(rules)}
