"""Tests of the JSON schemas for editors and kubeconform: they accept valid fields and reject misspelt ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from clustertrigger.api import API_VERSION, GROUP, VERSION
from codegen.crd import KINDS, Kind
from codegen.json_schema import json_schema
from harness.specs.case import Accepted
from harness.specs.cases import ACCEPTED

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "examples"
FILES = sorted(EXAMPLES.rglob("*.yaml"))
MODELINE = re.compile(r"^# yaml-language-server: \$schema=(\S+)$", re.MULTILINE)
Json = dict[str, Any]


def mistakes(schema: Json, manifest: Json) -> list[str]:
    import jsonschema

    return [f"{error.json_path}: {error.message}" for error in jsonschema.Draft7Validator(schema).iter_errors(manifest)]


def schema_of(kind: str) -> Path:
    return REPOSITORY / "schemas" / GROUP / f"{kind.lower()}_{VERSION}.json"


def manifest(kind: Kind, spec: Json) -> Json:
    return {"apiVersion": API_VERSION, "kind": kind.name, "metadata": {"name": "name"}, "spec": spec}


def ours(file: Path) -> Iterator[tuple[str, Json]]:
    """The documents of this project's kinds, with the text between their separators."""
    for text in re.split(r"^---\n", file.read_text(), flags=re.MULTILINE):
        document = yaml.safe_load(text)
        if document and document.get("apiVersion") == API_VERSION:
            yield text, document


def name_in_examples(file: Path) -> str:
    return str(file.relative_to(EXAMPLES))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_schema_is_one(kind: Kind) -> None:
    import jsonschema

    jsonschema.Draft7Validator.check_schema(json_schema(kind))
    assert "x-kubernetes" not in schema_of(kind.name).read_text()


@pytest.mark.parametrize("file", FILES, ids=name_in_examples)
def test_an_example_passes(file: Path) -> None:
    for _, document in ours(file):
        assert mistakes(json.loads(schema_of(document["kind"]).read_text()), document) == []


@pytest.mark.parametrize("file", FILES, ids=name_in_examples)
def test_an_example_tells_editors_which_schema_is_its(file: Path) -> None:
    """Editors read the comment in each document of a file."""
    for text, document in ours(file):
        named = [(file.parent / path).resolve() for path in MODELINE.findall(text)]
        assert named == [schema_of(document["kind"])], document["metadata"]["name"]
    assert len(MODELINE.findall(file.read_text())) == len(list(ours(file)))


@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_what_the_models_accept_passes(case: Accepted) -> None:
    assert mistakes(json_schema(case.kind), manifest(case.kind, case.spec)) == []


def test_mistakes_are_found() -> None:
    (trigger,) = (kind for kind in KINDS if kind.name == "ClusterTrigger")
    spec = yaml.safe_load((EXAMPLES / "cron.yaml").read_text())["spec"]
    schema = json_schema(trigger)

    def found(change: Json, **rest: Any) -> list[str]:
        return mistakes(schema, {**manifest(trigger, {**spec, **change}), **rest})

    assert found({}) == []
    assert "'timezome' was unexpected" in found({"schedule_config": {**spec["schedule_config"], "timezome": "UTC"}})[0]
    assert found({"trigger_type": "crom"})[0].startswith("$.spec.trigger_type: 'crom' is not one of")
    assert found({"run": {"history_limit": 0}}) == ["$.spec.run.history_limit: 0 is less than the minimum of 1"]
    assert found({"run": {"resources": {"requests": {"cpu": 1.5}}}}) != []
    assert found({"execution_config": {"collection_ids": ["a"], "config": {"algorithm": "dbscan", "eps": 0}}}) != []
    assert found({}, kind="Clustertrigger") != []
    assert found({}, spek={}) != []
