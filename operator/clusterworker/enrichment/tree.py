"""Builds the tree of a taxonomy's nodes, or reports in one line why they do not form a tree."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clustercontract.counted import counted
from clusterworker.data.arrays import Rows
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.text import shortened

SEPARATOR = " > "
"""Separates the labels of a path."""
DEEPEST = 100
"""Maximum number of levels, because every node's path contains all of its ancestors."""
ROOT = -1
_LISTED = 5
_LONGEST_ID = 60


@dataclass(frozen=True)
class Tree:
    """The nodes by number, in the order of their collection.

    Attributes:
        ids: Ids of the nodes.
        labels: Labels of the nodes; the id if there is no label.
        parents: Number of each node's parent, ROOT for a root, shape (nodes,).
        paths: Labels from the root down to the node.
    """

    ids: Sequence[str]
    labels: Sequence[str]
    parents: Rows
    paths: Sequence[str]

    @property
    def children(self) -> list[list[int]]:
        """Returns the numbers of each node's children; those of the roots come last."""
        found: list[list[int]] = [[] for _ in range(len(self.ids) + 1)]
        for node, parent in enumerate(self.parents.tolist()):
            found[parent].append(node)
        return found

    @property
    def levels(self) -> int:
        """Number of nodes on the longest path from a root to a leaf."""
        return max((len(path) for path in self._ways()), default=0)

    def with_descendants(self, counts: Rows) -> Rows:
        """Returns the sum over each node and all nodes below it.

        Args:
            counts: Counts of the nodes themselves, shape (nodes,).
        """
        totals = counts.copy()
        for path in self._ways():
            for ancestor in path[1:]:
                totals[ancestor] += counts[path[0]]
        return totals

    def _ways(self) -> list[list[int]]:
        """Yields, for each node, itself and its ancestors, upwards."""
        parents = self.parents.tolist()
        paths = []
        for node in range(len(parents)):
            path = [node]
            while (parent := parents[path[-1]]) != ROOT:
                path.append(parent)
            paths.append(path)
        return paths


def tree_of(where: str, ids: Sequence[str], labels: Sequence[str], parents: Sequence[str]) -> Tree:
    """Returns the tree of the nodes.

    Args:
        where: Source of the nodes, for messages.
        ids: Ids of the nodes.
        labels: Labels of the nodes; "" for none.
        parents: Id of each node's parent; "" for none.

    Raises:
        MisconfiguredError: two nodes have one id, a parent is not a node, nodes form a cycle, or they nest too deep.
    """
    numbers: dict[str, int] = {}
    for number, node in enumerate(ids):
        if numbers.setdefault(node, number) != number:
            raise MisconfiguredError(f"{where}: two nodes have the id {_shown(node)}: give each node an id of its own")
    orphans = [number for number, parent in enumerate(parents) if parent and parent not in numbers]
    if orphans:
        first = orphans[0]
        more = f" (the same applies to {counted(len(orphans) - 1, 'more node')})" if len(orphans) > 1 else ""
        raise MisconfiguredError(
            f"{where}: node {_shown(ids[first])} has the parent {_shown(parents[first])}, which does not exist{more}: "
            "add the parent, or correct the node's parent"
        )
    above = [numbers[parent] if parent else ROOT for parent in parents]
    shown = [label or node for label, node in zip(labels, ids, strict=True)]
    paths = _paths(where, ids, shown, above)
    return Tree(ids, shown, np.array(above, np.int64), paths)


def _paths(where: str, ids: Sequence[str], labels: Sequence[str], parents: Sequence[int]) -> list[str]:
    """Returns the path of each node: that of its parent, and its own label."""
    paths = [""] * len(ids)
    levels = [0] * len(ids)
    for start in range(len(ids)):
        path: list[int] = []
        on_way: dict[int, int] = {}
        node = start
        while node != ROOT and not levels[node]:
            if node in on_way:
                raise _cycle(where, [ids[one] for one in path[on_way[node] :]])
            on_way[node] = len(path)
            path.append(node)
            node = parents[node]
        for inner in reversed(path):
            parent = parents[inner]
            levels[inner] = 1 + (levels[parent] if parent != ROOT else 0)
            if levels[inner] > DEEPEST:
                raise MisconfiguredError(
                    f"{where}: node {_shown(ids[inner])} is more than {DEEPEST} levels below its root: use fewer levels"
                )
            paths[inner] = f"{paths[parent]}{SEPARATOR}{labels[inner]}" if parent != ROOT else labels[inner]
    return paths


def _cycle(where: str, ids: list[str]) -> MisconfiguredError:
    if len(ids) == 1:
        return MisconfiguredError(f"{where}: node {_shown(ids[0])} is its own parent: correct its parent")
    begin = ids.index(min(ids))  # The message is the same, wherever the search found the cycle.
    ring = [*ids[begin:], *ids[:begin]]
    shown = [_shown(node) for node in ring]
    if len(shown) > _LISTED:
        shown = [*shown[: _LISTED - 1], f"… ({len(ring) - _LISTED + 1} more)"]
    above = [*shown[1:], shown[0]]
    return MisconfiguredError(
        f"{where}: nodes form a cycle: {shown[0]} is a child of {', which is a child of '.join(above)}: correct the "
        "parent of one of them"
    )


def _shown(node: str) -> str:
    return repr(shortened(node, _LONGEST_ID))
