"""`kubectl clustertrigger results`: a trigger's runs, and the clusters of one of them."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from clustertrigger.api.run import ClusterBrief
from clustertrigger.api.status import ClusterTriggerStatus, Execution
from clustertrigger.cli.cluster import Cluster, add_cluster_options, in_cluster, read_trigger
from clustertrigger.cli.command import CommandError, Commands, add_command
from clustertrigger.cli.run_log import observe
from clustertrigger.cli.terminal import printable
from clustertrigger.core.instants import format_instant

_RUN_COLUMNS = ("RUN", "TRIGGERED", "STATUS", ">CLUSTERS", ">DOCUMENTS", ">TIME", "RESULTS")
_CLUSTER_COLUMNS = (">#", "NAME", ">DOCUMENTS", ">SHARE", "MOST CENTRAL")
"""Columns that begin with > are aligned to the right."""


@dataclass(frozen=True)
class Found:
    """What a run found, in brief.

    Attributes:
        run: its entry in the history.
        noise: documents in no cluster.
        clusters: the largest ones; empty where nothing is known any more.
    """

    run: Execution
    noise: int | None
    clusters: Sequence[ClusterBrief]


def add_results(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "results",
        lambda options: in_cluster(
            options, lambda cluster: results(cluster, options.name, options.run, options.output)
        ),
        summary="list a trigger's runs, and the clusters of the newest",
        about="Lists the runs in a trigger's history, and of the newest completed one the sizes of the largest "
        "clusters and their most central documents: as many as the status holds in 4 KiB; all are in the run's folder. "
        "Of an older run (--run) they are known for as long as its Pod exists, about an hour. Exit code 1 where there "
        "is no run, or nothing is known of the one that is asked for.",
        example="kubectl clustertrigger results nightly -n search",
    )
    add_cluster_options(parser)
    parser.add_argument("name", metavar="NAME", help="of the trigger")
    parser.add_argument("--run", metavar="JOB", help="clusters of this run (default: the newest completed one)")
    parser.add_argument(
        "-o", "--output", choices=("table", "json"), default="table", help="how to print (default: table)"
    )


async def results(cluster: Cluster, name: str, job: str | None, output: str) -> int:
    """Print the runs, and what one of them found."""
    raw = (await read_trigger(cluster, name)).get("status") or {}
    status = ClusterTriggerStatus.model_validate(raw)
    if not status.history:
        raise CommandError(f"trigger {name!r} has not run yet")
    found = await _found(cluster, status, job)
    if output == "json":
        print(json.dumps(_as_json(status, found), indent=2, ensure_ascii=False))
        return 0
    print(*table(_RUN_COLUMNS, [_run_row(run) for run in status.history]), sep="\n")
    if found:
        print("", *clusters_in_words(found), sep="\n")
    return 0


def clusters_in_words(found: Found) -> Iterator[str]:
    """The clusters of a run: a heading, a table, and where the rest is."""
    run, documents = found.run, found.run.num_documents or 0
    noise = f", {found.noise:,} in none" if found.noise else ""
    yield f"{run.job_id}: {run.num_clusters or 0:,} clusters of {documents:,} documents{noise}"
    if found.clusters:
        yield from table(_CLUSTER_COLUMNS, [row for c in found.clusters for row in _cluster_rows(c, documents)])
    if (more := (run.num_clusters or 0) - len(found.clusters)) > 0:
        which = "smaller cluster" if found.clusters else "cluster"
        yield f"{more:,} {which}{'s are' if more > 1 else ' is'} in {run.results_uri}/centroids.parquet"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Aligned lines; on a terminal the last column is cut at its edge."""
    header = [column.lstrip(">") for column in columns]
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(header, *rows, strict=True)]
    edge = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for row in (header, *rows):
        cells = [
            cell.rjust(width) if column.startswith(">") else cell.ljust(width)
            for column, cell, width in zip(columns, row, widths, strict=True)
        ]
        yield "   ".join(cells).rstrip()[:edge]


async def _found(cluster: Cluster, status: ClusterTriggerStatus, job: str | None) -> Found | None:
    """What the asked run found, or the newest completed one; None where no run has completed.

    Raises:
        CommandError: a run is asked for of which nothing is known.
    """
    completed = [run for run in status.history if run.status == "completed"]
    newest = status.last_result
    if job is None:
        meant = next((run for run in completed if newest and run.job_id == newest.job_id), None)
        meant = meant or next(iter(completed), None)
        if meant is None:
            return None
    else:
        meant = next((run for run in status.history if run.job_id == job), None)
        if meant is None:
            raise CommandError(f"--run: {job!r} is not in the trigger's history: run without --run to list its runs")
        if meant.status != "completed":
            raise CommandError(f"--run: {job!r} is {meant.status}: only completed runs have clusters")
    if newest and newest.job_id == meant.job_id:
        return Found(meant, newest.num_noise, newest.clusters)
    seen = await observe(cluster, meant.job_id)
    result = seen and seen.result
    if result is None and job is not None:
        raise CommandError(f"--run: the Pod of {job!r} is gone: its clusters are in {meant.results_uri}/metrics.json")
    return Found(meant, result.num_noise if result else None, result.clusters if result else ())


def _run_row(run: Execution) -> list[str]:
    return [
        run.job_id,
        format_instant(run.triggered_at),
        run.status,
        "" if run.num_clusters is None else f"{run.num_clusters:,}",
        "" if run.num_documents is None else f"{run.num_documents:,}",
        "" if run.execution_time_ms is None else f"{run.execution_time_ms / 1000:.0f}s",
        run.error or run.results_uri or "",
    ]


def _cluster_rows(cluster: ClusterBrief, documents: int) -> Iterator[list[str]]:
    share = f"{cluster.num_documents / documents:.1%}" if documents else ""
    first = [str(cluster.cluster_id), cluster.name, f"{cluster.num_documents:,}", share]
    central = [f"{document.document_id}  {document.text or ''}".rstrip() for document in cluster.central_documents]
    for index, document in enumerate(central or [""]):
        yield [*(first if index == 0 else [""] * len(first)), document]


def _as_json(status: ClusterTriggerStatus, found: Found | None) -> dict[str, Any]:
    shown = None
    if found:
        clusters = [cluster.model_dump(mode="json", exclude_none=True) for cluster in found.clusters]
        shown = {"job_id": found.run.job_id, "num_noise": found.noise, "clusters": clusters}
    runs = [run.model_dump(mode="json", exclude_none=True) for run in status.history]
    return {"runs": runs, "result": shown}
