"""Tests of the CustomResourceDefinitions that need no server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from codegen.crd import CLUSTER_TRIGGER, KINDS, Kind
from codegen.structural import Schema
from harness.specs.cases import REFUSED

FORBIDDEN = {"$ref", "$defs", "title", "const", "allOf", "oneOf", "not", "nullable", "examples"}


def schemas(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Returns every schema inside a schema, by path."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from schemas(field, f"{path}.{name}")
    if "items" in schema:
        yield from schemas(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from schemas(schema["additionalProperties"], f"{path}{{}}")


def of_kind(kind: Kind) -> list[tuple[str, Schema]]:
    return list(schemas(kind.schema()))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
class TestSchema:
    def test_is_structural(self, kind: Kind) -> None:
        for path, schema in of_kind(kind):
            assert not FORBIDDEN & schema.keys(), path
            assert ("type" in schema) != ("x-kubernetes-int-or-string" in schema), path
            assert schema.get("type") != "array" or "items" in schema, path
            assert not ("properties" in schema and "additionalProperties" in schema), path

    def test_every_field_is_described(self, kind: Kind) -> None:
        undescribed = [path for path, schema in of_kind(kind) if path.count(".") > 1 and path[-1] not in "]}"
                       and not schema.get("description")]  # fmt: skip
        assert [path for path in undescribed if not path.startswith(".metadata")] == []

    def test_specs_are_bounded(self, kind: Kind) -> None:
        """Otherwise the API server's estimate of a rule's cost exceeds its budget."""
        for path, schema in of_kind(kind):
            if not path.startswith(".spec"):
                continue
            match schema.get("type"):
                case "string":
                    assert "maxLength" in schema or "enum" in schema, path
                case "array":
                    assert "maxItems" in schema, path
                case "object" if "additionalProperties" in schema:
                    assert "maxProperties" in schema, path

    def test_no_rule_splits_texts(self, kind: Kind) -> None:
        """Kubernetes 1.25 estimates that the list is infinite, and refuses the CRD."""
        rules = [rule["rule"] for _, schema in of_kind(kind) for rule in schema.get("x-kubernetes-validations", ())]
        assert [rule for rule in rules if ".split(" in rule] == []

    def test_every_rule_names_a_field_and_a_remedy(self, kind: Kind) -> None:
        for path, schema in of_kind(kind):
            for rule in schema.get("x-kubernetes-validations", ()):
                blamed = rule["fieldPath"].rpartition(".")[2]
                assert ":" in rule["message"], f"{path}: {rule['message']}"
                assert blamed in rule["message"] or "operator" in rule["message"], f"{path}: {rule['message']}"

    def test_every_rule_has_a_case(self, kind: Kind) -> None:
        """Every rule needs an invalid spec in the shared table that shows that it rejects something."""
        cases = [(case.field.rpartition(".")[2], case.says) for case in REFUSED if case.rule]
        for path, schema in of_kind(kind):
            for rule in schema.get("x-kubernetes-validations", ()):
                blamed = rule["fieldPath"].rpartition(".")[2]
                assert any(field == blamed and says in rule["message"] for field, says in cases), f"{path}: {rule}"

    def test_names(self, kind: Kind) -> None:
        crd = kind.custom_resource_definition()

        assert crd["metadata"]["name"] == f"{kind.plural}.clustertrigger.dev"
        assert crd["spec"]["scope"] == "Namespaced"
        assert crd["spec"]["names"] == {
            "kind": kind.name,
            "listKind": f"{kind.name}List",
            "plural": kind.plural,
            "singular": kind.name.lower(),
            "shortNames": [kind.short_name],
            "categories": ["clustering"],
        }


def version() -> dict[str, Any]:
    [only] = CLUSTER_TRIGGER.custom_resource_definition()["spec"]["versions"]
    return dict(only)


def test_short_names() -> None:
    assert {kind.name: kind.short_name for kind in KINDS} == {
        "ClusterTrigger": "ctr",
        "ClusterDefinition": "cdef",
        "Collection": "col",
        "Taxonomy": "tax",
    }


def test_columns_are_those_of_the_design() -> None:
    narrow = [column["name"].upper() for column in version()["additionalPrinterColumns"] if "priority" not in column]
    assert narrow == [*("TYPE", "SCHEDULE", "STATUS", "LAST RUN", "LAST RESULT", "NEXT RUN", "RUNS", "FAILURES", "AGE")]


def test_next_run_is_text_and_last_run_an_age() -> None:
    """A date in the future would be printed as <invalid>."""
    types = {column["name"]: column["type"] for column in version()["additionalPrinterColumns"]}
    assert (types["Next Run"], types["Last Run"], types["Age"]) == ("string", "date", "date")


def test_conditions_are_a_map_by_type() -> None:
    conditions = CLUSTER_TRIGGER.schema()["properties"]["status"]["properties"]["conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]


def test_spec_stores_defaults_of_action_type_status_and_run_only() -> None:
    stored = {path for path, schema in schemas(CLUSTER_TRIGGER.schema()["properties"]["spec"]) if "default" in schema}
    assert {".action_type", ".status"} <= stored
    assert all(path in (".action_type", ".status") or path.startswith(".run") for path in stored)


def test_selectable_fields() -> None:
    assert version()["selectableFields"] == [{"jsonPath": ".spec.trigger_type"}, {"jsonPath": ".spec.status"}]
    assert version()["subresources"] == {"status": {}}
