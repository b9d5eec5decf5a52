"""`next`: the coming slots of the triggers in files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Literal

from clustertrigger.api.schedule import ConditionalSchedule, CronSchedule, EventSchedule, IntervalSchedule
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.cli.manifests import Manifest
from clustertrigger.cli.validate import is_ours, problems_in
from clustertrigger.core.humanize import duration
from clustertrigger.core.instants import format_instant
from clustertrigger.core.resources.validation import parse_trigger, warnings_of
from clustertrigger.core.schedules.timetable import describe_schedule, timetable
from clustertrigger.core.schedules.wallclock import wall_clock

Output = Literal["table", "json"]
_GRID = "as if created at {}: the grid begins where the trigger is created"
_LOCAL = "%a %Y-%m-%d %H:%M:%S %Z"


@dataclass(frozen=True)
class Forecast:
    """The coming slots of one trigger.

    Attributes:
        manifest: the trigger.
        spec: its spec.
        slots: the coming slots, in UTC.
        zone: where the trigger's owner reads the clock; None for this machine's zone.
        zone_name: that zone's name.
        notes: what else there is to know.
    """

    manifest: Manifest
    spec: ClusterTriggerSpec
    slots: tuple[datetime, ...]
    zone: tzinfo | None
    zone_name: str
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """What `-o json` prints."""
        slots = [{"utc": format_instant(slot), "local": slot.astimezone(self.zone).isoformat()} for slot in self.slots]
        return {
            "file": self.manifest.file,
            "namespace": self.manifest.namespace,
            "name": self.manifest.name,
            "trigger_type": self.spec.trigger_type,
            "schedule": describe_schedule(self.spec),
            "timezone": self.zone_name if isinstance(self.spec.schedule, CronSchedule) else None,
            "slots": slots,
            "notes": list(self.notes),
        }

    def as_lines(self) -> Iterator[str]:
        """What `-o table` prints."""
        trigger = f"{self.manifest.namespace}/{self.manifest.name}"
        yield f"{trigger}  {self.spec.trigger_type}  {describe_schedule(self.spec)}"
        for note in self.notes:
            yield f"  {note}"
        if self.slots:
            yield f"  {'UTC':<22}{self.zone_name}"
        for slot in self.slots:
            yield f"  {format_instant(slot):<22}{slot.astimezone(self.zone):{_LOCAL}}"


def print_next(manifests: list[Manifest], start: datetime, count: int, output: Output) -> int:
    """Print the first slots of each trigger from an instant on; what is wrong with others goes to standard error.

    Returns:
        1 where a trigger is invalid or there is none, else 0.
    """
    triggers = [manifest for manifest in manifests if is_ours(manifest) and manifest.kind == "ClusterTrigger"]
    forecasts, problems = [], [] if triggers else ["no ClusterTrigger found: check apiVersion and kind"]
    for manifest in triggers:
        wrong = [f"{manifest.place}: {manifest.title}: {problem}" for problem in problems_in(manifest)]
        problems += wrong
        if not wrong:
            forecasts.append(_forecast(manifest, start, count))
    if output == "json":
        found = [forecast.as_json() for forecast in forecasts]
        print(json.dumps({"from": format_instant(start), "triggers": found}, indent=2))
    elif forecasts:
        print("\n\n".join("\n".join(forecast.as_lines()) for forecast in forecasts))
    if problems:
        print(*problems, sep="\n", file=sys.stderr)
    return 1 if problems else 0


def _forecast(manifest: Manifest, start: datetime, count: int) -> Forecast:
    spec, _ = parse_trigger(manifest.content["spec"])
    assert spec is not None  # noqa: S101 - called for valid triggers only
    schedule = spec.schedule
    zone, zone_name = None, "this machine's zone"
    if isinstance(schedule, CronSchedule):
        zone, zone_name = wall_clock(schedule.timezone).zone, schedule.timezone
    slots = () if isinstance(schedule, EventSchedule) else _slots(schedule, start, count)
    return Forecast(manifest, spec, tuple(slots), zone, zone_name, tuple(_notes(spec, start)))


def _notes(spec: ClusterTriggerSpec, start: datetime) -> Iterator[str]:
    match spec.schedule:
        case IntervalSchedule():
            yield _GRID.format(format_instant(start))
        case EventSchedule() as event:
            events = f"{event.event_threshold} {event.event_type} events of {event.collection_id}"
            yield f"no slots in advance: fires after {events}"
        case ConditionalSchedule() as condition:
            often = duration(condition.check_interval_seconds)
            drifted = f"{condition.metric} exceeds {condition.threshold:g}"
            yield f"checked every {often}, fires when {drifted}; without a baseline, the slot runs to make one"
            yield _GRID.format(format_instant(start))
    yield from (f"warning: {warning}" for warning in warnings_of(spec))
    if spec.status != "active":
        yield f"status is {spec.status}: nothing fires until it is active"


def _slots(
    schedule: CronSchedule | IntervalSchedule | ConditionalSchedule, start: datetime, count: int
) -> Iterator[datetime]:
    coming = timetable(schedule, anchor=start)
    # An interval's slot at its anchor is one of the coming ones, so looking begins just before.
    slot = coming.latest_until(start) if isinstance(schedule, IntervalSchedule) else None
    slot = slot or coming.next_after(start)
    for _ in range(count):
        if slot is None:
            return
        yield slot
        slot = coming.next_after(slot)
