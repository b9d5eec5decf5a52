"""Matches the granularities of two runs, and numbers the clusters of each, with pure functions.

Cluster ids are unique across the layers of a run, so an id identifies a cluster even if granularities disappear or
appear and the numbers of the layers change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from clusterworker.clustering.succession import Ancestors, Step, Succession, anew, succeed
from clusterworker.data.arrays import Rows, Vectors


@dataclass(frozen=True)
class LayerSuccession:
    """How the clusters of every layer are numbered.

    Attributes:
        layers: Layers of this run, the finest first.
        before: For each layer, the number of the layer of the previous run that it continues, or None.
        gone: Clusters of layers of the previous run that none continues, by the number of the layer.
        next_id: the lowest cluster_id that was never used.
    """

    layers: Sequence[Succession]
    before: Sequence[int | None]
    gone: Mapping[int, Sequence[Step]]
    next_id: int


@dataclass(frozen=True)
class Counterpart:
    """What the clusters of a layer of this run are compared with.

    Attributes:
        clusters: Clusters of the layer of the previous run.
        shared: Documents that both have, as `succeed` takes them; None if unknown.
    """

    clusters: Ancestors
    shared: Any | None


def counterparts(before: Sequence[int], now: Sequence[int]) -> list[int | None]:
    """Returns the layer of the previous run that each layer of this run continues, or None.

    As many layers as possible have one. Of all ways to pair them, this has the least sum of squared differences of the
    logarithms of their numbers of clusters; the order of granularities stays the same.

    Args:
        before: Number of clusters of each layer of the previous run, the finest first.
        now: Number of clusters of each layer of this run.
    """
    found: list[int | None] = [None] * len(now)
    if before and now:
        logarithms = np.log(np.maximum(before, 1)), np.log(np.maximum(now, 1))
        rows, columns = linear_sum_assignment((logarithms[0][:, None] - logarithms[1][None, :]) ** 2)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            found[column] = row
    return found


def number_layers(
    chosen: int,
    clusters: Succession,
    others: Sequence[Counterpart | None],
    centroids: Sequence[Vectors],
    sizes: Sequence[Rows],
    metric: str,
    limit: float,
) -> tuple[list[Succession], int]:
    """Numbers the clusters of every layer.

    Args:
        chosen: The layer that is the run's clustering.
        clusters: How its clusters are numbered; those of the others get the following numbers.
        others: What each layer is compared with, None for nothing; that of the chosen one is ignored.
        centroids: of each layer, shape (clusters, dimensions).
        sizes: documents per cluster of each layer.
        metric: cosine or euclidean.
        limit: Limit from `succession.limit_of`.

    Returns:
        Each layer's clusters, and the lowest number that was never used.
    """
    next_id = clusters.next_id
    numbered = []
    for layer, other in enumerate(others):
        if layer == chosen:
            numbered.append(clusters)
            continue
        if other is None:
            own = anew(sizes[layer], next_id)
        else:
            own = succeed(other.clusters, centroids[layer], sizes[layer], other.shared, metric, limit, next_id)
        next_id = own.next_id
        numbered.append(own)
    return numbered, next_id


def gone(clusters: Ancestors) -> list[Step]:
    """Returns the steps of the clusters of a layer that none continues: all of them are gone."""
    return [
        Step(number, "gone", None, None, 0, size, None, None, None)
        for number, size in zip(clusters.ids.tolist(), clusters.sizes.tolist(), strict=True)
    ]
