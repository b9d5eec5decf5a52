"""Clusters in words: a name for each, and the largest ones in a few lines. Results and report say it so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clustercontract.layers import Layers
from clusterworker.clustering.algorithms.clustering import LayeredClusters
from clusterworker.clustering.layer_description import Ids, describe_layers
from clusterworker.clustering.naming import name_clusters
from clusterworker.clustering.survey import Survey
from clusterworker.data.arrays import Rows
from clusterworker.data.sources.collection import Collection
from clusterworker.process.text import one_line, shortened

TEXT_LENGTH = 200
"""Characters of a central document's text that are shown."""
HOVER_LENGTH = 120
"""Characters of a text that are shown when the pointer is over its document."""


@dataclass(frozen=True)
class Document:
    """A central document."""

    document_id: str | int
    distance: float
    text: str

    def as_json(self) -> dict[str, Any]:
        """For metrics.json."""
        fields: dict[str, Any] = {"document_id": self.document_id, "distance_to_centroid": round(self.distance, 6)}
        return fields | ({"text": self.text} if self.text else {})


@dataclass(frozen=True)
class ClusterSummary:
    """One cluster in a few lines."""

    cluster_id: int
    name: str
    documents: int
    central: tuple[Document, ...]

    def as_json(self) -> dict[str, Any]:
        """For metrics.json."""
        return {
            "cluster_id": self.cluster_id,
            "name": self.name,
            "num_documents": self.documents,
            "central_documents": [document.as_json() for document in self.central],
        }


@dataclass(frozen=True)
class Description:
    """Clusters in words.

    Attributes:
        names: of all clusters.
        clusters: the largest ones in a few lines.
        texts: of the sampled documents, by row number of the whole data set; empty without a text column.
        layers: other granularities, if there are any.
    """

    names: Sequence[str]
    clusters: Sequence[ClusterSummary]
    texts: Mapping[int, str]
    layers: Layers | None = None


def describe(
    collections: Sequence[Collection],
    found: Survey,
    numbers: Rows,
    listed: int,
    layered: LayeredClusters | None,
    layer_numbers: Sequence[Rows],
    ids: Ids,
) -> Description:
    """Name every cluster, and summarise the largest ones.

    Args:
        collections: asked for texts.
        found: by the pass over the documents.
        numbers: cluster_id of each cluster, shape (clusters,).
        listed: clusters to summarise.
        layered: other granularities, if there are any.
        layer_numbers: cluster_id of each of their clusters, per granularity.
        ids: returns the ids of documents by row number.
    """
    count = len(found.sizes)
    central = {cluster: found.central.of(cluster) for cluster in range(count)}
    rows = [document.row for cluster in range(min(listed, count)) for document in central[cluster]]
    texts = _texts(collections, np.concatenate([found.reservoir.rows, np.array(rows, np.int64)]))
    sampled = [texts.get(int(row), "") for row in found.reservoir.rows] if texts else []
    names = name_clusters(
        count,
        sampled,
        found.reservoir.labels,
        {
            cluster: str(documents[0].document_id) if documents else f"cluster {numbers[cluster]}"
            for cluster, documents in central.items()
        },
    )
    summaries = [
        ClusterSummary(
            int(numbers[cluster]),
            names[cluster],
            int(found.sizes[cluster]),
            tuple(
                Document(item.document_id, item.distance, shortened(one_line(texts.get(item.row, "")), TEXT_LENGTH))
                for item in central[cluster]
            ),
        )
        for cluster in range(min(listed, count))
    ]
    hovering = {row: shortened(one_line(text), HOVER_LENGTH) for row, text in texts.items()}
    layers = describe_layers(layered, layer_numbers, found.reservoir, sampled, names, ids) if layered else None
    return Description(names, summaries, hovering, layers)


def _texts(collections: Sequence[Collection], rows: Rows) -> dict[int, str]:
    """Texts of documents by row number of the whole data set."""
    texts: dict[int, str] = {}
    first = 0
    for collection in collections:
        inside = rows[(rows >= first) & (rows < first + collection.rows)] - first
        texts |= {first + row: text for row, text in collection.texts(inside).items()}
        first += collection.rows
    return texts
