"""Sums up documents while they are read: documents per node, scores, and the best example of each node."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from clusterworker.data.arrays import Doubles, Labels, Rows, Vectors
from clusterworker.enrichment.table import NO_NODE, ROUNDING

QUANTILES = {"p01": 0.01, "p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}
_BINS = 20_000


@dataclass(frozen=True)
class Example:
    """A document, and the scores of its nearest nodes.

    Attributes:
        document_id: Its id.
        row: Its row in the collection.
        nodes: Numbers of its nearest nodes.
        scores: Their scores.
    """

    document_id: str
    row: int
    nodes: tuple[int, ...]
    scores: tuple[float, ...]


class Tally:
    """Sums up the nearest node of each document.

    Scores are counted in bins of 0.0001, so their quantiles have this precision for any number of documents.

    Args:
        nodes: Number of nodes of the taxonomy.
        min_score: Minimum score of a node.

    Attributes:
        documents: Number of documents so far.
        per_node: Documents whose nearest node it is, shape (nodes,).
        taken_over: Number of documents that were taken over from an earlier run.
    """

    def __init__(self, nodes: int, min_score: float) -> None:
        self.documents = 0
        self.taken_over = 0
        self.per_node: Rows = np.zeros(nodes, np.int64)
        self._min_score = min_score - ROUNDING
        self._bins: Rows = np.zeros(_BINS, np.int64)
        self._sum = 0.0
        self._extremes = (np.inf, -np.inf)
        self._best: Doubles = np.full(nodes, -np.inf)
        self._examples: dict[int, Example] = {}

    def add(self, ids: Any, rows: Any, nodes: Labels, scores: Vectors) -> None:
        """Adds documents that were searched.

        Args:
            ids: pyarrow array, shape (documents,).
            rows: Rows of the documents in the collection, shape (documents,).
            nodes: Nearest nodes, shape (documents,).
            scores: Scores of these nodes, shape (documents,).
        """
        if not len(scores):
            return
        self._count(np.where(scores >= self._min_score, nodes, NO_NODE), scores)
        self._keep_best(ids, rows, nodes, scores)

    def add_taken(self, ids: Any, rows: Any, nodes: Rows, scores: Doubles) -> None:
        """Adds documents of an earlier run, with NO_NODE for those that have none; arguments as of `add`."""
        if not len(scores):
            return
        self.taken_over += len(scores)
        self._count(nodes, scores)
        self._keep_best(ids, rows, nodes, scores)

    @property
    def assigned(self) -> int:
        """Number of documents that have a node."""
        return int(self.per_node.sum())

    def scores(self) -> Mapping[str, float]:
        """Returns quantiles, mean and extremes of the documents' scores with their nearest nodes."""
        if not self.documents:
            return {}
        lowest, highest = self._extremes
        reached = np.cumsum(self._bins)
        found = {
            name: _middle(int(np.searchsorted(reached, share * self.documents, side="left")), lowest, highest)
            for name, share in QUANTILES.items()
        }
        return {"min": lowest, **found, "max": highest, "mean": self._sum / self.documents}

    def best(self) -> Mapping[int, Example]:
        """Returns the nearest document of each node that has any."""
        return {node: example for node, example in self._examples.items() if self.per_node[node]}

    def state(self) -> dict[str, Any]:
        """Returns the sums over the documents that were searched as arrays, for `merge` in another process."""
        examples = [(node, one.document_id, one.row, one.scores[0]) for node, one in self._examples.items()]
        return {
            "documents": np.array(self.documents),
            "per_node": self.per_node,
            "bins": self._bins,
            "sum": np.array(self._sum),
            "extremes": np.array(self._extremes),
            "examples": np.frombuffer(json.dumps(examples).encode(), np.uint8),
        }

    def merge(self, state: Mapping[str, Any]) -> None:
        """Adds the documents that follow; see `state`."""
        self.documents += int(state["documents"])
        self.per_node += state["per_node"]
        self._bins += state["bins"]
        self._sum += float(state["sum"])
        lowest, highest = state["extremes"].tolist()
        self._extremes = min(self._extremes[0], lowest), max(self._extremes[1], highest)
        for node, document_id, row, score in json.loads(state["examples"].tobytes()):
            if score > self._best[node]:
                self._best[node] = score
                self._examples[node] = Example(document_id, row, (node,), (score,))

    def _count(self, nodes: Any, scores: Any) -> None:
        self.documents += len(scores)
        having = nodes[nodes != NO_NODE]
        self.per_node += np.bincount(having, minlength=len(self.per_node))
        bins = np.clip(((scores + 1) * (_BINS / 2)).astype(np.int64), 0, _BINS - 1)
        self._bins += np.bincount(bins, minlength=_BINS)
        self._sum += float(scores.sum(dtype=np.float64))
        lowest, highest = self._extremes
        self._extremes = min(lowest, float(scores.min())), max(highest, float(scores.max()))

    def _keep_best(self, ids: Any, rows: Any, nodes: Any, scores: Any) -> None:
        better = np.flatnonzero((nodes != NO_NODE) & (scores > self._best[nodes]))
        if not better.size:
            return
        order = better[np.lexsort((-scores[better], nodes[better]))]
        found, first = np.unique(nodes[order], return_index=True)
        for node, position in zip(found.tolist(), order[first].tolist(), strict=True):
            score = float(scores[position])
            self._best[node] = score
            self._examples[node] = Example(str(ids[position].as_py()), int(rows[position]), (node,), (score,))


def _middle(number: int, lowest: float, highest: float) -> float:
    """Returns the middle of a bin, within the range of the scores."""
    middle = (min(number, _BINS - 1) + 0.5) / (_BINS / 2) - 1
    return float(min(max(middle, lowest), highest))


class Sample:
    """Draws documents uniformly, without replacement, while they are read; the same ones for the same seed.

    Args:
        documents: Number of documents in the collection.
        size: Maximum number of documents to draw.
        seed: Seed of the draw.

    Attributes:
        rows: Rows of the drawn documents, ascending.
        ids: Ids of the drawn documents that were read so far.
    """

    def __init__(self, documents: int, size: int, seed: int) -> None:
        drawn = np.random.default_rng(seed).choice(documents, min(size, documents), replace=False, shuffle=False)
        self.rows: Rows = np.sort(drawn)
        self.ids: list[str] = []
        self._vectors: list[Vectors] = []

    def add(self, ids: Any, vectors: Vectors, first: int) -> None:
        """Adds a batch that begins at row `first`."""
        begin, end = np.searchsorted(self.rows, [first, first + len(vectors)])
        if begin < end:
            inside = self.rows[begin:end] - first
            self._vectors.append(vectors[inside])
            self.ids.extend(str(ids[row].as_py()) for row in inside.tolist())

    def state(self) -> dict[str, Any]:
        """Returns the drawn documents that were read so far as arrays, for `merge` in another process."""
        ids = np.frombuffer(json.dumps(self.ids).encode(), np.uint8)
        return {"sampled": self.vectors if self.ids else np.empty((0, 0), np.float32), "sampled_ids": ids}

    def merge(self, state: Mapping[str, Any]) -> None:
        """Adds the documents that follow; see `state`."""
        if len(state["sampled"]):
            self._vectors.append(state["sampled"])
            self.ids.extend(json.loads(state["sampled_ids"].tobytes()))

    @property
    def vectors(self) -> Vectors:
        """Vectors of the drawn documents, shape (documents, dimensions)."""
        return np.concatenate(self._vectors)
