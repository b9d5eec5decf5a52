"""Shows the result of a trigger's newest completed run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from clustercontract.counted import counted
from clustertrigger.core.trigger_state import TriggerState


@dataclass(frozen=True, slots=True)
class GroupView:
    """One of the largest clusters, or a node of a taxonomy.

    Attributes:
        percent: Percentage of the largest one's documents.
        central: A central document; only for a cluster.
    """

    id: str
    name: str
    documents: int
    share: str
    percent: int
    central: str


@dataclass(frozen=True, slots=True)
class ResultView:
    """The result of the newest completed run.

    Attributes:
        title: What the groups are.
        more: Description of the groups that are not shown.
        folder: The folder that contains them.
    """

    title: Literal["Clusters", "Nodes"]
    heading: str
    changes: str
    groups: Sequence[GroupView]
    more: str
    folder: str


def result_view(state: TriggerState) -> ResultView | None:
    """Returns the result of the newest completed run; None if there is none."""
    newest = state.status.last_result
    run = next((run for run in state.status.history if newest and run.job_id == newest.job_id), None)
    if newest is None or run is None:
        return None
    documents, folder = run.num_documents or 0, run.results_uri or ""
    if (brief := newest.enrichment) is not None:
        taken = f", {brief.num_taken_over:,} of them taken over" if brief.num_taken_over else ""
        return ResultView(
            title="Nodes",
            heading=f"{brief.num_assigned:,} of {counted(documents, 'document')} {'has' if documents == 1 else 'have'} "
            f"a node of {brief.taxonomy_id}{taken}",
            changes="",
            groups=_groups([(node.node_id, node.label, node.num_documents, "") for node in brief.nodes], documents),
            more=_more(brief.num_nodes - len(brief.nodes) - brief.nodes_without_documents, "node"),
            folder=folder,
        )
    noise = f", {newest.num_noise:,} in no cluster" if newest.num_noise else ""
    clusters = []
    for cluster in newest.clusters:
        central = cluster.central_documents[0] if cluster.central_documents else None
        example = f"{central.document_id} {central.text or ''}".rstrip() if central else ""
        clusters.append((str(cluster.cluster_id), cluster.name, cluster.num_documents, example))
    return ResultView(
        title="Clusters",
        heading=f"{counted(run.num_clusters or 0, 'cluster')} of {counted(documents, 'document')}{noise}",
        changes=f"Since {newest.changes.since}: {newest.changes.summary}" if newest.changes else "",
        groups=_groups(clusters, documents),
        more=_more((run.num_clusters or 0) - len(clusters), "cluster"),
        folder=folder,
    )


def _groups(found: Sequence[tuple[str, str, int, str]], documents: int) -> list[GroupView]:
    largest = max((size for _, _, size, _ in found), default=0)
    return [
        GroupView(
            id=key,
            name=name,
            documents=size,
            share=f"{size / documents:.1%}" if documents else "",
            percent=round(100 * size / largest) if largest else 0,
            central=central,
        )
        for key, name, size, central in found
    ]


def _more(left: int, noun: str) -> str:
    return f"{counted(left, f'smaller {noun}')} {'is' if left == 1 else 'are'} in the run's folder" if left > 0 else ""
