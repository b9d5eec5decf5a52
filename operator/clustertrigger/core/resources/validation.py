"""Validates the spec of a resource: the rules of its schema, and those that a schema cannot express."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from clustercontract.drift import LARGEST
from clustercontract.run import DocumentCounts
from clustertrigger.api.collection import CollectionSpec
from clustertrigger.api.definition import ClusterDefinitionSpec
from clustertrigger.api.schedule import ConditionalSchedule, CronSchedule, EventSchedule, Schedule
from clustertrigger.api.taxonomy import TaxonomySpec
from clustertrigger.api.trigger import RUN_COMPLETED, ClusterTriggerSpec
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
_NEARLY = 0.9
"""Similarity from which a type of events most likely is a misspelled one."""


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
    return [*_schedule_warnings(spec.schedule), *pod_settings.warnings_in(spec.run)]


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
        return None, problems_of(error, "spec", model, spec)


def _schedule_warnings(schedule: Schedule) -> Iterator[Problem]:
    match schedule:
        case CronSchedule():
            for warning in cron_warnings(schedule):
                yield Problem(f"spec.{warning.field}", warning.value, warning.reason)
        case ConditionalSchedule(metric=metric, threshold=threshold) if threshold >= LARGEST.get(metric, math.inf):
            largest = LARGEST[metric]
            is_percent = largest < threshold < 100 * largest
            share = f", such as {threshold / 100:.12g} for {threshold:.12g} %" if is_percent else ""
            reason = f"is never exceeded, because {metric} is at most {largest:g}: write a lower number{share}"
            written = int(threshold) if threshold.is_integer() else threshold
            yield Problem("spec.schedule_config.threshold", written, reason)
        case EventSchedule(event_type=event_type) if (usual := _usual_event_type(event_type)) is not None:
            reason = f"counts only events of exactly this type: did you mean {usual}?"
            yield Problem("spec.schedule_config.event_type", event_type, reason)


@lru_cache(maxsize=1024)
def _usual_event_type(written: str) -> str | None:
    """Returns the type of event that the operator or its runs send and that is written nearly so; None otherwise."""
    known = {_letters(usual): usual for usual in (*DocumentCounts.model_fields, RUN_COMPLETED)}
    if written in known.values():
        return None
    near = difflib.get_close_matches(_letters(written), known, n=1, cutoff=_NEARLY)
    return known[near[0]] if near else None


def _letters(event_type: str) -> str:
    return re.sub(r"[\W_]", "", event_type).casefold()


def _schedule_problems(spec: ClusterTriggerSpec) -> list[Problem]:
    schedule = spec.schedule
    if not isinstance(schedule, CronSchedule):
        return []
    try:
        check_cron(schedule)
    except ScheduleError as error:
        return [Problem(f"spec.{error.field}", error.value, error.reason)]
    return []
