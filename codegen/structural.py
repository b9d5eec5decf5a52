"""Converts a pydantic model to the structural schema of a CustomResourceDefinition.

Structural schemas do not support references, null and tagged unions, and some keywords differ from the JSON Schema of
pydantic. See the Kubernetes documentation, "Specifying a structural schema".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter

Schema = dict[str, Any]
KeepsDefault = Callable[[str], bool]

_INT32_MAX = 2**31 - 1
_NULL = {"type": "null"}
_INT_OR_STRING = ("integer", "string")
_DROPPED = frozenset({"title", "const", "exclusiveMinimum", "examples"})

KEY_ORDER = (
    *(
        "description",
        "type",
        "format",
        "x-kubernetes-int-or-string",
        "anyOf",
        "enum",
        "pattern",
        "minLength",
        "maxLength",
    ),
    *(
        "minimum",
        "exclusiveMinimum",
        "maximum",
        "minItems",
        "maxItems",
        "maxProperties",
        "nullable",
        "default",
        "required",
    ),
    *("items", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "properties", "additionalProperties"),
    *("x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations"),
)
"""Order of a schema's keys in the generated files."""


def structural_schema(model: type[Any], *, keeps_default: KeepsDefault = lambda _path: True) -> Schema:
    """Returns the structural schema of a model.

    Args:
        model: The pydantic model of a spec, or the dataclass of a status.
        keeps_default: Whether the default of the field at a dotted path, such as `.run.retries`, is written into stored
            objects. Empty defaults are never written.

    Raises:
        ValueError: the model holds a type that a structural schema cannot express.
    """
    schema = TypeAdapter(model).json_schema()
    return _Converter(schema.pop("$defs", {}), keeps_default).convert(schema, "")


class _Converter:
    def __init__(self, definitions: dict[str, Schema], keeps_default: KeepsDefault) -> None:
        self._definitions = definitions
        self._keeps_default = keeps_default

    def convert(self, source: Schema, path: str) -> Schema:
        source = self._resolved(source, path)
        schema = {key: value for key, value in source.items() if key in KEY_ORDER and key not in _DROPPED}
        if "const" in source:
            schema["enum"] = [source["const"]]
        if "exclusiveMinimum" in source:
            schema |= {"minimum": source["exclusiveMinimum"], "exclusiveMinimum": True}
        match source.get("type"):
            case "object":
                self._convert_object(schema, path)
            case "array":
                schema["items"] = self.convert(source["items"], f"{path}[]")
                schema.setdefault("x-kubernetes-list-type", "atomic")
            case "integer":
                schema["format"] = "int32" if source.get("maximum", _INT32_MAX + 1) <= _INT32_MAX else "int64"
            case "number":
                schema["format"] = "double"
        self._convert_default(schema, path)
        return {key: schema[key] for key in KEY_ORDER if key in schema}

    def _resolved(self, source: Schema, path: str) -> Schema:
        """Returns the schema without $ref and without the null that pydantic writes for optional fields."""
        if "$ref" in source:
            target = self._definitions[source["$ref"].rpartition("/")[2]]
            return self._resolved({**target, **{key: value for key, value in source.items() if key != "$ref"}}, path)
        if "anyOf" not in source:
            return source
        branches = [branch for branch in source["anyOf"] if branch != _NULL]
        rest = {key: value for key, value in source.items() if key != "anyOf"}
        if len(branches) == 1:
            return self._resolved({**branches[0], **rest}, path)
        if tuple(branch.get("type") for branch in branches) == _INT_OR_STRING:
            constraints = {key: value for branch in branches for key, value in branch.items() if key != "type"}
            kinds = [{"type": kind} for kind in _INT_OR_STRING]
            return {**rest, **constraints, "x-kubernetes-int-or-string": True, "anyOf": kinds}
        raise ValueError(f"{path or 'the model'}: a structural schema does not support unions: {branches}")

    def _convert_object(self, schema: Schema, path: str) -> None:
        if "properties" in schema:
            schema["properties"] = {
                name: self.convert(field, f"{path}.{name}") for name, field in schema["properties"].items()
            }
        values = schema.pop("additionalProperties", None)
        if isinstance(values, dict):
            schema["additionalProperties"] = self.convert(values, f"{path}{{}}")

    def _convert_default(self, schema: Schema, path: str) -> None:
        default = schema.pop("default", None)
        if not self._keeps_default(path):
            return
        if isinstance(default, dict):
            default = _what_fields_do_not_say(schema, default)
            # An empty object is written only if its fields have defaults, which are then visible.
            if default or any("default" in field for field in schema.get("properties", {}).values()):
                schema["default"] = default
        elif not _is_empty(default):
            schema["default"] = default


def _what_fields_do_not_say(schema: Schema, default: dict[str, Any]) -> dict[str, Any]:
    """Returns an object's default without its fields' own defaults."""
    fields = schema.get("properties", {})
    defaults: dict[str, Any] = {}
    for name, value in default.items():
        field = fields.get(name, {})
        distinct = _what_fields_do_not_say(field, value) if isinstance(value, dict) else value
        if not _is_empty(distinct) and distinct != field.get("default"):
            defaults[name] = distinct
    return defaults


def _is_empty(value: object) -> bool:
    return value is None or value in ("", [], {})
