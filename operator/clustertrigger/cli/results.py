"""`kubectl clustertrigger results`: lists a trigger's runs, and the clusters or the nodes of one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.text import Text

from clustercontract.brief import Changes, ClusterBrief, EnrichmentBrief
from clustercontract.counted import counted
from clustertrigger.api.status import ClusterTriggerStatus, Execution
from clustertrigger.api.stored import as_json
from clustertrigger.cli.cluster import Cluster, read_trigger
from clustertrigger.cli.command import PROG, add_command, name_argument, on_cluster, run_option
from clustertrigger.cli.layers import show_layer
from clustertrigger.cli.output import Output, output_option, show
from clustertrigger.cli.parameters import LAYER
from clustertrigger.cli.run_log import observe
from clustertrigger.cli.scope import CommandError
from clustertrigger.cli.terminal import table
from clustertrigger.core.instants import format_instant

_RUN_COLUMNS = ("RUN", "TRIGGERED", "STATUS", ">CLUSTERS", ">DOCUMENTS", ">TIME", "RESULTS")
_WIDE_RUN_COLUMNS = (*_RUN_COLUMNS[:-1], "SLOT", "RESULTS")
_NODE_COLUMNS = ("NODE", "LABEL", ">DOCUMENTS", ">SHARE")
_CLUSTER_COLUMNS = (">#", "NAME", ">DOCUMENTS", ">SHARE", "MOST CENTRAL")


@dataclass(frozen=True)
class ResultSummary:
    """Summary of the result of a run.

    Attributes:
        run: Its entry in the history.
        noise: Number of documents in no cluster.
        clusters: The largest clusters; empty if they are no longer known.
        changes: Changes since the previous run.
        enrichment: Summary of action taxonomy_enrichment.
    """

    run: Execution
    noise: int | None
    clusters: Sequence[ClusterBrief]
    changes: Changes | None = None
    enrichment: EnrichmentBrief | None = None


def add_results(group: click.Group) -> None:
    """Declares the command."""

    @add_command(
        group,
        "results",
        section="See",
        examples=[f"{PROG} results nightly -n search", f"{PROG} results nightly --layer 0"],
    )
    @on_cluster
    @name_argument
    @run_option("Run whose clusters are shown. Default: the newest completed run.")
    @click.option(
        "--layer", type=LAYER, metavar="NUMBER",
        help="Show the clusters of another granularity, from 0 (the finest) to 19. Requires a run with algorithm evoc.",
    )  # fmt: skip
    @output_option
    async def command(cluster: Cluster, name: str, job: str | None, layer: int | None, output: Output) -> int:
        """List a trigger's runs, and the clusters of the newest.

        Lists the runs in the trigger's history. For the newest completed run, it also lists the sizes of the largest
        clusters and their most central documents, as many as fit into 4 KiB of the status. The run's folder contains
        all clusters. For a run with action taxonomy_enrichment, it lists the nodes with the most documents.

        The clusters of an older run (--run) are available as long as its Pod exists, which is about an hour.

        With --layer, it lists all clusters of one granularity instead, each with the coarser cluster that contains
        it. A short-lived Pod reads them from the run's folder, as `report` does, and needs the same rights.

        Exit code 1: there is no run, or the clusters of the given run are not available.
        """
        if layer is not None:
            return await show_layer(cluster, name, job, layer, output)
        return await results(cluster, name, job, output)


async def results(cluster: Cluster, name: str, job: str | None, output: Output) -> int:
    """Prints the runs, and the result of one of them."""
    raw = (await read_trigger(cluster, name)).get("status") or {}
    status = ClusterTriggerStatus.read(raw)
    if not status.history:
        raise CommandError(f"trigger {name!r} has not run yet")
    found = await _found(cluster, status, job)
    show(
        output,
        data=_as_data(status, found),
        names=[f"job.batch/{run.job_id}" for run in status.history],
        lines=lambda wide: _lines(status, found, wide),
    )
    return 0


def result_in_words(found: ResultSummary) -> Iterator[str | Text]:
    """Yields the result of a run: a heading, a table, and where to find the rest."""
    if found.enrichment:
        yield from _nodes_in_words(found.run, found.enrichment)
        return
    run, documents = found.run, found.run.num_documents or 0
    noise = f", {found.noise:,} in no cluster" if found.noise else ""
    yield f"{run.job_id}: {counted(run.num_clusters or 0, 'cluster')} of {counted(documents, 'document')}{noise}"
    if found.changes:
        yield f"since {found.changes.since}: {found.changes.summary}"
    if found.clusters:
        yield from table(_CLUSTER_COLUMNS, [row for c in found.clusters for row in _cluster_rows(c, documents)])
    if (more := (run.num_clusters or 0) - len(found.clusters)) > 0:
        rest = "smaller cluster" if found.clusters else "cluster"
        yield f"{counted(more, rest)} {'is' if more == 1 else 'are'} in {run.results_uri}/centroids.parquet"


def _lines(status: ClusterTriggerStatus, found: ResultSummary | None, wide: bool) -> Iterator[str | Text]:
    columns = _WIDE_RUN_COLUMNS if wide else _RUN_COLUMNS
    yield from table(columns, [_run_row(run, wide) for run in status.history])
    if found:
        yield ""
        yield from result_in_words(found)


async def _found(cluster: Cluster, status: ClusterTriggerStatus, job: str | None) -> ResultSummary | None:
    """Returns the result of the requested run, or of the newest completed one; None if no run has completed.

    Raises:
        CommandError: a run is asked for of which nothing is known.
    """
    completed = [run for run in status.history if run.status == "completed"]
    newest = status.last_result
    if job is None:
        chosen = next((run for run in completed if newest and run.job_id == newest.job_id), None)
        chosen = chosen or next(iter(completed), None)
        if chosen is None:
            return None
    else:
        chosen = next((run for run in status.history if run.job_id == job), None)
        if chosen is None:
            raise CommandError(f"--run: {job!r} is not in the trigger's history: run without --run to list its runs")
        if chosen.status != "completed":
            raise CommandError(f"--run: {job!r} is {chosen.status}: only completed runs have clusters")
    if newest and newest.job_id == chosen.job_id:
        return ResultSummary(chosen, newest.num_noise, newest.clusters, newest.changes, newest.enrichment)
    observed = await observe(cluster, chosen.job_id)
    result = observed.result if observed else None
    if result is None and job is not None:
        raise CommandError(
            f"--run: the Pod of {job!r} was deleted: its clusters are in {chosen.results_uri}/metrics.json"
        )
    if result is None:
        return ResultSummary(chosen, None, ())
    return ResultSummary(chosen, result.num_noise, result.clusters, result.changes, result.enrichment)


def _nodes_in_words(run: Execution, brief: EnrichmentBrief) -> Iterator[str | Text]:
    documents = run.num_documents or 0
    share = f" ({brief.num_assigned / documents:.1%})" if documents else ""
    taken = f", {brief.num_taken_over:,} of them taken over" if brief.num_taken_over else ""
    assigned = f"{brief.num_assigned:,} of {counted(documents, 'document')}{share}"
    yield f"{run.job_id}: {assigned} {'has' if documents == 1 else 'have'} a node of {brief.taxonomy_id}{taken}"
    shares = [f"{node.num_documents / documents:.1%}" if documents else "" for node in brief.nodes]
    rows = [
        [node.node_id, node.label, f"{node.num_documents:,}", of_all]
        for node, of_all in zip(brief.nodes, shares, strict=True)
    ]
    if rows:
        yield from table(_NODE_COLUMNS, rows)
    more = brief.num_nodes - brief.nodes_without_documents - len(rows)
    if more > 0:
        yield f"{counted(more, 'more node')} {'has' if more == 1 else 'have'} documents: {run.results_uri}/metrics.json"
    if brief.nodes_without_documents:
        have = "has" if brief.nodes_without_documents == 1 else "have"
        yield f"{brief.nodes_without_documents:,} of {counted(brief.num_nodes, 'node')} {have} no documents"


def _run_row(run: Execution, wide: bool) -> list[str]:
    return [
        run.job_id,
        format_instant(run.triggered_at),
        run.status,
        "" if run.num_clusters is None else f"{run.num_clusters:,}",
        "" if run.num_documents is None else f"{run.num_documents:,}",
        "" if run.execution_time_ms is None else f"{run.execution_time_ms / 1000:.0f}s",
        *([run.slot] if wide else []),
        run.error or run.results_uri or "",
    ]


def _cluster_rows(cluster: ClusterBrief, documents: int) -> Iterator[list[str]]:
    share = f"{cluster.num_documents / documents:.1%}" if documents else ""
    first = [str(cluster.cluster_id), cluster.name, f"{cluster.num_documents:,}", share]
    central = [f"{document.document_id}  {document.text or ''}".rstrip() for document in cluster.central_documents]
    for index, document in enumerate(central or [""]):
        yield [*(first if index == 0 else [""] * len(first)), document]


def _as_data(status: ClusterTriggerStatus, found: ResultSummary | None) -> dict[str, Any]:
    shown: dict[str, Any] | None = None
    if found:
        clusters = [as_json(cluster) for cluster in found.clusters]
        shown = {"job_id": found.run.job_id, "num_noise": found.noise, "clusters": clusters}
        shown |= {"changes": as_json(found.changes)} if found.changes else {}
        shown |= {"enrichment": as_json(found.enrichment)} if found.enrichment else {}
    runs = [as_json(run) for run in status.history]
    return {"runs": runs, "result": shown}
