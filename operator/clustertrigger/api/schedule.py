"""When a trigger is due: the four kinds of schedule, under the API's names."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from clustercontract.base import ApiId, ApiModel
from clustercontract.drift import DriftMetric

TriggerType = Literal["cron", "interval", "event", "conditional"]


class CronSchedule(ApiModel):
    """Due at the instants a cron expression names in a time zone."""

    cron_expression: str
    timezone: str = "UTC"


class IntervalSchedule(ApiModel):
    """Due on a fixed grid that starts when the trigger is created or its schedule is edited."""

    interval_seconds: int
    start_immediately: bool = False


class EventSchedule(ApiModel):
    """Due when enough events have arrived."""

    event_type: str
    event_threshold: int
    collection_id: str
    cooldown_seconds: int = 0


class ConditionalSchedule(ApiModel):
    """Due when a check finds the condition met."""

    condition_type: Literal["drift"]
    threshold: float
    metric: DriftMetric
    check_interval_seconds: int
    min_documents: int = 200


SCHEDULES: dict[str, type[ApiModel]] = {
    "cron": CronSchedule,
    "interval": IntervalSchedule,
    "event": EventSchedule,
    "conditional": ConditionalSchedule,
}
"""By trigger_type."""

Schedule = CronSchedule | IntervalSchedule | EventSchedule | ConditionalSchedule

_YEAR = 31_622_400


class ScheduleConfig(ApiModel):
    """Fields of the schedule; trigger_type says which of them apply."""

    cron_expression: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="cron (required): five fields as in crontab(5), names and @daily style shortcuts allowed.",
    )
    timezone: str | None = Field(
        None, min_length=1, max_length=64, description="cron: IANA time zone, such as Europe/Berlin. Default UTC."
    )
    interval_seconds: int | None = Field(
        None, ge=1, le=_YEAR, description="interval (required): seconds from one slot to the next."
    )
    start_immediately: bool | None = Field(
        None,
        description="interval: fire also at the moment of creation, or of an edit of the schedule. Default false.",
    )
    event_type: str | None = Field(
        None, min_length=1, max_length=256, description="event (required): CloudEvents type, such as documents_added."
    )
    event_threshold: int | None = Field(
        None, ge=1, le=1_000_000_000, description="event (required): events that make the trigger due."
    )
    collection_id: ApiId | None = Field(None, description="event (required): the collection whose events count.")
    cooldown_seconds: int | None = Field(
        None, ge=0, le=_YEAR, description="event: least seconds from one fire to the next. Default 0."
    )
    condition_type: Literal["drift"] | None = Field(None, description="conditional (required): what is checked.")
    threshold: float | None = Field(
        None, ge=0, description="conditional (required): fire when the metric exceeds this."
    )
    metric: DriftMetric | None = Field(None, description="conditional (required): how drift is measured.")
    check_interval_seconds: int | None = Field(
        None, ge=1, le=_YEAR, description="conditional (required): seconds from one check to the next."
    )
    min_documents: int | None = Field(
        None,
        ge=1,
        le=1_000_000_000,
        description="conditional: least documents, then and now, to fire at all. Default 200.",
    )
