"""Describes clusters for results and report: a name for each, and a summary of the largest ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from clustercontract.layers import Layers
from clusterworker.clustering.algorithms.clustering import LayeredClusters
from clusterworker.clustering.central import CentralDocument
from clusterworker.clustering.layer_description import Ids, describe_layers
from clusterworker.clustering.naming import Documents, Namer
from clusterworker.clustering.survey import Membership
from clusterworker.clustering.terms import Terms
from clusterworker.data.arrays import NOISE, Labels, Rows
from clusterworker.data.sources.collection import Collection
from clusterworker.process.text import one_line, shortened

LISTED_CLUSTERS = 50
"""Number of clusters that the report and metrics.json describe; all are in centroids.parquet."""
FEW = 5
"""If a cluster has fewer documents than this in the sample, the texts of its central documents also count for its name.
"""
MOST_TEXTS = 6_000
"""Number of texts that are read for that."""
TEXT_LENGTH = 200
"""Number of characters of a central document's text that are shown."""
HOVER_LENGTH = 120
"""Number of characters of a text that are shown when the pointer is over its document."""


@dataclass(frozen=True)
class Document:
    """A central document."""

    document_id: str | int
    distance: float
    text: str

    def as_json(self) -> dict[str, Any]:
        """Returns it for metrics.json."""
        fields: dict[str, Any] = {"document_id": self.document_id, "distance_to_centroid": round(self.distance, 6)}
        return fields | ({"text": self.text} if self.text else {})


@dataclass(frozen=True)
class ClusterSummary:
    """Summary of one cluster."""

    cluster_id: int
    name: str
    documents: int
    central: tuple[Document, ...]

    def as_json(self) -> dict[str, Any]:
        """Returns it for metrics.json."""
        return {
            "cluster_id": self.cluster_id,
            "name": self.name,
            "num_documents": self.documents,
            "central_documents": [document.as_json() for document in self.central],
        }


@dataclass(frozen=True)
class Description:
    """Descriptions of clusters.

    Attributes:
        names: Names of all clusters.
        clusters: Summary of the largest ones.
        texts: Texts of the sampled documents, by row number of the whole data set; empty without a text column.
        layers: other granularities, if there are any.
    """

    names: Sequence[str]
    clusters: Sequence[ClusterSummary]
    texts: Mapping[int, str]
    layers: Layers | None = None


@dataclass(frozen=True)
class LastNames:
    """Names of clusters in the previous run.

    Attributes:
        names: Names by the place of the cluster in this run.
        still_there: Returns which clusters that are named after a document still contain that document.
        in_layers: Names by cluster_id, of clusters of all granularities.
        fixed: Names by the place of the cluster, if all clusters are those of the earlier run; then no cluster is
            renamed.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    still_there: Documents = lambda _names: ()
    in_layers: Mapping[int, str] = field(default_factory=dict)
    fixed: Sequence[str] | None = None


def describe(
    collections: Sequence[Collection],
    found: Membership,
    numbers: Rows,
    layered: LayeredClusters | None,
    layer_numbers: Sequence[Rows],
    ids: Ids,
    last: LastNames = LastNames(),
) -> Description:
    """Names every cluster, and summarizes the largest ones that have documents.

    Args:
        collections: Collections with texts.
        found: Result of the pass over the documents.
        numbers: cluster_id of each cluster, shape (clusters,).
        layered: other granularities, if there are any.
        layer_numbers: cluster_id of each of their clusters, per granularity.
        ids: Returns the ids of documents by row number.
        last: Names of clusters in the previous run.
    """
    count = len(found.sizes)
    central = {cluster: found.central.of(cluster) for cluster in range(count)}
    shown = min(LISTED_CLUSTERS, int(np.count_nonzero(found.sizes)))
    rows = [document.row for cluster in range(shown) for document in central[cluster]]
    read = _read_for_names(found, central)
    texts = _texts(collections, np.concatenate([read.rows, np.array(rows, np.int64)]))
    if not texts:
        read = _Read(read.rows[:0], read.labels[:0])
    names, layers = last.fixed, None
    if names is None:  # Otherwise, terms, which take seconds to find, are not needed.
        namer = Namer(Terms.of([texts.get(row, "") for row in read.rows.tolist()]))
        names = namer.names(
            read.labels,
            numbers.tolist(),
            {cluster: str(documents[0].document_id) for cluster, documents in central.items() if documents},
            last.names,
            last.still_there,
        )
        if layered:
            layers = describe_layers(
                layered, layer_numbers, found.reservoir, namer, read.rows, names, ids, last.in_layers
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
        for cluster in range(shown)
    ]
    hovering = {row: shortened(one_line(text), HOVER_LENGTH) for row, text in texts.items()}
    return Description(names, summaries, hovering, layers)


@dataclass(frozen=True)
class _Read:
    """Returns the documents whose texts count for names, and their clusters, both of shape (rows,)."""

    rows: Rows
    labels: Labels


def _read_for_names(found: Membership, central: Mapping[int, Sequence[CentralDocument]]) -> _Read:
    """Returns the sample, and the central documents of clusters that have few documents in it."""
    sample = found.reservoir
    counts = np.bincount(sample.labels[sample.labels != NOISE], minlength=len(central))
    sampled = set(sample.rows.tolist())
    more = [
        (document.row, cluster)
        for cluster in np.flatnonzero(counts < FEW).tolist()
        for document in central[cluster]
        if document.row not in sampled
    ][: MOST_TEXTS - len(sampled)]
    rows = np.array([row for row, _ in more], np.int64)
    labels = np.array([cluster for _, cluster in more], np.int32)
    return _Read(np.concatenate([sample.rows, rows]), np.concatenate([sample.labels, labels]))


def _texts(collections: Sequence[Collection], rows: Rows) -> dict[int, str]:
    """Returns the texts of documents by row number of the whole data set."""
    texts: dict[int, str] = {}
    first = 0
    for collection in collections:
        inside = rows[(rows >= first) & (rows < first + collection.rows)] - first
        texts |= {first + row: text for row, text in collection.texts(inside).items()}
        first += collection.rows
    return texts
