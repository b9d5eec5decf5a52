"""Collects everything that a run has found, for its results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from clustercontract.brief import Changes
from clustercontract.layers import Layers
from clustercontract.run import RunSpec
from clusterworker.clustering.algorithms.clustering import Clustering
from clusterworker.clustering.description import ClusterSummary
from clusterworker.clustering.layer_succession import LayerSuccession
from clusterworker.clustering.succession import Succession
from clusterworker.clustering.survey import Membership
from clusterworker.data.arrays import Rows, Vectors


@dataclass(frozen=True)
class Crossing:
    """Where the documents of the previous run are now.

    Attributes:
        run: Its Job's name.
        ids: cluster_id of each of its clusters.
        names: Names of its clusters.
        sizes: Documents of each cluster, shape (clusters,).
        noise: Number of its documents in no cluster.
        counts: Number of documents that a cluster of the previous run (row) and one of this run (column) have in
            common, sparse; the last row and column are noise.
    """

    run: str
    ids: Rows
    names: Sequence[str]
    sizes: Rows
    noise: int
    counts: Any


@dataclass(frozen=True)
class EarlierMap:
    """The map in the report of an earlier run.

    Attributes:
        run: Its Job's name.
        layout: How documents are laid out.
        ids: cluster_id of each document on it, or NOISE, shape (documents,).
        vectors: of the same documents, shape (documents, dimensions); of unit length with metric cosine.
        points: Their positions, shape (documents, 2).
    """

    run: str
    layout: str
    ids: Rows
    vectors: Vectors
    points: Vectors


@dataclass(frozen=True)
class Findings:
    """The content of the results in all formats.

    Attributes:
        spec: Spec of the run.
        seed: The seed that was used.
        clustering: The clusters.
        survey: Sums over all documents.
        metrics: Value of each quality measure, None if it does not apply.
        notes: Decisions that the worker made by itself.
        names: Names of all clusters.
        clusters: Summary of the largest clusters.
        texts: Texts of sampled documents, by row number; empty without a text column.
        finished_at: Time in UTC.
        succession: How the clusters are numbered.
        changes: Changes since the previous run, None if clusters are renumbered.
        layers: Descriptions of other granularities, if the algorithm found any.
        layer_succession: How the clusters of all granularities are numbered, if there are any.
        last_names: Names of the clusters of the previous run, by cluster_id.
        shown: With mode composite, the name of each centroid, which represents documents on the map.
        crossing: Documents between the clusters of the previous run and of this one, if documents were compared.
        earlier_map: With mode assign, the map of the run to whose clusters documents are assigned, if it has one.
    """

    spec: RunSpec
    seed: int
    clustering: Clustering
    survey: Membership
    metrics: Mapping[str, float | None]
    notes: Sequence[str]
    names: Sequence[str]
    clusters: Sequence[ClusterSummary]
    texts: Mapping[int, str]
    finished_at: datetime
    succession: Succession
    changes: Changes | None
    layers: Layers | None = None
    layer_succession: LayerSuccession | None = None
    last_names: Mapping[int, str] = field(default_factory=dict)
    shown: Sequence[str] | None = None
    crossing: Crossing | None = None
    earlier_map: EarlierMap | None = None

    @property
    def num_clusters(self) -> int:
        """Number of clusters; with mode assign, some may have no documents."""
        return len(self.survey.sizes)

    @property
    def parameters(self) -> dict[str, object]:
        """The algorithm's parameters with defaults and seed filled in, or the mode's."""
        if self.spec.base is not None:
            return {
                "mode": self.spec.mode,
                "clusters_of": self.spec.base.run,
                "assignment_threshold": self.spec.assignment_threshold,
            }
        of_algorithm = {**self.spec.config.parameters().model_dump(), "random_state": self.seed}
        if not self.spec.sources:
            return of_algorithm
        return {"mode": self.spec.mode, "source_execution_ids": [run.run for run in self.spec.sources], **of_algorithm}
