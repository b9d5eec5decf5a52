"""Tests that the CRDs' schemas, the models and a recent API server agree on random specs.

The models can reject more than a schema can: cron syntax, time zones, names and amounts of resources. Those fields
are listed here; anywhere else, a difference is an error.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clustertrigger.core.resources.validation import Problem
from codegen.crd import KINDS, Kind
from harness.specs.cases import ACCEPTED
from harness.specs.strategies import Changed, allowed, bases, forbidden, places, put, reachable, with_changes
from tests.api.crd_server import CrdServer, RefusedError
from tests.api.test_models import PARSE

PYTHON_ONLY = (
    "spec.schedule_config.cron_expression",
    "spec.schedule_config.timezone",
    "spec.run.resources.",
    "spec.run.check.resources.",
    "spec.run.engine.executor.",
    "spec.run.node_selector.",
    "spec.run.tolerations[",
    "spec.run.affinity.",
    "spec.run.topology_spread_constraints[",
    "spec.run.pod_labels.",
    "spec.run.pod_annotations.",
    "spec.source.filters",
    "spec.action_config.filters",
    "spec.filters",
)
Json = dict[str, Any]

quick = settings(max_examples=150, suppress_health_check=list(HealthCheck))
at_length = settings(quick, max_examples=int(os.environ.get("CRD_SERVER_EXAMPLES", "150")))


def problems(kind: Kind, spec: Json) -> list[Problem]:
    return PARSE[kind.name](spec)[1]


@cache
def rules(kind: Kind) -> set[str]:
    """Messages of all rules of a kind."""
    return {rule["message"] for _, schema in places(kind) for rule in schema.get("x-kubernetes-validations", ())} | {
        rule["message"] for rule in kind.schema()["properties"]["spec"].get("x-kubernetes-validations", ())
    }


def is_beyond_schemas(problem: Problem) -> bool:
    return problem.field.startswith(PYTHON_ONLY)


@st.composite
def with_allowed_value(draw: st.DrawFn) -> tuple[Kind, Json]:
    kind, spec = draw(bases())
    path, schema = draw(st.sampled_from(reachable(kind, spec)))
    return kind, put(spec, path, draw(allowed(schema, path[-1])))


@st.composite
def with_forbidden_value(draw: st.DrawFn) -> tuple[Kind, Json]:
    kind, spec = draw(bases())
    path, schema = draw(st.sampled_from(reachable(kind, spec)))
    return kind, put(spec, path, draw(forbidden(schema)))


@quick
@given(with_allowed_value())
def test_models_refuse_what_the_schema_allows_by_rules_only(changed: tuple[Kind, Json]) -> None:
    kind, spec = changed
    known = rules(kind)

    for problem in problems(kind, spec):
        by_rule = any(rule in problem.message or problem.message.endswith(rule.partition(" ")[2]) for rule in known)
        assert by_rule or is_beyond_schemas(problem), f"{problem} in {spec}"


@quick
@given(with_forbidden_value())
def test_models_refuse_what_the_schema_forbids(changed: tuple[Kind, Json]) -> None:
    kind, spec = changed
    assert problems(kind, spec), spec


@at_length
@given(with_changes())
def test_models_and_server_agree(crd_server: CrdServer, changed: Changed) -> None:
    kind, spec = changed.kind, changed.spec
    found = problems(kind, spec)
    refusal = _refusal(crd_server, kind, spec)

    assert found or refusal is None, f"only the server refuses {spec}: {refusal}"
    assert refusal or all(is_beyond_schemas(problem) for problem in found), f"only the models refuse {spec}: {found}"


def _refusal(server: CrdServer, kind: Kind, spec: Json) -> RefusedError | None:
    try:
        server.create(kind, spec)
    except RefusedError as refusal:
        return refusal
    return None


def test_every_place_is_reached() -> None:
    """Otherwise the tests above would prove nothing about it."""
    for kind in KINDS:
        specs = [case.spec for case in ACCEPTED if case.kind is kind]
        reached = {path for spec in specs for path, _ in reachable(kind, spec)}
        assert reached == {path for path, _ in places(kind)}
