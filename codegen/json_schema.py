"""The resources as JSON Schema, for editors and for kubeconform: the CRDs' schemas in the words that those know.

JSON Schema writes an exclusive minimum as a number, and knows none of Kubernetes' keywords. It allows fields that no
schema names; the API server drops these, so here they are errors: most of them are misspelt.
"""

from __future__ import annotations

from typing import Any

from clustertrigger.api import API_VERSION
from codegen.crd import Kind
from codegen.structural import Schema

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The newest one that all editors read."""
_KUBERNETES = "x-kubernetes-"
_FREE = f"{_KUBERNETES}preserve-unknown-fields"
_NUMBERS = ("integer", "number")


def json_schema(kind: Kind) -> Schema:
    """The schema of a manifest of this kind."""
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
    """The API server drops the null of an optional field, so it means the same as no field."""
    if "type" in schema:
        schema["type"] = [schema["type"], "null"]
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    if "anyOf" in schema:
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    return schema
