"""Defines when a trigger is due: the four kinds of schedule, under the API's names."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from clustercontract.base import ApiId, ApiModel, cel, with_rules
from clustercontract.drift import METRICS, MIN_DOCUMENTS, ConditionType, Metric

TriggerType = Literal["cron", "interval", "event", "conditional"]


class CronSchedule(ApiModel):
    """The trigger is due at the times that a cron expression specifies in a time zone."""

    cron_expression: str
    timezone: str = "UTC"


class IntervalSchedule(ApiModel):
    """The trigger is due on a fixed grid that starts when the trigger is created or its schedule is edited."""

    interval_seconds: int
    start_immediately: bool = False


class EventSchedule(ApiModel):
    """The trigger is due when enough events have arrived."""

    event_type: str
    event_threshold: int
    collection_id: str
    cooldown_seconds: int = 0


class ConditionalSchedule(ApiModel):
    """The trigger is due when a check finds that the condition is met."""

    condition_type: ConditionType
    threshold: float
    metric: Metric
    check_interval_seconds: int
    min_documents: int = Field(default_factory=lambda given: MIN_DOCUMENTS[given["condition_type"]])


SCHEDULES: dict[str, type[ApiModel]] = {
    "cron": CronSchedule,
    "interval": IntervalSchedule,
    "event": EventSchedule,
    "conditional": ConditionalSchedule,
}
"""Maps each trigger_type to its model."""

Schedule = CronSchedule | IntervalSchedule | EventSchedule | ConditionalSchedule

_YEAR = 31_622_400


def wrong_metric(condition: ConditionType) -> str:
    """The message for a metric of another condition_type."""
    return f"metric must be {_either(METRICS[condition])} with condition_type {condition}: set it, or condition_type"


def _either(names: tuple[str, ...]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def _metric_rule(condition: ConditionType) -> dict[str, Any]:
    listed = ", ".join(f"'{metric}'" for metric in METRICS[condition])
    rule = f"!has(self.condition_type) || self.condition_type != '{condition}' || !has(self.metric) || "
    return cel(f"{rule}self.metric in [{listed}]", wrong_metric(condition), field=".metric")


class ScheduleConfig(ApiModel):
    """Fields of the schedule. trigger_type selects the fields that apply."""

    model_config = ConfigDict(json_schema_extra=with_rules(*map(_metric_rule, METRICS)))

    cron_expression: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="cron (required): five fields as in crontab(5). Names and shortcuts such as @daily are allowed.",
    )
    timezone: str | None = Field(
        None, min_length=1, max_length=64, description="cron: IANA time zone, such as Europe/Berlin. Default UTC."
    )
    interval_seconds: int | None = Field(
        None, ge=1, le=_YEAR, description="interval (required): number of seconds between two slots."
    )
    start_immediately: bool | None = Field(
        None,
        description="interval: whether the trigger also fires when it is created or when its schedule is edited. "
        "Default false.",
    )
    event_type: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="event (required): type of the CloudEvents to count, such as documents_added. run_completed "
        "counts completed runs of the namespace's other triggers.",
    )
    event_threshold: int | None = Field(
        None, ge=1, le=1_000_000_000, description="event (required): number of events after which the trigger is due."
    )
    collection_id: ApiId | None = Field(
        None,
        description="event (required): collection whose events are counted. "
        "With run_completed: a collection that a run writes, or reads if it writes none.",
    )
    cooldown_seconds: int | None = Field(
        None, ge=0, le=_YEAR, description="event: minimum number of seconds between two fires. Default 0."
    )
    condition_type: ConditionType | None = Field(
        None,
        description="conditional (required): the condition to check. drift: the documents have changed; volume: their "
        "number has changed.",
    )
    threshold: float | None = Field(
        None,
        ge=0,
        description="conditional (required): the trigger fires if the metric exceeds this value. With document_count "
        "it is a share of the baseline's number of documents: 0.2 means 20 % more or fewer.",
    )
    metric: Metric | None = Field(
        None,
        description="conditional (required): the metric that measures drift, or document_count with condition_type "
        "volume. docs/understanding/drift.md explains which one to choose.",
    )
    check_interval_seconds: int | None = Field(
        None, ge=1, le=_YEAR, description="conditional (required): number of seconds between two checks."
    )
    min_documents: int | None = Field(
        None,
        ge=1,
        le=1_000_000_000,
        description="conditional: minimum number of documents, in the baseline and now, for the trigger to fire. "
        "Default 200; with condition_type volume 1.",
    )

    @model_validator(mode="after")
    def _metric_goes_with_condition(self) -> Self:
        if self.condition_type and self.metric and self.metric not in METRICS[self.condition_type]:
            raise ValueError(wrong_metric(self.condition_type))
        return self
