"""Minimum spanning trees of mutual reachability distances, over a k-d tree: Borůvka's algorithm with two trees.

fast_hdbscan builds the k-d tree, finds core distances and joins components. Its own search for the shortest edge out of
each component descends the tree once for every vector, which takes nine tenths of its time when the groups lie apart.
Here, pairs of tree nodes are compared instead (March, Ram and Gray 2010: Fast Euclidean minimum spanning tree), so that
two groups that lie apart are distinguished by a few boxes. Vectors are put in the order of the tree's leaves, so
that neighbours are near each other in memory. The result is exact.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from clusterworker.data.arrays import Doubles, Flags, Rows, Vectors

LEAF = 20
"""Minimum number of vectors in a leaf; a leaf has fewer than twice as many. With fast_hdbscan's 40, the boxes of sparse
leaves cover so much space that several times as many pairs must be compared."""
LISTED = 16
"""Number of nearest neighbours of each vector among which a first edge out of its component is searched."""
FEWEST_NODES, NODES_PER_VECTOR = 1 << 16, 1 / 2
"""Number of pairs of nodes that descend the tree at once, which bounds the memory."""
FEWEST_LEAVES, LEAVES_PER_VECTOR = 1 << 10, 1 / 256
"""Number of pairs of leaves whose vectors are compared at once."""
Join = Callable[[npt.NDArray[Any], npt.NDArray[Any]], npt.NDArray[Any]]
SLACK = np.float32(1 + 1e-5)
"""Factor for lengths that exclude longer edges, because the distances of boxes are rounded as well."""


def reachability_tree(vectors: Vectors, min_samples: int) -> tuple[Rows, Doubles]:
    """Returns the minimum spanning tree of mutual reachability distances.

    The image's JIT cache (``clusterworker.process.warm``) contains what these calls compile.

    Args:
        vectors: Shape (rows, dimensions), C-contiguous, more than 2 * LEAF rows and without copies.
        min_samples: Number of vectors that make a core point, including itself, at least 2 and at most rows.

    Returns:
        The two vectors of each edge, shape (rows - 1, 2), and their distances, shape (rows - 1,).
    """
    from fast_hdbscan.boruvka import initialize_boruvka_from_knn, merge_components, update_component_vectors
    from fast_hdbscan.disjoint_set import ds_rank_create
    from fast_hdbscan.numba_kdtree import build_kdtree, parallel_tree_query

    from clusterworker.process import jit_cache

    jit_cache.enable()
    rows = len(vectors)
    tree = build_kdtree(vectors, LEAF)
    order = tree.idx_array
    tree = tree._replace(data=np.ascontiguousarray(tree.data[order]), idx_array=np.arange(rows))
    squared, neighbours = parallel_tree_query(tree, tree.data, k=min_samples, output_rdist=True)
    # numba and numpy round sums in different ways, and edges as long as a core distance must be equal to it.
    cores = _between(tree.data, np.arange(rows), neighbours[:, -1])
    np.minimum(squared, cores[:, None], out=squared)
    joined, parts, nodes = ds_rank_create(rows), np.arange(rows), np.full(len(tree.idx_start), -1)
    edges = [initialize_boruvka_from_knn(neighbours, squared, cores, joined)]
    update_component_vectors(tree, joined, nodes, parts)
    listed = np.ascontiguousarray(neighbours[:, 1 : 1 + LISTED])
    del squared, neighbours
    space = _Space(tree, cores)
    while sum(map(len, edges)) < rows - 1:
        edges.append(merge_components(joined, *_Search(space, parts).shortest(listed), parts))
        update_component_vectors(tree, joined, nodes, parts)
    found = np.concatenate(edges)
    return order[found[:, :2].astype(np.int64)], np.sqrt(found[:, 2])


class _Space:
    """What does not change from one round to the next: the vectors in the order of the tree, and its nodes.

    The children of node i are 2i + 1 and 2i + 2, and all leaves are in the last level.

    Attributes:
        vectors: Shape (rows, dimensions).
        cores: Squared core distances, shape (rows,).
        low: The least values within each node, shape (nodes, dimensions).
        high: The greatest ones.
        first: First vector of each node, shape (nodes,).
        end: The one after its last vector.
        leaf: The first leaf.
        least_core: Least squared core distance within each node, shape (nodes,).
    """

    def __init__(self, tree: Any, cores: Vectors) -> None:
        self.vectors, self.cores = tree.data, cores
        self.low, self.high = tree.node_bounds
        self.first, self.end, self.leaf = tree.idx_start, tree.idx_end, len(tree.idx_start) // 2
        self.least_core = self.upward(np.minimum.reduceat(cores, self.first[self.leaf :]), np.minimum)

    @property
    def rows(self) -> int:
        return len(self.cores)

    def upward(self, leaves: npt.NDArray[Any], join: Join) -> npt.NDArray[Any]:
        """Returns a value for each node, joined from its children; `leaves` has those of the leaves."""
        levels = [leaves]
        while len(levels[0]) > 1:
            levels.insert(0, join(levels[0][::2], levels[0][1::2]))
        return np.concatenate(levels)

    def vectors_of(self, nodes: Rows) -> tuple[Rows, Rows]:
        """Returns the vectors of some nodes, and for each the place of its node in `nodes`."""
        return _ranges(self.first[nodes], self.end[nodes])


class _Search:
    """One round: the shortest edge out of each component.

    Attributes:
        parts: Component of each vector, from 0 on, shape (rows,).
        shortest_yet: Squared length of the shortest edge out of each component so far, shape (components,).
    """

    def __init__(self, space: _Space, parts: Rows) -> None:
        self.space = space
        self.parts = np.unique(parts, return_inverse=True)[1].astype(np.int32)
        count, firsts = int(self.parts.max()) + 1, space.first[space.leaf :]
        least, most = np.minimum.reduceat(self.parts, firsts), np.maximum.reduceat(self.parts, firsts)
        leaves = np.where(least == most, least, -1)
        self._part_of: npt.NDArray[np.int32] = space.upward(leaves, lambda one, other: np.where(one == other, one, -1))
        self._mixed = np.flatnonzero(leaves < 0)
        self._mixed_vectors, places = space.vectors_of(self._mixed + space.leaf)
        self._mixed_firsts = np.flatnonzero(np.diff(places, prepend=-1))
        self.shortest_yet = np.full(count, np.inf, np.float32)
        self._from, self._to = np.full(count, -1), np.full(count, -1)

    def shortest(self, listed: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], Vectors]:
        """Returns for one vector of each component the other end of its shortest edge, and its squared length.

        Args:
            listed: Near neighbours of each vector, ascending by distance, shape (rows, some).

        Returns:
            Both of shape (rows,); -1 and infinite for the other vectors.
        """
        self._begin(listed)
        self._descend(np.zeros(1, np.int64), np.zeros(1, np.int64))
        others, lengths = np.full(self.space.rows, -1, np.int32), np.full(self.space.rows, np.inf, np.float32)
        others[self._from], lengths[self._from] = self._to, self.shortest_yet
        return others, lengths

    def _begin(self, listed: npt.NDArray[np.int32]) -> None:
        """Offers edges that are known: between vectors that follow each other, and to near neighbours."""
        ends = np.flatnonzero(self.parts[1:] != self.parts[:-1])
        self._offer(ends, ends + 1)
        self._offer(ends + 1, ends)
        size = FEWEST_NODES
        for first in range(0, self.space.rows, size):
            outside: Flags = self.parts[listed[first : first + size]] != self.parts[first : first + size, None]
            here = np.flatnonzero(outside.any(axis=1))
            there = listed[first + here, outside[here].argmax(axis=1)].astype(np.int64)
            self._offer(first + here, there)
            self._offer(there, first + here)

    def _offer(self, here: Rows, there: Rows) -> None:
        """Keeps the edges that are shorter than those yet found for the component of `here`."""
        space = self.space
        lengths = _between(space.vectors, here, there)
        np.maximum(lengths, space.cores[here], out=lengths)
        np.maximum(lengths, space.cores[there], out=lengths)
        parts = self.parts[here]
        nearer = lengths < self.shortest_yet[parts]
        parts, lengths = parts[nearer], lengths[nearer]
        np.minimum.at(self.shortest_yet, parts, lengths)
        kept = lengths == self.shortest_yet[parts]
        self._from[parts[kept]], self._to[parts[kept]] = here[nearer][kept], there[nearer][kept]

    def _limits(self) -> Vectors:
        """Returns the greatest squared length that any vector within each node still looks for, shape (nodes,)."""
        limits = self.shortest_yet[self._part_of[self.space.leaf :]]
        if len(self._mixed):
            limits[self._mixed] = np.maximum.reduceat(
                self.shortest_yet[self.parts[self._mixed_vectors]], self._mixed_firsts
            )
        limits *= SLACK
        return limits

    def _descend(self, nodes: Rows, others: Rows) -> None:
        """Compares pairs of nodes of one level, and then those of their children that may hold a shorter edge."""
        space = self.space
        most = max(FEWEST_NODES, int(space.rows * NODES_PER_VECTOR))
        apart = np.zeros(len(nodes), np.float32)
        while nodes[0] < space.leaf:
            if len(nodes) > most:
                for first in range(0, len(nodes), most // 2):
                    self._descend(nodes[first : first + most // 2], others[first : first + most // 2])
                return
            nodes, others = _children(nodes, [1, 1, 2, 2]), _children(others, [1, 2, 1, 2])
            apart, kept = np.maximum(space.least_core[nodes], space.least_core[others]), self._part_of[nodes]
            limits = space.upward(self._limits(), np.maximum)[nodes]
            possible = ((kept != self._part_of[others]) | (kept < 0)) & (apart <= limits)
            nodes, others, limits = nodes[possible], others[possible], limits[possible]
            boxes = (side.take(ends, axis=0) for ends in (nodes, others) for side in (space.low, space.high))
            apart = np.maximum(_apart(*boxes), apart[possible])
            possible = apart <= limits
            nodes, others, apart = nodes[possible], others[possible], apart[possible]
            if not len(nodes):
                return
        nearest = np.argsort(apart, kind="stable")
        size = max(FEWEST_LEAVES, int(space.rows * LEAVES_PER_VECTOR))
        for first in range(0, len(nearest), size):
            part = nearest[first : first + size]
            self._compare(nodes[part], others[part], apart[part])

    def _compare(self, leaves: Rows, others: Rows, apart: Vectors) -> None:
        """Compares the vectors of pairs of leaves, if they are near the box of the other leaf's."""
        space = self.space
        limits = self._limits().take(leaves - space.leaf)
        kept = np.flatnonzero(apart <= limits)
        leaves, others, limits = leaves.take(kept), others.take(kept), limits.take(kept)
        there, pairs = space.vectors_of(others)
        kept = np.flatnonzero(space.cores.take(there) <= limits.take(pairs))
        there, pairs = there.take(kept), pairs.take(kept)
        far, boxes = space.vectors.take(there, axis=0), leaves.take(pairs)
        apart = _apart(far, far, space.low.take(boxes, axis=0), space.high.take(boxes, axis=0))
        kept = np.flatnonzero(apart <= limits.take(pairs))
        if not len(kept):
            return
        there, pairs, far = there.take(kept), pairs.take(kept), far.take(kept, axis=0)
        firsts = np.flatnonzero(np.diff(pairs, prepend=-1))
        ends = np.append(firsts[1:], len(there))
        low, high = np.minimum.reduceat(far, firsts, axis=0), np.maximum.reduceat(far, firsts, axis=0)
        here, boxes = space.vectors_of(leaves.take(pairs.take(firsts)))
        wanted = self.shortest_yet.take(self.parts.take(here)) * SLACK
        kept = np.flatnonzero(space.cores.take(here) <= wanted)
        here, boxes, wanted = here.take(kept), boxes.take(kept), wanted.take(kept)
        near = space.vectors.take(here, axis=0)
        apart = _apart(near, near, low.take(boxes, axis=0), high.take(boxes, axis=0))
        kept = np.flatnonzero(apart <= wanted)
        here, boxes = here.take(kept), boxes.take(kept)
        places, of = _ranges(firsts[boxes], ends[boxes])
        here, there = here[of], there[places]
        kept = np.flatnonzero(self.parts[here] != self.parts[there])
        self._offer(here[kept], there[kept])


def _ranges(firsts: Rows, ends: Rows) -> tuple[Rows, Rows]:
    """Returns the numbers of all ranges, one range after the other, and the range of each."""
    sizes = ends - firsts
    of = np.repeat(np.arange(len(sizes)), sizes)
    return np.arange(len(of)) + np.repeat(firsts - np.cumsum(sizes) + sizes, sizes), of


def _between(vectors: Vectors, here: Rows, there: npt.NDArray[np.integer]) -> Vectors:
    """Returns the squared distances of pairs of vectors."""
    apart = vectors.take(here, axis=0)
    apart -= vectors.take(there, axis=0)
    squared: Vectors = np.vecdot(apart, apart)
    return squared


def _children(nodes: Rows, sides: list[int]) -> Rows:
    return (2 * nodes[:, None] + sides).ravel()


def _apart(low: Vectors, high: Vectors, other_low: Vectors, other_high: Vectors) -> Vectors:
    """Returns the squared distances of pairs of boxes; each array has the shape (pairs, dimensions)."""
    gap = np.subtract(other_low, high)
    np.maximum(gap, low - other_high, out=gap)
    np.maximum(gap, 0, out=gap)
    squared: Vectors = np.vecdot(gap, gap)
    return squared
