"""The second half of HDBSCAN: computes clusters from a spanning tree (Campello, Moulavi and Sander 2013).

A vector is weighted by its number of occurrences, so that copies stay together. Edges of one length merge at once, so
that the order of the documents does not matter.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from clusterworker.data.arrays import NOISE, Doubles, Labels, Rows

FENCE = 1.5
"""Number of interquartile ranges beyond the upper quartile at which outliers begin: Tukey 1977, Exploratory Data
Analysis.
"""
LEAST_DISTANCE = 1e-300


@dataclass(frozen=True)
class SpanningTree:
    """A spanning tree of distinct vectors.

    Attributes:
        ends: The two vectors of each edge, shape (distinct - 1, 2).
        lengths: Mutual reachability distances, infinite if no connection is known, shape (distinct - 1,).
        cores: Distance within which each vector has min_samples documents, including itself, shape (distinct,).
        counts: Documents per vector, shape (distinct,).
    """

    ends: Rows
    lengths: Doubles
    cores: Doubles
    counts: Rows


def extract(tree: SpanningTree, min_cluster_size: int, *, allow_single_cluster: bool = False) -> Labels:
    """Return a label per distinct vector, from 0 on: the clusters with the greatest excess of mass, shape (distinct,).

    A single cluster of everything holds, with `allow_single_cluster`, all documents but those that join it from far
    beyond the distances of the others. scikit-learn leaves in it only those that join last.

    Args:
        tree: Tree of all documents.
        min_cluster_size: Minimum number of documents in a cluster, at least 2.
        allow_single_cluster: Whether all documents can be one cluster.
    """
    condensed = condense(tree, min_cluster_size)
    chosen = condensed.chosen(allow_single_cluster=allow_single_cluster)
    labels = np.array(chosen, np.int32)[condensed.owners]
    if allow_single_cluster and chosen[0] != NOISE:
        labels[condensed.left_at > _fence(condensed.left_at, tree.counts)] = NOISE
    inside = labels != NOISE
    labels[inside] = np.unique(labels[inside], return_inverse=True)[1]
    return labels


@dataclass
class _Hierarchy:
    """Nodes numbered after the distinct vectors; each merges two or more nodes at one distance."""

    children: list[list[int]] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


def _merge(tree: SpanningTree) -> _Hierarchy:
    """Joins vectors along the edges, the shortest first."""
    rows = len(tree.counts)
    found = _Hierarchy(sizes=tree.counts.tolist())
    order = np.argsort(tree.lengths, kind="stable")
    joined = list(range(rows))
    node_of = list(range(rows))

    def root(row: int) -> int:
        while joined[row] != row:
            joined[row] = joined[joined[row]]
            row = joined[row]
        return row

    def as_children(node: int, distance: float) -> list[int]:
        return found.children[node - rows] if node >= rows and found.distances[node - rows] == distance else [node]

    for (one, other), length in zip(tree.ends[order].tolist(), tree.lengths[order].tolist(), strict=True):
        here, there = root(one), root(other)
        joined[there] = here
        left, right = node_of[here], node_of[there]
        node_of[here] = rows + len(found.children)
        found.children.append(as_children(left, length) + as_children(right, length))
        found.distances.append(length)
        found.sizes.append(found.sizes[left] + found.sizes[right])
    return found


@dataclass
class Condensed:
    """The clusters that appear while the distance decreases; 0 is the root.

    Attributes:
        parents: Cluster that each has split off from.
        births: Inverse of the distance at which it did.
        masses: Excess of mass.
        owners: Last cluster of each distinct vector.
        left_at: Distance at which the vector left that cluster.
    """

    owners: Rows
    left_at: Doubles
    parents: list[int] = field(default_factory=lambda: [NOISE])
    births: list[float] = field(default_factory=lambda: [0.0])
    masses: list[float] = field(default_factory=lambda: [0.0])

    def leave(self, cluster: int, documents: int, distance: float) -> None:
        """Counts documents that a cluster contains down to a distance."""
        self.masses[cluster] += documents * (_inverse(distance) - self.births[cluster])

    def split_off(self, parent: int, distance: float) -> int:
        """Returns the number of a new cluster."""
        self.parents.append(parent)
        self.births.append(_inverse(distance))
        self.masses.append(0.0)
        return len(self.parents) - 1

    def chosen(self, *, allow_single_cluster: bool) -> list[int]:
        """Returns the number of the chosen cluster that each belongs to, or NOISE.

        A cluster is chosen if it has more mass than those within it together.
        """
        count = len(self.parents)
        below = [0.0] * count
        best = [False] * count
        for cluster in range(count - 1, -1 if allow_single_cluster else 0, -1):
            best[cluster] = self.masses[cluster] >= below[cluster]
            if cluster:
                below[self.parents[cluster]] += max(self.masses[cluster], below[cluster])
        numbers: list[int] = []
        for cluster, parent in enumerate(self.parents):
            above = numbers[parent] if cluster else NOISE
            numbers.append(above if above != NOISE else cluster if best[cluster] else NOISE)
        return numbers


def condense(tree: SpanningTree, min_cluster_size: int) -> Condensed:
    """Descends from the root: parts that are too small leave their cluster, and two or more large ones split it."""
    hierarchy = _merge(tree)
    rows, sizes = len(tree.counts), hierarchy.sizes
    found = Condensed(np.zeros(rows, np.int64), np.zeros(rows))
    waiting = [(len(sizes) - 1, 0)]
    while waiting:
        node, cluster = waiting.pop()
        if node < rows:  # These are enough copies to form a cluster.
            found.owners[node], found.left_at[node] = cluster, tree.cores[node]
            found.leave(cluster, sizes[node], float(tree.cores[node]))
            continue
        distance = hierarchy.distances[node - rows]
        large = [child for child in hierarchy.children[node - rows] if sizes[child] >= min_cluster_size]
        for child in hierarchy.children[node - rows]:
            if sizes[child] < min_cluster_size:
                members = list(_members(hierarchy, child, rows))
                found.owners[members], found.left_at[members] = cluster, distance
                found.leave(cluster, sizes[child], distance)
            elif len(large) == 1:
                waiting.append((child, cluster))
            else:
                found.leave(cluster, sizes[child], distance)
                waiting.append((child, found.split_off(cluster, distance)))
    return found


def _members(hierarchy: _Hierarchy, node: int, rows: int) -> Iterator[int]:
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node < rows:
            yield node
        else:
            waiting.extend(hierarchy.children[node - rows])


def _inverse(distance: float) -> float:
    """Returns HDBSCAN's λ; infinite for copies, which no distance separates."""
    return 1 / max(distance, LEAST_DISTANCE) if distance > 0 else float("inf")


def _fence(distances: Doubles, counts: Rows) -> float:
    """Returns the distance beyond which documents are far from all others, according to the quartiles of all."""
    order = np.argsort(distances, kind="stable")
    places = np.searchsorted(np.cumsum(counts[order]), np.array([0.25, 0.75]) * counts.sum())
    return fence(*distances[order][places])


def fence(lower: float, upper: float) -> float:
    """Returns the distance beyond which there are only outliers, according to the quartiles of all distances."""
    return float(upper + FENCE * (upper - lower)) if np.isfinite(upper) else float("inf")
