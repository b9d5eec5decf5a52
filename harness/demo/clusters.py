"""Formats the largest clusters of a run: name, size, and the most central documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LONGEST_TEXT = 60
_LONGEST_NAME = 34


def read_metrics(folder: Path) -> dict[str, Any]:
    """Reads metrics.json of a run's folder: figures, and clusters, the largest first."""
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return metrics


def format_clusters(metrics: Mapping[str, Any], most: int) -> str:
    """Formats the largest clusters, each with its most central documents."""
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


def compare_clusters(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Formats the clusters of two runs side by side, by id; a cluster that a run lacks is empty there."""
    then, now = ({cluster["cluster_id"]: cluster for cluster in metrics["clusters"]} for metrics in (before, after))
    rows = [("ID", "BEFORE", "", "AFTER", "")]
    for number in sorted(then.keys() | now.keys()):
        sides = [
            (str(one["num_documents"]), _shortened(one["name"], _LONGEST_NAME)) if one else ("", "")
            for one in (then.get(number), now.get(number))
        ]
        rows.append((str(number), *sides[0], *sides[1]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for number, size, name, later_size, later_name in rows:
        cells = (number.rjust(widths[0]), size.rjust(widths[1]), name.ljust(widths[2]), later_size.rjust(widths[3]))
        lines.append("  ".join([*cells, later_name]).rstrip())
    return "\n".join(lines)


def _shortened(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"
