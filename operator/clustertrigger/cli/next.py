"""`kubectl clustertrigger next`: prints the next slots of triggers in files or in the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

import click
from rich.text import Text

from clustertrigger.api.schedule import ConditionalSchedule, CronSchedule, EventSchedule, IntervalSchedule
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.cli import completion
from clustertrigger.cli.command import PROG, add_command, global_options
from clustertrigger.cli.given import chosen, filename_option
from clustertrigger.cli.manifests import Manifest
from clustertrigger.cli.output import Output, output_option, show
from clustertrigger.cli.parameters import INSTANT, SLOTS
from clustertrigger.cli.scope import Scope
from clustertrigger.cli.terminal import styled, warn
from clustertrigger.cli.validate import is_of_this_api, problems_in
from clustertrigger.core.humanize import duration
from clustertrigger.core.instants import format_instant, parse_instant
from clustertrigger.core.resources.validation import parse_trigger, warnings_of
from clustertrigger.core.schedules.coming_slots import slots_from
from clustertrigger.core.schedules.timetable import describe_schedule
from clustertrigger.core.schedules.wallclock import wall_clock

_GRID = "as if created at {}, because the slots are counted from the creation of the trigger"
_LOCAL = "%a %Y-%m-%d %H:%M:%S %Z"


@dataclass(frozen=True)
class Forecast:
    """The next slots of one trigger.

    Attributes:
        manifest: The trigger.
        spec: Its spec.
        slots: The next slots, in UTC.
        zone: Time zone of the schedule; None for this machine's zone.
        zone_name: Name of that zone.
        notes: Further information.
    """

    manifest: Manifest
    spec: ClusterTriggerSpec
    slots: tuple[datetime, ...]
    zone: tzinfo | None
    zone_name: str
    notes: tuple[str, ...]

    def as_data(self) -> dict[str, Any]:
        """Returns the data for `-o json`."""
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

    def as_lines(self, now: datetime | None) -> Iterator[str | Text]:
        """Yields the lines for `-o table`; with the time until each slot if `now` is given."""
        trigger = f"{self.manifest.namespace}/{self.manifest.name}"
        yield styled(f"{trigger}  {self.spec.trigger_type}  {describe_schedule(self.spec)}", "bold")
        for note in self.notes:
            yield f"  {note}"
        if self.slots:
            yield f"  {'UTC':<22}{self.zone_name}"
        for slot in self.slots:
            local = f"{slot.astimezone(self.zone):{_LOCAL}}"
            until = f"{local:<30} in {duration(round((slot - now).total_seconds()))}" if now else local
            yield f"  {format_instant(slot):<22}{until}"


def add_next(group: click.Group) -> None:
    """Declares the command."""

    @add_command(
        group,
        "next",
        section="See",
        examples=[
            f"{PROG} next nightly -n search",
            f"{PROG} next -f nightly.yaml --from 2026-03-28T00:00:00Z --count 3",
        ],
    )
    @global_options
    @click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=completion.triggers)
    @filename_option
    @click.option("--from", "start", type=INSTANT, metavar="TIME", help="Start at this RFC 3339 time. Default: now.")
    @click.option("--count", type=SLOTS, default=5, metavar="N", help="Number of slots per trigger. Default: 5.")
    @output_option
    @click.pass_obj
    def command(
        scope: Scope, names: Sequence[str], filename: Sequence[str], start: datetime | None, count: int, output: Output
    ) -> int:
        """Print the coming slots of triggers.

        Prints the times at which triggers will be due, in UTC and in their time zone. NAME selects triggers of the
        cluster. -f selects those of files, and needs no cluster.

        Exit code 1: a trigger is invalid, or there is no trigger.
        """
        manifests = chosen(scope, names, filename)
        return print_next(manifests, start or datetime.now(UTC), count, output)


def print_next(manifests: list[Manifest], start: datetime, count: int, output: Output) -> int:
    """Prints the first slots of each trigger from an instant on, and errors of invalid triggers on standard error.

    Returns:
        1 where a trigger is invalid or there is none, else 0.
    """
    triggers = [manifest for manifest in manifests if is_of_this_api(manifest) and manifest.kind == "ClusterTrigger"]
    forecasts, problems = [], [] if triggers else ["no ClusterTrigger found: check apiVersion and kind"]
    for manifest in triggers:
        own_problems = [f"{manifest.place}: {manifest.title}: {problem}" for problem in problems_in(manifest)]
        problems += own_problems
        if not own_problems:
            forecasts.append(_forecast(manifest, start, count))
    show(
        output,
        data={"from": format_instant(start), "triggers": [forecast.as_data() for forecast in forecasts]},
        names=[f"clustertrigger.clustertrigger.dev/{forecast.manifest.name}" for forecast in forecasts],
        lines=lambda wide: _lines(forecasts, start if wide else None),
    )
    for problem in problems:
        warn(problem)
    return 1 if problems else 0


def anchor_of(manifest: Manifest) -> datetime | None:
    """Returns slot 0 of the grid of a trigger that the operator has seen; None if it has not."""
    status = manifest.content.get("status")
    state = status.get("schedule_state") if isinstance(status, dict) else None
    return parse_instant(state["anchor"]) if isinstance(state, dict) and "anchor" in state else None


def _lines(forecasts: Sequence[Forecast], now: datetime | None) -> Iterator[str | Text]:
    for number, forecast in enumerate(forecasts):
        if number:
            yield ""
        yield from forecast.as_lines(now)


def _forecast(manifest: Manifest, start: datetime, count: int) -> Forecast:
    spec, _ = parse_trigger(manifest.content["spec"])
    assert spec is not None  # noqa: S101 - called for valid triggers only
    schedule = spec.schedule
    zone, zone_name = None, "this machine's zone"
    if isinstance(schedule, CronSchedule):
        zone, zone_name = wall_clock(schedule.timezone).zone, schedule.timezone
    anchor = anchor_of(manifest)
    slots = slots_from(spec, start, anchor, count)
    return Forecast(manifest, spec, slots, zone, zone_name, tuple(_notes(spec, start, anchor)))


def _notes(spec: ClusterTriggerSpec, start: datetime, anchor: datetime | None) -> Iterator[str]:
    grid = _GRID.format(format_instant(start)) if anchor is None else f"counted from {format_instant(anchor)}"
    match spec.schedule:
        case IntervalSchedule():
            yield grid
        case EventSchedule() as event:
            events = f"{event.event_threshold} {event.event_type} events of {event.collection_id}"
            yield f"no slots in advance: fires after {events}"
        case ConditionalSchedule() as condition:
            often = duration(condition.check_interval_seconds)
            rule = f"{condition.metric} exceeds {condition.threshold:g}"
            if condition.condition_type == "volume":
                rule = f"the number of documents has changed by more than {100 * condition.threshold:g} %"
            yield (
                f"checked every {often}, fires when {rule}; without a baseline, the slot starts a run, which writes one"
            )
            yield grid
    yield from (f"warning: {warning}" for warning in warnings_of(spec))
    if spec.status != "active":
        yield f"status is {spec.status}: the trigger does not fire until it is active"
