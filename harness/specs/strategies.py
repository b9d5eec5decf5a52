"""Generates random values from the CRDs' own schemas: values that a schema allows, and values just outside of it."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from codegen.crd import KINDS, Kind
from codegen.structural import Schema
from harness.specs.cases import ACCEPTED

Path = tuple[str, ...]
ITEM, VALUE = "[]", "{}"
_SHORT = 12
_LABELS = ["disk", "example.com/zone"]
_KEYS = {
    **{name: ["cpu", "memory"] for name in ("requests", "limits")},
    **dict.fromkeys(("node_selector", "matchLabels", "pod_labels", "pod_annotations"), _LABELS),
}
_OF_ANY_TYPE: tuple[Any, ...] = ("text", 7, -1, 1.5, True, ["text"], {"a": "text"})


@cache
def places(kind: Kind) -> list[tuple[Path, Schema]]:
    """Yields every place in a spec, and its schema."""
    return list(_places((), kind.schema()["properties"]["spec"]))


def _places(path: Path, schema: Schema) -> list[tuple[Path, Schema]]:
    found = [(path, schema)] if path else []
    for name, field in schema.get("properties", {}).items():
        found += _places((*path, name), field)
    if "items" in schema:
        found += _places((*path, ITEM), schema["items"])
    if "additionalProperties" in schema:
        found += _places((*path, VALUE), schema["additionalProperties"])
    return found


def put(spec: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """Returns a copy of the spec with the value at the place, which is created if necessary."""
    spec = deepcopy(spec)
    at: Any = spec
    keys = [_key(path, index) for index in range(len(path))]
    for index, key in enumerate(keys[:-1]):
        empty: Any = [{}] if path[index + 1] == ITEM else {}
        child = at[key] if isinstance(at, list) else at.get(key)
        if not child or not isinstance(child, type(empty)):
            at[key] = child = empty
        at = child
    at[keys[-1]] = value
    return spec


def _key(path: Path, index: int) -> Any:
    if path[index] == ITEM:
        return 0
    return _KEYS[path[index - 1]][0] if path[index] == VALUE else path[index]


def allowed(schema: Schema, name: str = "") -> SearchStrategy[Any]:
    """Generates values that the schema allows."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.integers(schema["minimum"], 10**6) | _matching(schema["pattern"])
    match schema["type"]:
        case "string":
            return _text(schema)
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "number":
            return st.floats(
                schema["minimum"], schema.get("maximum", 1e9), exclude_min=schema.get("exclusiveMinimum", False)
            )
        case "boolean":
            return st.booleans()
        case "array":
            least = schema.get("minItems", 0)
            items = allowed(schema["items"])
            match schema["x-kubernetes-list-type"]:
                case "set":
                    return st.lists(items, min_size=least, max_size=3, unique=True)
                case "map":
                    keys = [operator.itemgetter(key) for key in schema["x-kubernetes-list-map-keys"]]
                    return st.lists(items, min_size=least, max_size=3, unique_by=tuple(keys))
                case _:
                    return st.lists(items, min_size=least, max_size=3)
        case "object" if "x-kubernetes-preserve-unknown-fields" in schema:
            # This is filters, which no schema can describe.
            return st.fixed_dictionaries({"field": st.just("a"), "operator": st.just("eq"), "value": st.integers(0, 9)})
        case "object" if "additionalProperties" in schema:
            return st.dictionaries(st.sampled_from(_KEYS[name]), allowed(schema["additionalProperties"]))
        case _:
            required = schema.get("required", ())
            fields = {name: allowed(field, name) for name, field in schema["properties"].items()}
            needed = {name: field for name, field in fields.items() if name in required}
            return st.fixed_dictionaries(
                needed, optional={name: field for name, field in fields.items() if name not in needed}
            )


def _text(schema: Schema) -> SearchStrategy[str]:
    least, most = schema.get("minLength", 0), schema["maxLength"]
    if "pattern" in schema:
        texts = _matching(schema["pattern"]).filter(lambda text: least <= len(text) <= most)
        longest = "a" * most
        return texts | st.just(longest) if re.search(schema["pattern"], longest) else texts
    return st.text(min_size=least, max_size=_SHORT) | st.just("ä" * most)


def _matching(pattern: str) -> SearchStrategy[str]:
    # Python's $ would also match before a final line feed, which neither Go's nor Rust's does.
    return st.from_regex(
        re.compile(pattern, re.ASCII), fullmatch=pattern.endswith("$"), alphabet=st.characters(codec="ascii")
    )


def forbidden(schema: Schema) -> SearchStrategy[Any]:
    """Generates values that the schema does not allow: of another type, or just outside its bounds."""
    wrong: list[Any] = [value for value in _OF_ANY_TYPE if not _fits(schema, value)]
    if "enum" in schema:
        wrong.append("no-such-value")
    if "minimum" in schema:
        wrong.append(schema["minimum"] if schema.get("exclusiveMinimum") else schema["minimum"] - 1)
    if "maximum" in schema:
        wrong += [schema["maximum"] + 1, 10**20]
    if "maxLength" in schema:
        wrong.append("a" * (schema["maxLength"] + 1))
    if schema.get("minLength"):
        wrong.append("")
    if "pattern" in schema:
        wrong += [
            text
            for text in ("!", "a b", "-a", "a\n", "ä", "1x")
            if not re.search(schema["pattern"].replace("$", r"\Z"), text)
        ]
    if schema.get("minItems"):
        wrong.append([])
    if "maxItems" in schema and schema["items"].get("type") == "string":
        wrong.append([f"a{index}" for index in range(schema["maxItems"] + 1)])
    return st.sampled_from(wrong)


def _fits(schema: Schema, value: Any) -> bool:
    """Returns whether the value has the schema's type."""
    if schema.get("x-kubernetes-int-or-string"):
        return isinstance(value, (int, str)) and not isinstance(value, bool)
    match schema["type"]:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, dict)


@dataclass(frozen=True)
class Changed:
    """A spec that was valid before some of its places were changed.

    Attributes:
        kind: Kind of the spec.
        spec: The changed spec.
        paths: Places with another value, or none.
    """

    kind: Kind
    spec: dict[str, Any]
    paths: tuple[Path, ...]


@st.composite
def bases(draw: st.DrawFn, kinds: Collection[Kind] = KINDS) -> tuple[Kind, dict[str, Any]]:
    """Generates a valid spec of one of the kinds."""
    case = draw(st.sampled_from([case for case in ACCEPTED if case.kind in kinds]))
    return case.kind, case.spec


@st.composite
def with_changes(draw: st.DrawFn, kinds: Collection[Kind] = KINDS) -> Changed:
    """Generates a valid spec of one of the kinds, with up to three places changed, emptied or removed."""
    kind, spec = draw(bases(kinds))
    paths = []
    for _ in range(draw(st.integers(0, 3))):
        path, schema = draw(st.sampled_from(reachable(kind, spec)))
        what = draw(st.sampled_from(["allowed", "allowed", "allowed", "forbidden", "null", "removed"]))
        if what == "removed" and len(path) == 1:
            spec = {name: value for name, value in spec.items() if name != path[0]}
        elif what == "null" and path[-1].isidentifier():
            spec = put(spec, path, None)
        else:
            spec = put(spec, path, draw(forbidden(schema) if what == "forbidden" else allowed(schema, path[-1])))
        paths.append(path)
    return Changed(kind, spec, tuple(paths))


def reachable(kind: Kind, spec: dict[str, Any]) -> list[tuple[Path, Schema]]:
    """Returns the places that can be filled without creating objects that lack required fields."""
    schemas = dict(places(kind))
    return [(path, schema) for path, schema in schemas.items() if _has_what_it_needs(spec, path, schemas)]


def _has_what_it_needs(spec: Any, path: Path, schemas: dict[Path, Schema]) -> bool:
    """Returns whether every object on the path exists, or requires only what is on the path itself."""
    at = spec
    for index in range(1, len(path)):
        key = _key(path, index - 1)
        holds = key in at if isinstance(at, dict) else isinstance(at, list) and isinstance(key, int) and bool(at)
        at = at[key] if holds else None
        items = at if isinstance(at, list) else ()
        if path[index] == ITEM and len(items) < schemas[path[:index]].get("minItems", 0) - 1:
            return False  # one more item does not make the list long enough
        most = schemas[path[:index]].get("maxProperties", math.inf)
        if path[index] == VALUE and isinstance(at, dict) and len(at) >= most and _key(path, index) not in at:
            return False  # the map is full
        needed = set(schemas[path[:index]].get("required", ())) - {path[index]}
        if needed and not (isinstance(at, dict) and needed <= at.keys()):
            return False
    return True
