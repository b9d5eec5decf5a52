"""Describes layers: a name for each cluster of every granularity."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from clustercontract.layers import Layer, LayerCluster, Layers
from clusterworker.clustering.algorithms.clustering import LayeredClusters
from clusterworker.clustering.naming import Namer
from clusterworker.clustering.reservoir import Reservoir
from clusterworker.data.arrays import NOISE, Labels, Rows

Ids = Callable[[Rows], Mapping[int, str | int]]


def describe_layers(
    layered: LayeredClusters,
    numbers: Sequence[Rows],
    sample: Reservoir,
    namer: Namer,
    rows: Rows,
    names: Sequence[str],
    ids: Ids,
    last: Mapping[int, str],
) -> Layers:
    """Names the clusters of every layer in the same way as those of the run's clustering.

    Args:
        layered: The layers.
        numbers: cluster_id of each cluster, per layer.
        sample: Sample of the documents.
        namer: Contains the texts of some documents.
        rows: Numbers of these documents, in the order of the texts; empty without a text column.
        names: Names of the clusters of the chosen layer.
        ids: Returns the ids of documents by row number.
        last: Names of the clusters of the previous run, by cluster_id.
    """
    layers = []
    for number, labels in enumerate(layered.labels):
        parents = layered.parents[number]
        count = len(parents)
        named = names
        if number != layered.chosen:
            central = _central(labels, count, sample)
            known = ids(np.array(list(central.values()), np.int64))
            fallback = {cluster: str(known[row]) for cluster, row in central.items()}
            own = numbers[number].tolist()
            last_names = {place: last[cluster] for place, cluster in enumerate(own) if cluster in last}
            named = namer.names(labels[rows], own, fallback, last_names)
        sizes = np.bincount(labels[labels != NOISE], minlength=count).tolist()
        layers.append(
            Layer(
                layer=number,
                num_clusters=count,
                num_noise=len(labels) - sum(sizes),
                persistence=round(float(layered.persistence[number]), 6),
                clusters=[
                    LayerCluster(
                        cluster_id=int(numbers[number][cluster]),
                        name=named[cluster],
                        num_documents=sizes[cluster],
                        parent_layer=parent and parent[0],
                        parent_cluster_id=parent and int(numbers[parent[0]][parent[1]]),
                    )
                    for cluster, parent in enumerate(parents)
                ],
            )
        )
    return Layers(num_documents=len(layered.labels[0]), chosen=layered.chosen, layers=layers)


def _central(labels: Labels, count: int, sample: Reservoir) -> dict[int, int]:
    """Returns a document's row for each cluster.

    It is the sampled one nearest to the mean of the cluster's sample, or else its first document.
    """
    found, first = np.unique(labels, return_index=True)
    rows = dict(zip(found.tolist(), first.tolist(), strict=True))
    rows.pop(NOISE, None)
    sampled = labels[sample.rows]
    for cluster in range(count):
        members = np.flatnonzero(sampled == cluster)
        if members.size:
            apart = sample.vectors[members] - sample.vectors[members].mean(axis=0)
            rows[cluster] = int(sample.rows[members[np.vecdot(apart, apart).argmin()]])
    return rows
