"""`kubectl clustertrigger drift`: shows the measurements of checks as a chart and a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click
from rich.text import Text

from clustercontract.check import RECORD_FIELD
from clustercontract.counted import counted
from clustertrigger.api.names import WORKER_CONTAINER
from clustertrigger.cli.cluster import Cluster, pods_of, read_trigger
from clustertrigger.cli.command import PROG, add_command, name_argument, on_cluster
from clustertrigger.cli.drift_chart import Marks, chart, marks_for
from clustertrigger.cli.kube import paths
from clustertrigger.cli.output import Output, output_option, show, trigger_names
from clustertrigger.cli.scope import CommandError
from clustertrigger.cli.terminal import table, width
from clustertrigger.core.drift.drift_series import Point, from_log, from_status, last_measurement, of_metric
from clustertrigger.core.instants import format_instant, parse_instant
from clustertrigger.core.kube.answers import ApiError

_LISTED = 10
_COLUMNS = ("CHECKED AT", "VALUE", "THRESHOLD", "FLOOR", "DOCUMENTS", "FIRES")


def add_drift(group: click.Group) -> None:
    """Declares the command."""

    @add_command(
        group,
        "drift",
        section="See",
        examples=[f"{PROG} drift products -n search", f"{PROG} drift products -n search --recompute"],
    )
    @on_cluster
    @name_argument
    @click.option("--recompute", "again", is_flag=True, help="Compute the last measurement again and compare.")
    @output_option
    async def command(cluster: Cluster, name: str, again: bool, output: Output) -> int:
        """Show what the checks of a conditional trigger measured.

        Draws the measurements with the threshold, and lists the last ones: up to 100 as long as the Pod of the last
        check exists, otherwise those in the status.

        With --recompute, a Job computes the last measurement again from the stored baseline and the collection.

        Exit code 1 with --recompute: a number differs.
        """
        trigger = await _trigger(cluster, name)
        if again:
            from clustertrigger.cli.recompute import recompute

            return await recompute(cluster, trigger)
        status = trigger.get("status") or {}
        points = await recorded(cluster, status) or from_status(status)
        show(
            output,
            data=_as_data(trigger, points),
            names=trigger_names([trigger]),
            lines=lambda wide: _as_lines(trigger, points, None if wide else _LISTED),
        )
        return 0


async def _trigger(cluster: Cluster, name: str) -> dict[str, Any]:
    trigger = await read_trigger(cluster, name)
    kind = trigger["spec"].get("trigger_type")
    if kind != "conditional" and not last_measurement(trigger.get("status") or {}):
        raise CommandError(f"trigger {name!r} is of type {kind}: only conditional triggers are measured")
    return trigger


async def recorded(cluster: Cluster, status: dict[str, Any]) -> list[Point]:
    """Returns the measurements that the last check logged; [] if its Pod or its log cannot be read."""
    check = next((check["job_id"] for check in status.get("checks") or () if check.get("value") is not None), None)
    if check is None:
        return []
    try:
        for pod in await pods_of(cluster, check):
            log = await cluster.api.text(
                f"{paths.pod(cluster.namespace, pod['metadata']['name'])}/log", container=WORKER_CONTAINER
            )
            if points := from_log(log, RECORD_FIELD):
                return points
    except ApiError:
        return []
    return []


def _as_data(trigger: dict[str, Any], points: Sequence[Point]) -> dict[str, Any]:
    found = [
        {name: format_instant(value) if name == "checked_at" else value for name, value in asdict(point).items()}
        for point in points
    ]
    status = trigger.get("status") or {}
    return {
        "namespace": trigger["metadata"]["namespace"],
        "name": trigger["metadata"]["name"],
        "last_drift_measurement": status.get("last_drift_measurement"),
        "last_volume_measurement": status.get("last_volume_measurement"),
        "last_check_error": status.get("last_check_error"),
        "baseline_snapshot": status.get("baseline_snapshot"),
        "measurements": found,
    }


def _as_lines(trigger: dict[str, Any], points: Sequence[Point], listed: int | None) -> Iterator[str | Text]:
    metadata, status, schedule = trigger["metadata"], trigger.get("status") or {}, trigger["spec"]["schedule_config"]
    metric, threshold = schedule.get("metric"), schedule.get("threshold")
    yield f"{metadata['namespace']}/{metadata['name']}  {status.get('schedule') or metric}"
    baseline = status.get("baseline_snapshot")
    if baseline:
        captured = _to_the_second(parse_instant(baseline["captured_at"]))
        yield (
            f"baseline: {counted(baseline['documents'], 'document')} of "
            f"{counted(baseline['dimensions'], 'dimension')}, run {baseline['run']}, {captured}"
        )
    else:
        yield "no baseline yet: the next slot starts a run, which writes one"
    if summary := last_measurement(status).get("summary"):
        yield f"last check: {summary}"
    if error := status.get("last_check_error"):
        yield f"checks fail: {error}"
    drawn = of_metric(points, metric)
    marks = marks_for()
    if drawn:
        yield ""
        yield from chart(drawn, threshold, width(), marks)
        yield _legend(drawn, marks)
        yield ""
        yield from table(_COLUMNS, [_row(point) for point in (drawn[-listed:] if listed else drawn)])
    else:
        yield "nothing has been measured yet"


def _legend(points: Sequence[Point], marks: Marks) -> str:
    first, last = _to_the_second(points[0].checked_at), _to_the_second(points[-1].checked_at)
    span = f"{len(points)} checks from {first} to {last}" if len(points) > 1 else f"1 check at {first}"
    fired = f"; {marks.fires}: the trigger fired" if any(point.fires for point in points) else ""
    return f"{'':>10} {span}{fired}"


def _row(point: Point) -> tuple[str, ...]:
    documents = "" if point.current_documents is None else f"{point.baseline_documents} to {point.current_documents}"
    return (
        _to_the_second(point.checked_at),
        f"{point.value:.4g}",
        "" if point.threshold is None else f"{point.threshold:g}",
        "" if point.noise_floor is None else f"{point.noise_floor:.2g}",
        documents,
        {True: "yes", False: "no", None: ""}[point.fires],
    )


def _to_the_second(instant: datetime) -> str:
    return format_instant(instant.replace(microsecond=0))
