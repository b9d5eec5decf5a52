"""Converts the CRDs' schemas to JSON Schema, for editors and for kubeconform.

JSON Schema writes an exclusive minimum as a number, and does not have Kubernetes' keywords. It allows fields that no
schema names. The API server drops these, so they are errors here: most of them are misspelt.
"""

from __future__ import annotations

from typing import Any

from clustertrigger.api import API_VERSION
from codegen.crd import Kind
from codegen.structural import Schema

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The newest version that all editors support."""
_KUBERNETES = "x-kubernetes-"
_FREE = f"{_KUBERNETES}preserve-unknown-fields"
_NUMBERS = ("integer", "number")


def json_schema(kind: Kind) -> Schema:
    """Returns the schema of a manifest of this kind."""
    source = kind.schema()
    schema = _plain({**source, "required": ["apiVersion", "kind", "metadata", *source["required"]]})
    schema["properties"]["apiVersion"] = {"description": "Group and version of the kind.", "enum": [API_VERSION]}
    schema["properties"]["kind"] = {"description": "What the object is.", "enum": [kind.name]}
    return {"$schema": DIALECT, "title": kind.name, **schema}


def _plain(source: Schema) -> Schema:
    schema: dict[str, Any] = {key: value for key, value in source.items() if not key.startswith(_KUBERNETES)}
    if schema.get("type") in _NUMBERS:
        schema.pop("format", None)
    if schema.pop("exclusiveMinimum", False):
        schema["exclusiveMinimum"] = schema.pop("minimum")
    if "properties" in schema:
        required = schema.get("required", ())
        schema["properties"] = {
            name: _plain(field) if name in required else _or_null(_plain(field))
            for name, field in schema["properties"].items()
        }
        if not source.get(_FREE):
            schema.setdefault("additionalProperties", False)
    for part in ("items", "additionalProperties"):
        if isinstance(schema.get(part), dict):
            schema[part] = _plain(schema[part])
    return schema


def _or_null(schema: Schema) -> Schema:
    """Allows null for an optional field, because the API server drops it."""
    if "type" in schema:
        schema["type"] = [schema["type"], "null"]
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    if "anyOf" in schema:
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    return schema
