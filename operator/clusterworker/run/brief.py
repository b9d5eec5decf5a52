"""Summarizes the largest clusters in so few bytes that they fit into the termination message and the status."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from clustercontract.brief import CentralDocument, ClusterBrief
from clusterworker.process.text import shortened

if TYPE_CHECKING:  # The import loads the algorithms too.
    from clusterworker.clustering.description import ClusterSummary

MOST_CLUSTERS = 20
MOST_BYTES = 2_400
"""Maximum number of bytes of JSON. The rest of the message is for the baseline, the metrics and the notes."""
_DETAILS = ((3, 60), (2, 50), (1, 50), (1, 30), (1, 0))
"""Numbers of central documents per cluster, and of characters of their texts, which are tried in this order."""
_BRIEF = TypeAdapter(ClusterBrief)


def in_brief(clusters: Sequence[ClusterSummary]) -> list[ClusterBrief]:
    """Summarizes the largest clusters, in as much detail and as many as there is room for."""
    briefs: list[ClusterBrief] = []
    for documents, characters in _DETAILS:
        briefs = [_brief(cluster, documents, characters) for cluster in clusters[:MOST_CLUSTERS]]
        if sum(map(_size, briefs)) <= MOST_BYTES:
            return briefs
    return [brief for brief, end in zip(briefs, accumulate(map(_size, briefs)), strict=True) if end <= MOST_BYTES]


def _brief(cluster: ClusterSummary, documents: int, characters: int) -> ClusterBrief:
    return ClusterBrief(
        cluster_id=cluster.cluster_id,
        name=cluster.name,
        num_documents=cluster.documents,
        central_documents=[
            CentralDocument(document_id=str(document.document_id), text=shortened(document.text, characters) or None)
            for document in cluster.central[:documents]
        ],
    )


def _size(brief: ClusterBrief) -> int:
    return len(_BRIEF.dump_json(brief, exclude_none=True)) + 1
