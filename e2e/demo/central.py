"""The largest clusters of a run, each by the documents nearest to its centre."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

NOISE = -1
"""cluster_id of documents that belong to no cluster."""
_LONGEST_TEXT = 72


@dataclass(frozen=True)
class Cluster:
    """One cluster: its id, how many documents it has, and the ids of the most central ones, nearest first."""

    cluster_id: int
    documents: int
    central: list[str]


@dataclass(frozen=True)
class Clustering:
    """All clusters of a run, largest first, and how many documents are in none."""

    clusters: list[Cluster]
    in_none: int


def read_clustering(members: Path, central: int) -> Clustering:
    """Read a run's members.parquet.

    Args:
        members: The file, with the columns document_id, cluster_id and distance_to_centroid.
        central: How many central documents of each cluster to keep.
    """
    table = pq.read_table(members)
    clusters = []
    in_none = 0
    for counted in pc.value_counts(table["cluster_id"]).to_pylist():
        cluster_id, documents = counted["values"], counted["counts"]
        if cluster_id == NOISE:
            in_none = documents
            continue
        own = table.filter(pc.equal(table["cluster_id"], cluster_id))
        nearest = own.sort_by([("distance_to_centroid", "ascending"), ("document_id", "ascending")])[:central]
        clusters.append(Cluster(cluster_id, documents, nearest["document_id"].to_pylist()))
    return Clustering(sorted(clusters, key=lambda cluster: (-cluster.documents, cluster.cluster_id)), in_none)


def read_texts(data: Path, column: str) -> dict[str, str]:
    """Read the text of every document, by its id."""
    table = pq.read_table(data, columns=["document_id", column])
    return dict(zip(table["document_id"].to_pylist(), table[column].to_pylist(), strict=True))


def format_clusters(clustering: Clustering, texts: Mapping[str, str], most: int) -> str:
    """Format the largest clusters for people: size, then the central documents with their texts."""
    shown = clustering.clusters[:most]
    width = max((len(name) for cluster in shown for name in cluster.central), default=0)
    lines = [f"{'CLUSTER':>7}  {'SIZE':>5}  {'MOST CENTRAL'.ljust(width)}"]
    for cluster in shown:
        heads = [f"{cluster.cluster_id:>7}  {cluster.documents:>5}"] + [" " * 14] * (len(cluster.central) - 1)
        for head, name in zip(heads, cluster.central, strict=True):
            lines.append(f"{head}  {name.ljust(width)}  {_shortened(texts.get(name, ''))}".rstrip())
    return "\n".join(lines)


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
