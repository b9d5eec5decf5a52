"""Compile once, while the image is built, what every Job would otherwise compile: ``python -m clusterworker.warm``.

It calls the libraries as the worker does, on data of the worker's types (float32, C-contiguous), small but past the
sizes at which the libraries change their method: UMAP computes distances exactly below 4,096 points and
approximately, by nearest-neighbour descent, from there on.
"""

import sys
import time
import warnings
from collections.abc import Callable

import fast_hdbscan
import numpy as np
import numpy.typing as npt
import pynndescent
import umap

from clusterworker import jit_cache

DIMENSIONS = 32
TOPICS = 20
UMAP_EXACT_LIMIT = 4096

Vectors = npt.NDArray[np.float32]


def unit_vectors(count: int, dimensions: int = DIMENSIONS) -> Vectors:
    """Return unit vectors in well separated groups, shape (count, dimensions): the same ones every time."""
    generator = np.random.default_rng(0)
    topics = generator.normal(size=(TOPICS, dimensions))
    vectors = topics[np.arange(count) % TOPICS] + 0.3 * generator.normal(size=(count, dimensions))
    return np.ascontiguousarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def _exact_neighbours(vectors: Vectors, count: int) -> tuple[npt.NDArray[np.int64], Vectors]:
    """Return each vector's nearest neighbours by cosine distance: indices and distances, both (n, count)."""
    distances = np.maximum(1 - vectors @ vectors.T, 0)
    np.fill_diagonal(distances, 0)
    indices = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return indices, np.take_along_axis(distances, indices, axis=1)


def _reduce(count: int, *, seed: int | None, neighbours_given: bool = False) -> Vectors:
    vectors = unit_vectors(count)
    knn = (*_exact_neighbours(vectors, 15), None) if neighbours_given else (None, None, None)
    reducer = umap.UMAP(
        n_components=5,
        n_neighbors=15,
        min_dist=0.0,
        metric="cosine",
        random_state=seed,
        n_epochs=11,
        precomputed_knn=knn,
    )
    reduced: Vectors = reducer.fit_transform(vectors)
    return reduced


def _cluster(vectors: Vectors, *, metric: str = "euclidean") -> None:
    for reproducible in (True, False):
        for selection in ("eom", "leaf"):
            fast_hdbscan.HDBSCAN(
                min_cluster_size=15, metric=metric, reproducible=reproducible, cluster_selection_method=selection
            ).fit(vectors)


def _descend(metric: str) -> None:
    pynndescent.NNDescent(unit_vectors(5000), n_neighbors=15, metric=metric, random_state=0).neighbor_graph  # noqa: B018


STEPS: dict[str, Callable[[], object]] = {
    "umap, neighbours given": lambda: _reduce(1000, seed=0, neighbours_given=True),
    "umap, exact neighbours": lambda: _reduce(400, seed=0),
    "umap, approximate neighbours": lambda: _reduce(UMAP_EXACT_LIMIT + 400, seed=0),
    "umap, without a seed": lambda: _reduce(UMAP_EXACT_LIMIT + 400, seed=None),
    "hdbscan, few dimensions": lambda: _cluster(unit_vectors(2000, dimensions=5)),
    "hdbscan, many dimensions": lambda: _cluster(unit_vectors(2000)),
    "hdbscan, cosine": lambda: _cluster(unit_vectors(2000), metric="cosine"),
    "nearest neighbours, cosine": lambda: _descend("cosine"),
    "nearest neighbours, euclidean": lambda: _descend("euclidean"),
}


def main() -> None:
    """Run every step and say how long it took: run a second time, each takes less than a second or two."""
    warnings.filterwarnings("ignore", module="umap|pynndescent|fast_hdbscan|sklearn")
    print(f"warm: caching {jit_cache.enable()} more functions", file=sys.stderr)  # noqa: T201 (a build step's progress)
    for name, step in STEPS.items():
        begin = time.perf_counter()
        step()
        print(f"warm: {name}: {time.perf_counter() - begin:.1f} s", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
