"""Validates the spec of a resource: the rules of its schema, and those that a schema cannot express."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from clustertrigger.api.collection import CollectionSpec
from clustertrigger.api.definition import ClusterDefinitionSpec
from clustertrigger.api.schedule import CronSchedule
from clustertrigger.api.taxonomy import TaxonomySpec
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.resources import pod_settings
from clustertrigger.core.resources.permitted import ANYTHING, Permitted
from clustertrigger.core.resources.problem import Problem, all_of, problems_of
from clustertrigger.core.schedules.timetable import ScheduleError, check_cron, cron_warnings

__all__ = [
    "Problem",
    "all_of",
    "parse_collection",
    "parse_definition",
    "parse_taxonomy",
    "parse_trigger",
    "warnings_of",
]

Spec = TypeVar("Spec", bound=BaseModel)


def parse_trigger(
    spec: Mapping[str, Any], permitted: Permitted = ANYTHING
) -> tuple[ClusterTriggerSpec | None, list[Problem]]:
    """Returns a trigger's spec, or None and everything that is wrong with it. Accepts any JSON and never raises.

    Args:
        spec: The spec as written.
        permitted: What the operator's settings permit.
    """
    parsed, problems = _parse(ClusterTriggerSpec, spec)
    if parsed is None:
        return None, problems
    problems = [*_schedule_problems(parsed), *pod_settings.problems_in(parsed.run, permitted)]
    return (None if problems else parsed), problems


def warnings_of(spec: ClusterTriggerSpec) -> list[Problem]:
    """Returns what is often misunderstood in a valid spec. Such a trigger is accepted."""
    schedule = spec.schedule
    if not isinstance(schedule, CronSchedule):
        return []
    return [Problem(f"spec.{warning.field}", warning.value, warning.reason) for warning in cron_warnings(schedule)]


def parse_definition(spec: Mapping[str, Any]) -> tuple[ClusterDefinitionSpec | None, list[Problem]]:
    """Returns a definition's spec, or None and everything that is wrong with it. Accepts any JSON and never raises."""
    return _parse(ClusterDefinitionSpec, spec)


def parse_collection(spec: Mapping[str, Any]) -> tuple[CollectionSpec | None, list[Problem]]:
    """Returns a collection's spec, or None and everything that is wrong with it. Accepts any JSON and never raises."""
    return _parse(CollectionSpec, spec)


def parse_taxonomy(spec: Mapping[str, Any]) -> tuple[TaxonomySpec | None, list[Problem]]:
    """Returns a taxonomy's spec, or None and everything that is wrong with it. Accepts any JSON and never raises."""
    return _parse(TaxonomySpec, spec)


def _parse(model: type[Spec], spec: Mapping[str, Any]) -> tuple[Spec | None, list[Problem]]:
    try:
        # Validation is strict, like the API server's: "5" is not a number, and 1 is not true.
        return model.model_validate(spec, strict=True), []
    except ValidationError as error:
        return None, problems_of(error, "spec", model)


def _schedule_problems(spec: ClusterTriggerSpec) -> list[Problem]:
    schedule = spec.schedule
    if not isinstance(schedule, CronSchedule):
        return []
    try:
        check_cron(schedule)
    except ScheduleError as error:
        return [Problem(f"spec.{error.field}", error.value, error.reason)]
    return []
