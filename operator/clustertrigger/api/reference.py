"""The field reference in Markdown, from the same schemas as the CustomResourceDefinitions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import BaseModel

from clustertrigger.api import API_VERSION
from clustertrigger.api.crd import Kind
from clustertrigger.api.structural import Schema, structural_schema

_INTRODUCTION = f"""\
# Field reference

<!-- Generated from operator/clustertrigger/api by `make generate`: edit the models, not this file. -->

Resources of `{API_VERSION}`, all namespaced. **Required** fields are in bold; a default is what the operator takes
where the field is absent. `kubectl explain clustertrigger.spec --recursive` prints the same fields in a terminal.
"""


def reference(kinds: Iterable[Kind]) -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *(line for kind in kinds for line in _kind(kind))])


def _kind(kind: Kind) -> Iterator[str]:
    yield f"## {kind.name}\n"
    yield f"{kind.description} Short name: `{kind.short_name}`; `kubectl get clustering` lists all three kinds.\n"
    yield from _section("spec", kind.spec, f"{kind.name}.spec")
    if kind.status is not None:
        yield from _section("status", kind.status, f"{kind.name}.status")


def _section(path: str, model: type[BaseModel], heading: str) -> Iterator[str]:
    yield from _object(path, structural_schema(model), heading)


def _object(path: str, schema: Schema, heading: str) -> Iterator[str]:
    """The table of an object's fields, its rules, and the same for the objects inside it."""
    yield f"### `{heading}`\n"
    yield f"{schema.get('description', '')}\n"
    yield "| field | type | default | meaning |"
    yield "|---|---|---|---|"
    required = schema.get("required", ())
    fields: dict[str, Schema] = schema["properties"]
    for name, field in fields.items():
        shown = f"**`{name}`**" if name in required else f"`{name}`"
        yield f"| {shown} | {_type(field)} | {_default(field)} | {_cell(field.get('description', ''))} |"
    yield ""
    rules = schema.get("x-kubernetes-validations", ())
    if rules:
        yield "Rules that cross fields:\n"
        yield from (f"- {rule['message']}" for rule in rules)
        yield ""
    for name, field in fields.items():
        element = field.get("items", field)
        if "properties" in element:
            suffix = "[]" if "items" in field else ""
            yield from _object(f"{path}.{name}{suffix}", element, f"{heading}.{name}{suffix}")


def _type(field: Schema) -> str:
    if "enum" in field:
        return " \\| ".join(f"`{value}`" for value in field["enum"])
    if field.get("x-kubernetes-int-or-string"):
        return "quantity"
    if "additionalProperties" in field:
        return f"map of string to {_type(field['additionalProperties'])}"
    match field["type"]:
        case "array":
            return _with_bounds(
                f"list of {_type(field['items'])}", field.get("minItems"), field.get("maxItems"), "items"
            )
        case "string" if field.get("format") == "date-time":
            return "time (RFC 3339)"
        case "string":
            return _with_bounds("string", None, field.get("maxLength"), "characters")
        case "integer" | "number":
            least = field.get("minimum")
            return _with_bounds(
                field["type"], least, field.get("maximum"), "", above=bool(field.get("exclusiveMinimum"))
            )
        case other:
            return str(other)


def _with_bounds(name: str, least: float | None, most: float | None, unit: str, *, above: bool = False) -> str:
    unit = f" {unit}" if unit else ""
    if least is not None and most is not None:
        return f"{name}, {_number(least)} to {_number(most)}{unit}"
    if most is not None:
        return f"{name}, at most {_number(most)}{unit}"
    if least is not None:
        return f"{name}, {'above' if above else 'at least'} {_number(least)}{unit}"
    return name


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _default(field: Schema) -> str:
    default = field.get("default")
    if default is None or default == {}:
        return ""
    if isinstance(default, dict):
        return ", ".join(f"`{name}: {_flow(value)}`" for name, value in default.items())
    return f"`{_flow(default)}`"


def _flow(value: object) -> str:
    """A value as YAML's flow style writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_flow(inner)}" for name, inner in value.items()) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
