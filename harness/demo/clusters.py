"""The largest clusters of a run, for people: name, size, and the documents nearest to the centre."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LONGEST_TEXT = 60
_LONGEST_NAME = 34


def read_metrics(folder: Path) -> dict[str, Any]:
    """Read metrics.json of a run's folder: figures, and its clusters with the largest first."""
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return metrics


def format_clusters(metrics: Mapping[str, Any], most: int) -> str:
    """Format the largest clusters: each with its most central documents, nearest first."""
    clusters = metrics["clusters"][:most]
    names = [_shortened(cluster["name"], _LONGEST_NAME) for cluster in clusters]
    ids = [str(document["document_id"]) for cluster in clusters for document in cluster["central_documents"]]
    name_width, id_width = max(map(len, ["CLUSTER", *names])), max(map(len, ["MOST CENTRAL", *ids]))
    lines = [f"{'CLUSTER'.ljust(name_width)}  {'SIZE':>5}  {'MOST CENTRAL'.ljust(id_width)}  DESCRIPTION"]
    for name, cluster in zip(names, clusters, strict=True):
        head = f"{name.ljust(name_width)}  {cluster['num_documents']:>5}"
        for document in cluster["central_documents"]:
            text = _shortened(document.get("text", ""), _LONGEST_TEXT)
            lines.append(f"{head}  {str(document['document_id']).ljust(id_width)}  {text}".rstrip())
            head = " " * len(head)
    return "\n".join(lines)


def _shortened(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"
