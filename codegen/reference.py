"""The field reference in Markdown, from the same models and schemas as the CustomResourceDefinitions."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from textwrap import dedent

from clustertrigger.api import API_VERSION
from clustertrigger.api.conditions import ConditionType, EventReason, Reason
from clustertrigger.api.names import ANNOTATION_RESET_REQUESTED, ANNOTATION_RUN_REQUESTED
from codegen.crd import Kind
from codegen.structural import Schema, structural_schema

_INTRODUCTION = f"""\
# Field reference

<!-- Generated from operator/clustertrigger/api by `make generate`: edit the models, not this file. -->

Resources of `{API_VERSION}`, all namespaced. **Required** fields are in bold; a default is what the operator takes
where the field is absent. `kubectl explain clustertrigger.spec --recursive` prints the same fields in a terminal.
"""

_ANNOTATIONS = f"""\
## Annotations

| annotation on a ClusterTrigger | meaning |
|---|---|
| `{ANNOTATION_RUN_REQUESTED}` | A new value runs the trigger once, under its concurrency policy; no schedule moves. |
| `{ANNOTATION_RESET_REQUESTED}` | A new value sets consecutive_failures to 0, so that a failed trigger fires again. |
"""


_OF_VARIANTS = re.compile(r"\w+ is required with \w+: set it|\w+ goes with [\w, ]+ only: remove it")


def reference(kinds: Iterable[Kind]) -> str:
    """The whole page."""
    shown: dict[str, str] = {}
    return "\n".join(
        [_INTRODUCTION, *(line for kind in kinds for line in _kind(kind, shown)), _ANNOTATIONS, *_reasons()]
    )


def _kind(kind: Kind, shown: dict[str, str]) -> Iterator[str]:
    """A kind's spec and status; `shown` remembers where each object was described first."""
    yield f"## {kind.name}\n"
    yield f"{kind.description} Short name: `{kind.short_name}`; `kubectl get clustering` lists all kinds.\n"
    yield from _object(structural_schema(kind.spec), f"{kind.name}.spec", shown)
    if kind.status is not None:
        yield from _object(structural_schema(kind.status), f"{kind.name}.status", shown)


def _object(schema: Schema, heading: str, shown: dict[str, str]) -> Iterator[str]:
    """The table of an object's fields, its rules, and the same for the objects inside it."""
    yield f"### `{heading}`\n"
    yield f"{schema.get('description', '')}\n"
    if (first := shown.setdefault(str(schema["properties"]), heading)) != heading:
        yield f"The same as [`{first}`](#{_anchor(first)}).\n"
        return
    required = schema.get("required", ())
    fields: dict[str, Schema] = schema["properties"]
    yield "| field | type | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in fields.items():
        marked = f"**`{name}`**" if name in required else f"`{name}`"
        yield f"| {marked} | {_type(field)} | {_default(field)} | {_cell(field.get('description', ''))} |"
    yield ""
    yield from _rules(schema)
    for name, field in fields.items():
        element = field.get("items", field)
        if "properties" in element:
            yield from _object(element, f"{heading}.{name}{'[]' if 'items' in field else ''}", shown)


def _rules(schema: Schema) -> Iterator[str]:
    """What crosses fields, but for which field goes with which variant: the table says that already."""
    rules = [rule["message"] for rule in schema.get("x-kubernetes-validations", ())]
    crossing = [message for message in rules if not _OF_VARIANTS.fullmatch(message)]
    if len(crossing) < len(rules):
        yield "A missing field, and one that goes with something else, is refused by name.\n"
    if crossing:
        yield "Rules:\n"
        yield from (f"- {_cell(message)}" for message in crossing)
        yield ""


def _reasons() -> Iterator[str]:
    yield "## Conditions and reasons\n"
    yield "All of them are part of the API: they may be added to, never renamed.\n"
    for heading, enum in (
        ("condition", ConditionType),
        ("reason of a condition", Reason),
        ("reason of an event", EventReason),
    ):
        yield f"| {heading} | meaning |"
        yield "|---|---|"
        yield from (f"| `{value}` | {_cell(text)} |" for value, text in _documented(enum).items())
        yield ""


def _documented(enum: type[StrEnum]) -> dict[str, str]:
    """Each member's value and the string below it in the source, which Python itself forgets."""
    [definition] = ast.parse(dedent(inspect.getsource(enum))).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101 - what getsource of a class yields
    found = {}
    for statement, below in zip(definition.body, definition.body[1:], strict=False):
        match statement, below:
            case ast.Assign(value=ast.Constant(value=str(value))), ast.Expr(value=ast.Constant(value=str(text))):
                found[value] = text
    return found


def _anchor(heading: str) -> str:
    """How GitHub names a heading's anchor."""
    return heading.lower().replace(".", "").replace("[]", "")


def _type(field: Schema) -> str:
    if "enum" in field:
        return " \\| ".join(f"`{value}`" for value in field["enum"])
    if "additionalProperties" in field:
        return f"map of string to {field['additionalProperties'].get('type', 'quantity')}"
    match field["type"]:
        case "array":
            return _with_bounds(
                f"list of {field['items']['type']}s", field.get("minItems"), field.get("maxItems"), "items"
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
