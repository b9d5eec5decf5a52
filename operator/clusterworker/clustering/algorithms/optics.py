"""OPTICS (Ankerst, Breunig, Kriegel and Sander 1999), on a sample where the documents are too many for all pairs.

scikit-learn's walk computes the distances of each step separately in Python, over a minute for 3,000 text embeddings;
here they come from one matrix product, and scikit-learn extracts the clusters.

A sample rather than micro-clusters, because a sample thins all regions alike, while k-means makes them more even: with
600 micro-clusters or bubbles for 6,000 planted documents a tenth or more were lost to noise.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from clustercontract.algorithms import OPTICS
from clusterworker.clustering.algorithms.clustering import Clustering, is_nearly_one
from clusterworker.clustering.algorithms.core_distance import as_digits, core_distances, reaches, rounded_up
from clusterworker.clustering.algorithms.distinct import distinct
from clusterworker.clustering.algorithms.limits import pair_limit
from clusterworker.clustering.algorithms.pairs import Pairs
from clusterworker.clustering.algorithms.reduction import Space, reduced_by, reduced_space, reduction_need
from clusterworker.clustering.algorithms.sample import (
    JOINED_OR_NOISE,
    Least,
    all_or_sample,
    at_places,
    nearest_sampled,
    of_sample,
    thinned,
)
from clusterworker.clustering.algorithms.task import SampleTask, Task
from clusterworker.data.arrays import NOISE, Doubles, Labels, Rows, Vectors

MOST_DOCUMENTS = 20_000
"""Number of documents above which a sample is always used, because time and memory grow with the square."""
BYTES_PER_PAIR = 4
BLOCK_BYTES = 64 << 20
ADVICE_ROWS = 500
SHARES = (2, 5, 10)
"""By what xi and min_samples are divided to try advice."""
TRIED_ROWS = 5_000
"""Maximum number of documents for which advice is tried; each attempt takes as long as the clustering did."""


@dataclass(frozen=True)
class Walk:
    """Documents in the order of a walk through dense regions first.

    Attributes:
        ordering: Document at each step, shape (rows,).
        reachability: Reachability of each document from those before it, shape (rows,); infinite if none reaches it.
        predecessor: Document from which each was reached, -1 if there is none, shape (rows,).
    """

    ordering: Rows
    reachability: Doubles
    predecessor: Rows


def optics(task: Task, parameters: OPTICS) -> Clustering:
    """Clusters where density falls steeply at the border; documents in no such region are noise.

    Raises:
        MisconfiguredError: min_samples or min_cluster_size is more than there are documents.
    """
    task.refuse_above_documents("min_samples", parameters.min_samples)
    task.refuse_above_documents("min_cluster_size", parameters.min_cluster_size)

    def cluster(part: Task, size: int) -> Clustering:
        return _cluster(part, parameters.model_copy(update={"min_cluster_size": size}))

    return all_or_sample(
        task,
        reduction_need(parameters, task.dataset.dimensions),
        Least("min_cluster_size", parameters.min_cluster_size or parameters.min_samples),
        cluster,
        distance="max_eps" if parameters.max_eps is not None else None,
    )


def optics_of_sample(task: SampleTask, parameters: OPTICS) -> Clustering:
    """Clusters a sample; the others join the cluster of their nearest sampled neighbour, or are noise.

    Raises:
        MisconfiguredError: see `optics` and `of_sample`.
    """
    task.refuse_above_documents("min_samples", parameters.min_samples)
    task.refuse_above_documents("min_cluster_size", parameters.min_cluster_size)
    dimensions = task.documents.dimensions
    reduced = reduced_by(parameters, dimensions) is not None
    return of_sample(
        task,
        reduction_need(parameters, dimensions),
        Least("min_cluster_size", parameters.min_cluster_size or parameters.min_samples),
        lambda part, size: _cluster(part, parameters.model_copy(update={"min_cluster_size": size})),
        distance="max_eps" if reduced and parameters.max_eps is not None else None,
        most=pair_limit(task.memory, BYTES_PER_PAIR, MOST_DOCUMENTS),
    )


def _cluster(task: Task, parameters: OPTICS) -> Clustering:
    space = reduced_space(task, parameters)
    notes = list(space.notes)
    rows = len(space.vectors)
    limit = pair_limit(task.memory, BYTES_PER_PAIR, MOST_DOCUMENTS)
    if rows <= limit:
        labels = find_clusters(space.vectors, parameters, space.metric)
    else:
        chosen = space.drawn(task, limit)
        notes.append(
            f"{rows} documents are more than the limit of {limit} for comparing all pairs: "
            f"clustered a sample of {limit} of them; {JOINED_OR_NOISE}"
        )
        sample = np.ascontiguousarray(space.vectors[chosen])
        found = find_clusters(sample, parameters, space.metric, share=limit / rows)
        labels = at_places(found, nearest_sampled(space.vectors, chosen, task.seed).joining(found))
    if not (labels != NOISE).any():
        notes.append(_advice(space, parameters, task.seed, 1))
    elif is_nearly_one(labels) and len(labels) > 1:
        notes.append(_advice(space, parameters, task.seed, 2))
    return space.labelled(task, labels, notes)


def _advice(space: Space, parameters: OPTICS, seed: int, wanted: int) -> str:
    """Returns advice, which has been tried if there are few enough documents.

    Args:
        space: Vectors in which clusters were searched.
        parameters: Parameters of the clustering.
        seed: Seed of the sample whose distances are measured.
        wanted: Least number of clusters that the advice leads to: 1 after only noise, 2 after a single cluster.
    """
    outcome = "no cluster found, all documents are noise" if wanted == 1 else "nearly all documents are in one cluster"
    raised: list[float] = []
    advice = "lower xi, min_samples or min_cluster_size"
    if parameters.max_eps is not None and wanted == 1:
        points = distinct(space.vectors)
        chosen = np.random.default_rng(seed).choice(len(points), min(ADVICE_ROWS, len(points)), replace=False)
        chosen.sort()
        distances = Pairs(points.vectors, space.metric).distances(chosen)
        cores = core_distances(distances, parameters.min_samples, points.counts)
        half, most = reaches(cores, points.counts[chosen], (0.5, 0.9))
        raised = [reach for reach in (half, most) if reach > parameters.max_eps]
        if half > parameters.max_eps:
            advice = f"raise max_eps; half of the documents have {parameters.min_samples} within {as_digits(half)}"
    if len(space.vectors) > TRIED_ROWS:
        return f"{outcome}: {advice}"
    for fields in _attempts(parameters, raised):
        found = find_clusters(space.vectors, parameters.model_copy(update=fields), space.metric)
        clusters = len(np.unique(found[found != NOISE]))
        if clusters >= wanted and not (wanted == 2 and is_nearly_one(found)):
            return f"{outcome}: set {_named(fields)}, which finds {clusters}"
    return (
        f"{outcome}: no region is denser than others around it, also with a lower xi, min_samples or "
        "min_cluster_size: use algorithm: kmeans to divide them"
    )


def _attempts(parameters: OPTICS, raised: list[float]) -> Iterator[dict[str, float]]:
    """Yields changes of the parameters to try: a greater max_eps, and then also a lower xi, or smaller sizes."""
    yield from ({"max_eps": reach} for reach in raised)
    reach: dict[str, float] = {"max_eps": raised[-1]} if raised else {}
    for share in SHARES:
        yield reach | {"xi": rounded_up(parameters.xi / share)}
    sizes: dict[str, int | None] = {"min_samples": parameters.min_samples}
    if parameters.min_cluster_size != parameters.min_samples:  # Its default is min_samples.
        sizes["min_cluster_size"] = parameters.min_cluster_size
    for field, size in sizes.items():
        for lower in dict.fromkeys(max((size or 0) // share, 2) for share in SHARES):
            if size and lower < size:
                both = field == "min_samples" and parameters.min_cluster_size == size
                yield reach | dict.fromkeys([field, *(["min_cluster_size"] if both else [])], lower)


def _named(fields: dict[str, float]) -> str:
    """Returns the fields with their values; those of one value together."""
    values = {
        as_digits(value): " and ".join(name for name in fields if fields[name] == value) for value in fields.values()
    }
    return " and ".join(f"{names}: {value}" for value, names in values.items())


def find_clusters(vectors: Vectors, parameters: OPTICS, metric: str, share: float = 1.0) -> Labels:
    """Returns a label per vector, shape (rows,).

    Args:
        vectors: shape (rows, dimensions); of unit length with metric cosine.
        parameters: min_samples, max_eps, xi, min_cluster_size.
        metric: cosine or euclidean.
        share: of all documents that the vectors are a sample of: the least size of a cluster shrinks with it.
    """
    points = distinct(vectors)
    distances = all_pairs(points.vectors, metric)
    most = np.inf if parameters.max_eps is None else parameters.max_eps
    walk = order(distances, core_distances(distances, parameters.min_samples, points.counts), most, points.numbers)
    least = max(2, thinned(parameters.min_cluster_size or parameters.min_samples, share))
    return points.unite(extract(walk, parameters.min_samples, least, parameters.xi))


def all_pairs(vectors: Vectors, metric: str) -> Vectors:
    """Returns the distances of all pairs, symmetric, shape (rows, rows)."""
    pairs = Pairs(vectors, metric)
    distances = np.empty((len(pairs), len(pairs)), np.float32)
    size = pairs.block(BLOCK_BYTES)
    for first in range(0, len(pairs), size):
        rows = slice(first, first + size)
        distances[rows, first:] = pairs.distances(rows, slice(first, None))
        distances[first:, rows] = distances[rows, first:].T
    return distances


def order(distances: Vectors, cores: Vectors, max_eps: float, numbers: Rows | None = None) -> Walk:
    """Visits the document that is nearest to the visited ones in each step.

    It follows scikit-learn's `compute_optics_graph`.

    Args:
        distances: of all pairs of distinct vectors, shape (distinct, distinct).
        cores: core distances of these, shape (distinct,).
        max_eps: longest step.
        numbers: which distinct vector each document's is; default one each.
    """
    rows = len(distances) if numbers is None else len(numbers)
    copies = rows > len(distances)
    ordering = np.empty(rows, np.int64)
    reachability = np.full(rows, np.inf)
    predecessor = np.full(rows, -1, np.int64)
    unseen = np.finfo(
        np.float64
    ).max  # The value is less than infinity, so that argmin prefers it to visited documents.
    waiting = np.full(rows, unseen)
    for step in range(rows):
        document = int(waiting.argmin())
        point = document if numbers is None else numbers[document]
        ordering[step] = document
        waiting[document] = np.inf
        if cores[point] > max_eps:
            continue
        apart = distances[point][numbers] if copies else distances[point]
        through = np.maximum(apart, cores[point])
        nearer = (through < reachability) & (waiting < np.inf) & (apart <= max_eps)
        reachability[nearer] = waiting[nearer] = through[nearer]
        predecessor[nearer] = document
    return Walk(ordering, reachability, predecessor)


def extract(walk: Walk, min_samples: int, min_cluster_size: int, xi: float) -> Labels:
    """Returns a label per document, shape (rows,), from the steepness of the reachability plot."""
    from sklearn.cluster import cluster_optics_xi

    with np.errstate(all="ignore"):  # Reachabilities are divided by one another, including infinite ones and zeros.
        labels, _ = cluster_optics_xi(
            reachability=walk.reachability,
            predecessor=walk.predecessor,
            ordering=walk.ordering,
            min_samples=min_samples,
            min_cluster_size=min_cluster_size,
            xi=min(xi, math.nextafter(1, 0)),  # it divides by 1 - xi
        )
    return np.asarray(labels, np.int32)
