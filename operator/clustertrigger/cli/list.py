"""`kubectl clustertrigger list`: lists triggers with state, next slot, and problem."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import click
from rich.text import Text

from clustertrigger.api import API_VERSION
from clustertrigger.cli.cluster import Cluster
from clustertrigger.cli.command import PROG, add_command, on_cluster
from clustertrigger.cli.kube import paths
from clustertrigger.cli.output import Output, output_option, show
from clustertrigger.cli.terminal import styled, table, warn
from clustertrigger.core.humanize import ago, coarse
from clustertrigger.core.instants import format_instant, parse_instant
from clustertrigger.core.trigger_state import TriggerState, coming


def add_list(group: click.Group) -> None:
    """Declares the command."""

    @add_command(
        group,
        "list",
        section="See",
        examples=[f"{PROG} list -n search", f"{PROG} list -A -l team=search -o wide"],
    )
    @on_cluster
    @click.option("-A", "--all-namespaces", is_flag=True, help="List the triggers of all namespaces.")
    @click.option(
        "-l", "--selector", metavar="LABELS", help="List only triggers with these labels, such as team=search."
    )
    @output_option
    async def command(cluster: Cluster, all_namespaces: bool, selector: str | None, output: Output) -> int:
        """List triggers with their state, next slot, last run and problem.

        -o wide adds the schedule, the exact time of the next slot, the numbers of runs that succeeded and failed, and
        the age.
        """
        parameters = {"labelSelector": selector} if selector else {}
        namespace = None if all_namespaces else cluster.namespace
        found = await cluster.api.list(paths.triggers(namespace), **parameters)
        # The items of a list have neither apiVersion nor kind.
        items = [{"apiVersion": API_VERSION, "kind": "ClusterTrigger", **item} for item in found]
        states = sorted(map(TriggerState, items), key=lambda state: (state.namespace, state.name))
        if not states and output in ("table", "wide"):
            where = "any namespace" if all_namespaces else f"namespace {cluster.namespace!r}"
            warn(f"no ClusterTriggers in {where}" + (f" with labels {selector}" if selector else ""))
            return 0
        now = datetime.now(UTC)
        show(
            output,
            data={"apiVersion": "v1", "kind": "List", "items": [dict(state.raw) for state in states]},
            names=[_reference(state, all_namespaces) for state in states],
            lines=lambda wide: rows(states, now, namespaced=all_namespaces, wide=wide),
        )
        return 0


def rows(states: Sequence[TriggerState], now: datetime, *, namespaced: bool, wide: bool) -> Iterator[Text]:
    """Yields the lines of the table."""
    columns = ["NAMESPACE"] if namespaced else []
    columns += ["NAME", "TYPE", "STATE"]
    columns += ["SCHEDULE", "NEXT SLOT", "LAST RUN", ">RUNS", ">FAILED", ">AGE"] if wide else ["NEXT", "LAST RUN"]
    return table([*columns, "PROBLEM"], [_row(state, now, namespaced, wide) for state in states])


def _row(state: TriggerState, now: datetime, namespaced: bool, wide: bool) -> list[str | Text]:
    status, last = state.status, state.last
    cells: list[str | Text] = [state.namespace] if namespaced else []
    cells += [state.name, str(state.raw["spec"].get("trigger_type") or ""), styled(state.word)]
    when = status.next_scheduled_at
    ran = f"{last.status} {ago(last.triggered_at, now)}" if last else ""
    ran_styled = styled(ran, "red" if last and last.status == "failed" else "")
    if wide:
        created = parse_instant(state.raw["metadata"]["creationTimestamp"])
        cells += [status.schedule or "", format_instant(when) if when else "", ran_styled]
        cells += [str(status.execution_count), str(status.failure_count), coarse((now - created).total_seconds())]
    else:
        cells += [coming(state, now), ran_styled]
    return [*cells, styled(state.trouble, "red")]


def _reference(state: TriggerState, namespaced: bool) -> str:
    name = f"clustertrigger.clustertrigger.dev/{state.name}"
    return f"{state.namespace}/{name}" if namespaced else name
