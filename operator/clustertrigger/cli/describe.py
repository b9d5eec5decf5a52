"""`kubectl clustertrigger describe`: shows a trigger on one screen, and what to do next."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import click
from rich.text import Text

from clustercontract.counted import counted
from clustertrigger.api.conditions import ConditionType
from clustertrigger.api.schedule import CronSchedule
from clustertrigger.api.status import Execution
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.cli.cluster import Cluster, read_trigger
from clustertrigger.cli.command import PROG, add_command, name_argument, on_cluster
from clustertrigger.cli.drift import recorded
from clustertrigger.cli.kube import paths
from clustertrigger.cli.output import Output, output_option, show, trigger_names
from clustertrigger.cli.results import ResultSummary, result_in_words
from clustertrigger.cli.terminal import STYLES, styled
from clustertrigger.core.drift.drift_series import Point, from_status, of_metric
from clustertrigger.core.humanize import ago, coarse, until
from clustertrigger.core.instants import format_instant, instant_or_none, parse_instant
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.resources.validation import parse_trigger
from clustertrigger.core.schedules.coming_slots import slots_from
from clustertrigger.core.schedules.wallclock import wall_clock
from clustertrigger.core.trigger_state import TriggerState, advice, condition_in_words, is_bad, work_in_words

BLOCKS, ASCII_BLOCKS = "▁▂▃▄▅▆▇█", ".:-=+*#@"
FAILED, ASCII_FAILED = "✗", "x"
_SLOTS, _EVENTS, _CLUSTERS = 3, 5, 5
_MARGIN = 12


@dataclass(frozen=True)
class View:
    """The objects to describe.

    Attributes:
        state: The trigger.
        spec: Its spec; None if it is invalid.
        points: Measurements of checks, oldest first.
        events: Kubernetes events on the trigger, newest first; None if the user may not read them.
        scope: kubectl's options for its cluster and namespace.
    """

    state: TriggerState
    spec: ClusterTriggerSpec | None
    points: Sequence[Point]
    events: Sequence[dict[str, Any]] | None
    scope: str


def add_describe(group: click.Group) -> None:
    """Declares the command."""

    @add_command(group, "describe", section="See", examples=[f"{PROG} describe nightly -n search"])
    @on_cluster
    @name_argument
    @output_option
    async def command(cluster: Cluster, name: str, output: Output) -> int:
        """Show a trigger's state on one screen, and what to do next.

        Shows the conditions in words, the coming slots, the last runs as a line of bars, the largest clusters, the
        drift, the newest events, and the commands for the next steps. -o wide shows more of each.
        """
        view = await _view(cluster, name)
        show(
            output,
            data=dict(view.state.raw),
            names=trigger_names([dict(view.state.raw)]),
            lines=lambda wide: describe(view, datetime.now(UTC), shows_unicode(), wide=wide),
        )
        return 0


def describe(view: View, now: datetime, unicode: bool, *, wide: bool = False) -> Iterator[str | Text]:
    """Yields the lines of the screen.

    Args:
        view: The objects to describe.
        now: The current time.
        unicode: Whether the terminal can show block characters.
        wide: Whether to show more slots, clusters and events.
    """
    more = 4 if wide else 1
    yield from _head(view, now)
    yield from _conditions(view, now)
    yield from _slots(view, now, _SLOTS * more)
    yield from _runs(view, now, unicode)
    yield from _clusters(view, _CLUSTERS * more)
    yield from _drift(view, unicode)
    yield from _events(view, now, _EVENTS * more)
    steps = list(advice(view.state, view.scope))
    yield from _section("What to do", steps or ["Nothing."])


def history_line(runs: Sequence[Execution], unicode: bool) -> Text:
    """Returns one character for each run, oldest first. Its height is the duration; a failed run has a mark.

    Args:
        runs: The runs, newest first, as in the history.
        unicode: Whether the terminal can show block characters.
    """
    blocks, failed = (BLOCKS, FAILED) if unicode else (ASCII_BLOCKS, ASCII_FAILED)
    longest = max((run.execution_time_ms or 0 for run in runs), default=0) or 1
    line = Text()
    for run in reversed(runs):
        if run.status == "failed":
            line.append(failed, style="bold red")
        elif run.status == "completed":
            height = (run.execution_time_ms or 0) / longest
            line.append(blocks[round(height * (len(blocks) - 1))], style="green")
        else:
            line.append("…" if unicode else "~", style="cyan")
    return line


def drift_line(points: Sequence[Point], unicode: bool) -> Text:
    """Returns one character for each measurement, oldest first. Its height is the value; drift is red."""
    blocks = BLOCKS if unicode else ASCII_BLOCKS
    highest = max((max(point.value, point.threshold or 0.0) for point in points), default=0.0) or 1.0
    line = Text()
    for point in points:
        height = min(max(point.value / highest, 0.0), 1.0)
        line.append(blocks[round(height * (len(blocks) - 1))], style="bold red" if point.fires else "green")
    return line


def shows_unicode() -> bool:
    """Returns whether standard output can show block characters."""
    try:
        (BLOCKS + FAILED).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


async def _view(cluster: Cluster, name: str) -> View:
    raw = await read_trigger(cluster, name)
    status = raw.get("status") or {}
    spec, _ = parse_trigger(raw.get("spec") or {})
    points = await recorded(cluster, status) or from_status(status)
    metric = (raw["spec"].get("schedule_config") or {}).get("metric")
    events: list[dict[str, Any]] | None
    try:
        events = await cluster.api.list(
            paths.events(cluster.namespace),
            fieldSelector=f"involvedObject.kind=ClusterTrigger,involvedObject.name={name}",
        )
    except ApiError:
        events = None
    newest_first = events and sorted(events, key=_seen_at, reverse=True)
    options = " ".join([*cluster.scope.kubectl_options(), f"-n {cluster.namespace}"])
    return View(TriggerState(raw), spec, of_metric(points, metric), newest_first, options)


def _head(view: View, now: datetime) -> Iterator[str | Text]:
    state, spec = view.state, view.state.raw["spec"]
    yield Text.assemble((f"{state.namespace}/{state.name}", "bold"), "  ", styled(state.word))
    if description := spec.get("description"):
        yield _field("About", styled(str(description), ""))
    schedule = state.status.schedule or ""
    yield _field("Type", styled(f"{spec.get('trigger_type')}  {schedule}".rstrip(), ""))
    yield _field("Action" if spec.get("action_config") else "Clusters", styled(work_in_words(spec), ""))
    created = parse_instant(state.raw["metadata"]["creationTimestamp"])
    by = f" by {state.status.created_by}" if state.status.created_by else ""
    yield _field("Created", styled(f"{ago(created, now)}{by}", ""))


def _conditions(view: View, now: datetime) -> Iterator[str | Text]:
    lines: list[Text] = []
    for kind in ConditionType:
        condition = view.state.condition(kind)
        if condition is None:
            continue
        word = condition_in_words(condition)
        since = ago(condition.lastTransitionTime, now)
        lines.append(
            Text.assemble(
                (f"{word:<15}", "red" if is_bad(condition) else "green"), styled(f"{condition.message} ({since})", "")
            )
        )
    if not view.state.is_seen:
        lines.append(styled("the operator has not seen this trigger", "red"))
    elif not view.state.is_current:
        lines.append(styled("this is the state before the last edit, which the operator has not seen yet", "yellow"))
    yield from _section("Conditions", lines)


def _slots(view: View, now: datetime, count: int) -> Iterator[str | Text]:
    spec, status = view.spec, view.state.status
    if spec is None:
        return
    if threshold := view.state.raw["spec"]["schedule_config"].get("event_threshold"):
        cooling = f", not before {format_instant(at)}" if (at := status.next_scheduled_at) else ""
        yield from _section("Next", [f"after {counted(threshold, 'event')}; {status.event_counter:,} so far{cooling}"])
        return
    if spec.status != "active" or status.status == "failed":
        yield from _section("Next", [f"nothing: the trigger is {status.status or spec.status}"])
        return
    anchor = status.schedule_state.anchor if status.schedule_state else None
    zone = wall_clock(spec.schedule.timezone).zone if isinstance(spec.schedule, CronSchedule) else None
    slots = slots_from(spec, now, anchor, count)
    lines = [f"{format_instant(slot)}  {slot.astimezone(zone):%a %H:%M:%S %Z}  {until(slot, now)}" for slot in slots]
    yield from _section("Next", lines or ["never: no slot is left"])


def _runs(view: View, now: datetime, unicode: bool) -> Iterator[str | Text]:
    status, history = view.state.status, view.state.status.history
    row = f"{status.consecutive_failures} in a row" if status.consecutive_failures else ""
    counts = f"{status.execution_count} completed, {status.failure_count} failed" + (f" ({row})" if row else "")
    lines: list[str | Text] = [counts]
    if history:
        times = [run.execution_time_ms / 1000 for run in history if run.execution_time_ms is not None]
        span = f", {coarse(min(times))} to {coarse(max(times))}" if len(times) > 1 else ""
        lines.append(
            Text.assemble(
                history_line(history, unicode),
                f"  the last {len(history)} runs, oldest first{span}" if len(history) > 1 else "  1 run",
            )
        )
        last = history[0]
        took = f" after {coarse(last.execution_time_ms / 1000)}" if last.execution_time_ms is not None else ""
        found = f", {counted(last.num_clusters, 'cluster')}" if last.num_clusters is not None else ""
        shown = f"{last.error}" if last.error else (last.results_uri or "")
        lines.append(
            Text.assemble(
                styled(last.status, STYLES.get(last.status, "")),
                styled(f"{took}{found}, {ago(last.triggered_at, now)}, for {last.slot}", ""),
            )
        )
        lines += [styled(shown, "red" if last.error else "")] if shown else []
        lines += [styled(f"note: {note}", "") for note in last.notes or ()]
    yield from _section("Runs", lines)


def _clusters(view: View, count: int) -> Iterator[str | Text]:
    newest = view.state.status.last_result
    run = next((run for run in view.state.status.history if newest and run.job_id == newest.job_id), None)
    if newest is None or run is None:
        return
    brief = [replace(cluster, central_documents=cluster.central_documents[:1]) for cluster in newest.clusters]
    enrichment = newest.enrichment and replace(newest.enrichment, nodes=newest.enrichment.nodes[:count])
    found = ResultSummary(run, newest.num_noise, brief[:count], newest.changes, enrichment)
    yield from _section("Found", result_in_words(found))


def _drift(view: View, unicode: bool) -> Iterator[str | Text]:
    status = view.state.status
    lines: list[str | Text] = []
    if view.points:
        shown = view.points[-(shutil.get_terminal_size().columns - 2 * _MARGIN) :]
        lines.append(Text.assemble(drift_line(shown, unicode), f"  the last {counted(len(shown), 'measurement')}"))
    if summary := (status.last_measurement or {}).get("summary"):
        lines.append(str(summary))
    if status.last_check_error:
        lines.append(styled(f"checks fail: {status.last_check_error}", "red"))
    yield from _section("Volume" if status.last_volume_measurement else "Drift", lines)


def _events(view: View, now: datetime, count: int) -> Iterator[str | Text]:
    if view.events is None:
        yield from _section("Events", ["you do not have the right to read the events of this namespace"])
        return
    lines = []
    for event in view.events[:count]:
        seen_at = instant_or_none(_seen_at(event))
        when = f"{coarse((now - seen_at).total_seconds()):>6}" if seen_at else ""
        style = "yellow" if event.get("type") == "Warning" else ""
        lines.append(
            Text.assemble(f"{when}  ", (f"{event.get('reason')}: ", style), styled(str(event.get("message")), ""))
        )
    yield from _section("Events", lines)


def _seen_at(event: dict[str, Any]) -> str:
    series = event.get("series") or {}
    return str(
        series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
        or event["metadata"].get("creationTimestamp") or ""
    )  # fmt: skip


def _section(title: str, lines: Iterator[str | Text] | Sequence[str | Text]) -> Iterator[str | Text]:
    """Yields lines with the title before the first one; nothing if there are no lines."""
    for number, line in enumerate(lines):
        yield _field(title if number == 0 else "", line if isinstance(line, Text) else styled(line, ""))


def _field(title: str, text: Text) -> Text:
    return Text.assemble((f"{title:<{_MARGIN}}", "bold"), text)
