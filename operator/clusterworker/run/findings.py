"""Everything a run found out, as the results need it."""

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
    """Where the documents of the run before are now.

    Attributes:
        run: its Job's name.
        ids: cluster_id of each of its clusters.
        names: of them.
        sizes: documents of each, shape (clusters,).
        noise: its documents in no cluster.
        counts: documents that a cluster of the run before (row) and one of this run (column) both have, sparse; the
            last row and column are noise.
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
        run: its Job's name.
        layout: how documents are laid out.
        ids: cluster_id of each document on it, or NOISE, shape (documents,).
        vectors: of the same documents, shape (documents, dimensions); of unit length with metric cosine.
        points: where they are, shape (documents, 2).
    """

    run: str
    layout: str
    ids: Rows
    vectors: Vectors
    points: Vectors


@dataclass(frozen=True)
class Findings:
    """What is written down, in several forms.

    Attributes:
        spec: what was asked for.
        seed: that was used.
        clustering: the clusters.
        survey: of all documents.
        metrics: value per quality measure, None where it does not apply.
        notes: what the worker decided by itself.
        names: of all clusters.
        clusters: the largest ones in a few lines.
        texts: of sampled documents, by row number; empty without a text column.
        finished_at: UTC.
        succession: how the clusters are numbered.
        changes: since the run before, None if clusters are renumbered.
        layers: other granularities in words, if the algorithm found any.
        layer_succession: how the clusters of all granularities are numbered, if there are any.
        last_names: of the clusters of the run before, by cluster_id.
        shown: with mode composite, what each centroid is called, which stands for documents on the map.
        crossing: between the clusters of the run before and this one's, where documents were compared.
        earlier_map: with mode assign, that of the run to whose clusters documents are assigned, if it left one.
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
        """Clusters; with mode assign, some may have no documents."""
        return len(self.survey.sizes)

    @property
    def parameters(self) -> dict[str, object]:
        """The algorithm's parameters with the defaults and the seed filled in, or the mode's."""
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
