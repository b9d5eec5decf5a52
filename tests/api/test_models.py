"""Tests of the models with the shared table of specs, through the operator's own validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from clustertrigger.api.schedule import IntervalSchedule
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.resources.catalog import REFERENTS
from clustertrigger.core.resources.validation import Problem, parse_trigger
from codegen.crd import CLUSTER_TRIGGER
from harness.specs.case import Accepted, Refused
from harness.specs.cases import ACCEPTED, REFUSED

Parse = Callable[[Mapping[str, Any]], tuple[object | None, list[Problem]]]
PARSE: dict[str, Parse] = {
    CLUSTER_TRIGGER.name: parse_trigger,
    **{referent.kind: referent.parse for referent in REFERENTS},
}


@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_accepts(case: Accepted) -> None:
    parsed, problems = PARSE[case.kind.name](case.spec)

    assert not problems
    assert parsed is not None


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_refuses_and_names_field_and_remedy(case: Refused) -> None:
    parsed, problems = PARSE[case.kind.name](case.spec)

    assert parsed is None
    field = case.python_field or case.field
    assert [problem.field for problem in problems] == [field]
    assert case.says in str(problems[0])
    assert ": " in problems[0].message, "the way out follows a colon"


def test_models_with_the_same_fields_share_the_schema() -> None:
    one, other = (IntervalSchedule(interval_seconds=seconds) for seconds in (60, 120))
    assert one.model_fields_set is other.model_fields_set
    changed = one.model_copy(update={"start_immediately": True})
    assert changed.model_fields_set == {"interval_seconds", "start_immediately"}
    assert one.model_fields_set == {"interval_seconds"}, "the copy has a set of its own"


def test_defaults_are_shared() -> None:
    execution = {"collection_ids": ["products"], "config": {"algorithm": "kmeans", "n_clusters": 3}}
    schedule = {"interval_seconds": 60}
    spec = {"trigger_type": "interval", "schedule_config": schedule, "execution_config": execution}
    one, other = (ClusterTriggerSpec.model_validate(spec) for _ in range(2))
    assert one.run is other.run, "a copy for each trigger is half of what its spec weighs"
