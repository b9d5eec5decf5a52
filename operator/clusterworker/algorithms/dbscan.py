"""DBSCAN (Ester, Kriegel, Sander and Xu 1996), in memory that does not grow with the neighbourhoods.

scikit-learn's keeps every document's neighbours, which at a generous eps are nearly all pairs. Here distances come
block by block, and only the components of core points found so far are kept.
"""

import numpy as np
import numpy.typing as npt
from scipy import sparse

from clustertrigger.api.run import DBSCAN
from clusterworker.algorithms.clustering import Clustering, labelled
from clusterworker.algorithms.nearest import NearestCentroid
from clusterworker.algorithms.pairs import Pairs
from clusterworker.algorithms.reduction import Space, reduced_space
from clusterworker.algorithms.task import Task
from clusterworker.arrays import NOISE, Labels, Rows, Vectors

MOST_DOCUMENTS = 50_000
"""Above it core points are looked for in a sample of so many: time grows with the square."""
BLOCK_BYTES = 16 << 20
"""Of distances at a time; at a generous eps, lists of near pairs take ten times as much."""
ADVICE_ROWS = 500


def dbscan(task: Task, parameters: DBSCAN) -> Clustering:
    """Cluster by density at one distance; documents near no core point are noise.

    A document with `min_samples` documents within `eps`, itself included, is a core point; core points within eps of
    one another belong together, and every other document within eps of a core point goes with the nearest one.
    Above `MOST_DOCUMENTS` only a sample may become core points (DBSCAN++, Jang and Jiang 2019).

    Raises:
        MisconfiguredError: min_samples is more than there are documents.
    """
    task.refuse_above_documents("min_samples", parameters.min_samples)
    space = reduced_space(task, parameters)
    rows = len(space.vectors)
    candidates = np.arange(rows)
    notes = list(space.notes)
    if rows > MOST_DOCUMENTS:
        candidates = np.sort(np.random.default_rng(task.seed).choice(rows, MOST_DOCUMENTS, replace=False))
        notes.append(
            f"{rows} documents are more than the limit of {MOST_DOCUMENTS} for comparing all pairs: "
            f"core points were looked for in a sample of {MOST_DOCUMENTS} of them"
        )
    labels = find_clusters(space.vectors, candidates, parameters, space.metric)
    found = labels[labels != NOISE]
    if not found.size or np.bincount(found).max() > 0.9 * rows:
        notes.append(_advice(space, parameters, task.seed, too_small=not found.size))
    return labelled(task.dataset.vectors, labels, task.metric, notes=notes)


def find_clusters(vectors: Vectors, candidates: Rows, parameters: DBSCAN, metric: str) -> Labels:
    """Return a label per vector, shape (rows,).

    Args:
        vectors: shape (rows, dimensions); of unit length with metric cosine.
        candidates: rows that may become core points, ascending.
        parameters: eps, min_samples.
        metric: of eps.
    """
    counts = neighbour_counts(Pairs(vectors, metric), candidates, parameters.eps)
    cores = candidates[counts >= parameters.min_samples]
    labels = np.full(len(vectors), NOISE, np.int32)
    if not cores.size:
        return labels
    points = np.ascontiguousarray(vectors[cores])
    components = connected(Pairs(points, metric), parameters.eps)
    nearest, squared = NearestCentroid(points).with_squares(vectors)
    distances = squared / 2 if metric == "cosine" else np.sqrt(squared)
    reached = distances <= parameters.eps
    labels[reached] = components[nearest[reached]]
    labels[cores] = components
    return labels


def neighbour_counts(pairs: Pairs, rows: Rows, eps: float) -> Rows:
    """How many vectors lie within eps of each of some rows, itself included, shape (len(rows),)."""
    counts = np.zeros(len(rows), np.int64)
    size = pairs.block(BLOCK_BYTES)
    whole = len(rows) == len(pairs)
    for first in range(0, len(rows), size):
        part = slice(first, first + size)
        if whole:  # each pair is looked at once
            near = pairs.distances(part, slice(first, None)) <= eps
            counts[part] += near.sum(axis=1)
            counts[first + size :] += near[:, size:].sum(axis=0)
        else:
            counts[part] = (pairs.distances(rows[part]) <= eps).sum(axis=1)
    return counts


def connected(pairs: Pairs, eps: float) -> Labels:
    """Number the components of vectors that are within eps of one another, shape (rows,)."""
    rows = len(pairs)
    components = np.arange(rows)
    size = pairs.block(BLOCK_BYTES)
    for first in range(0, rows, size):
        near = pairs.distances(slice(first, first + size), slice(first, None)) <= eps
        here, there = np.nonzero(near)
        components = _joined(components, components[first + here], components[first + there])
    return components.astype(np.int32)


def _joined(components: Rows, left: Rows, right: Rows) -> Rows:
    """Join components pair by pair and number them anew."""
    apart = left != right
    if not apart.any():
        return components
    count = int(components.max()) + 1
    links: npt.NDArray[np.int8] = np.ones(int(apart.sum()), np.int8)
    graph = sparse.coo_array((links, (left[apart], right[apart])), shape=(count, count))
    numbers = sparse.csgraph.connected_components(graph, directed=False)[1]
    return np.asarray(numbers[components], np.int64)


def _advice(space: Space, parameters: DBSCAN, seed: int, *, too_small: bool) -> str:
    """Which eps would tell documents apart: the distances at which a sample of them become core points."""
    pairs = Pairs(space.vectors, space.metric)
    chosen = np.random.default_rng(seed).choice(len(pairs), min(ADVICE_ROWS, len(pairs)), replace=False)
    distances = np.partition(pairs.distances(np.sort(chosen)), parameters.min_samples - 1, axis=1)
    tenth, half = np.quantile(distances[:, parameters.min_samples - 1], [0.1, 0.5])
    outcome = "no cluster found, all documents are noise" if too_small else "nearly all documents are in one cluster"
    return (
        f"{outcome}: {'raise' if too_small else 'lower'} eps; a tenth of the documents have {parameters.min_samples} "
        f"within {tenth:.3g}, half of them within {half:.3g}"
    )
