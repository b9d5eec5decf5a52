"""Writes metrics.json, the figures of an enrichment, and their summary for the trigger's status."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from clustercontract.actions.taxonomy_enrichment import EnrichmentSpec
from clustercontract.brief import EnrichmentBrief, NodeBrief
from clusterworker.data.arrays import Rows
from clusterworker.enrichment.nodes import Taxonomy
from clusterworker.enrichment.tally import Tally
from clusterworker.process.text import shortened

MOST_NODES = 20
MOST_BYTES = 2_000
"""Maximum number of bytes of JSON. The rest of the message is for the metrics and the notes."""
_LONGEST_LABEL, _LONGEST_ID = 60, 100
_BRIEF = TypeAdapter(NodeBrief)


@dataclass(frozen=True)
class Enrichment:
    """The result of a run.

    Attributes:
        spec: Spec of the run.
        taxonomy: The taxonomy.
        tally: Sums over all documents.
        notes: Decisions that the worker made by itself.
    """

    spec: EnrichmentSpec
    taxonomy: Taxonomy
    tally: Tally
    notes: Sequence[str]

    @property
    def largest(self) -> Rows:
        """Numbers of the nodes, the one with the most documents first."""
        found: Rows = np.argsort(-self.tally.per_node, kind="stable")
        return found

    @property
    def share_assigned(self) -> float:
        """Share of the documents that have a node."""
        return self.tally.assigned / self.tally.documents if self.tally.documents else 0.0

    @property
    def measures(self) -> dict[str, float]:
        """Metrics for the status of a trigger, which are comparable from run to run."""
        scores = self.tally.scores()
        picked = {f"score_{name}": round(scores[name], 6) for name in ("p05", "p50", "p95") if name in scores}
        return {"share_assigned": round(self.share_assigned, 6), **picked}


def write_figures(file: Path, found: Enrichment) -> None:
    """Writes metrics.json."""
    tree, taxonomy_input, tally = found.taxonomy.tree, found.taxonomy.given, found.tally
    below = tree.with_descendants(tally.per_node)
    document = {
        "num_documents": tally.documents,
        "num_assigned": tally.assigned,
        "num_taken_over": tally.taken_over,
        "num_searched": tally.documents - tally.taken_over,
        "share_assigned": found.share_assigned,
        "scores": dict(tally.scores()),
        "taxonomy": {
            "taxonomy_id": taxonomy_input.taxonomy_id,
            "collection_id": taxonomy_input.nodes.collection_id,
            "num_nodes": len(tree.ids),
            "levels": tree.levels,
            "top_k": taxonomy_input.top_k,
            "min_score": taxonomy_input.min_score,
            "sha256": found.taxonomy.sha256,
        },
        "notes": list(found.notes),
        "nodes": [
            {
                "node_id": tree.ids[node],
                "label": tree.labels[node],
                "path": tree.paths[node],
                "num_documents": int(tally.per_node[node]),
                "num_documents_with_descendants": int(below[node]),
            }
            for node in found.largest.tolist()
        ],
        "nodes_without_documents": [tree.ids[node] for node in np.flatnonzero(tally.per_node == 0).tolist()],
    }
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def in_brief(found: Enrichment, results_uri: str) -> EnrichmentBrief:
    """Summarizes the nodes with the most documents, as many as fit into the termination message."""
    tree, tally = found.taxonomy.tree, found.tally
    nodes = [
        NodeBrief(
            node_id=shortened(tree.ids[node], _LONGEST_ID),
            label=shortened(tree.labels[node], _LONGEST_LABEL),
            num_documents=int(tally.per_node[node]),
        )
        for node in found.largest[:MOST_NODES].tolist()
        if tally.per_node[node]
    ]
    ends = accumulate(len(_BRIEF.dump_json(node)) + 1 for node in nodes)
    return EnrichmentBrief(
        taxonomy_id=found.spec.taxonomy.taxonomy_id,
        results_uri=results_uri,
        num_nodes=len(tree.ids),
        num_assigned=tally.assigned,
        num_taken_over=tally.taken_over,
        nodes_without_documents=int((tally.per_node == 0).sum()),
        nodes=[node for node, end in zip(nodes, ends, strict=True) if end <= MOST_BYTES],
    )
