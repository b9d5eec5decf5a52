"""The worker's clusterings beside plain scikit-learn, in one run: ``python -m bench.cluster [--documents N]``.

Each side runs in a process of its own, on the same vectors, so that peak memory is its own. Only ratios hold:
absolute times depend on the machine and on what else it does.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

OUT = Path(__file__).with_name("out")
DIMENSIONS = 384
SEED = 0
Vectors = npt.NDArray[np.float32]
Row = dict[str, Any]


def vectors_of(documents: int, topics: int = 300) -> Vectors:
    """Unit vectors in overlapping groups of unequal size, as text embeddings are."""
    generator = np.random.default_rng(SEED)
    directions = generator.normal(size=(topics, DIMENSIONS)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    weights = generator.dirichlet(np.full(topics, 2.0))
    vectors = directions[generator.choice(topics, documents, p=weights)]
    vectors = vectors + generator.normal(scale=0.06, size=vectors.shape).astype(np.float32)
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def inertia(vectors: Vectors, centroids: Vectors) -> float:
    """Sum of squared distances to the nearest centroid."""
    import faiss

    index = faiss.IndexFlatL2(vectors.shape[1])
    index.add(np.ascontiguousarray(centroids, np.float32))
    return float(index.search(vectors, 1)[0].sum(dtype=np.float64))


def ours_kmeans(documents: int, clusters: int) -> Row:
    """The worker's k-means."""
    from clusterworker.algorithms.kmeans import train

    vectors = vectors_of(documents)
    return timed(lambda: train(vectors, clusters, 300, "euclidean", SEED), lambda found: inertia(vectors, found))


def theirs_kmeans(documents: int, clusters: int) -> Row:
    """scikit-learn's default: k-means++ on all vectors, one start, Lloyd."""
    from sklearn.cluster import KMeans

    vectors = vectors_of(documents)
    model = KMeans(clusters, random_state=SEED)
    return timed(lambda: model.fit(vectors).cluster_centers_, lambda found: inertia(vectors, found))


def ours_hdbscan(documents: int, min_cluster_size: int) -> Row:
    """The worker's HDBSCAN on reduced vectors."""
    from clustertrigger.api.run import HDBSCAN
    from clusterworker.algorithms.density import find_clusters
    from clusterworker.algorithms.embedding import embed

    vectors = vectors_of(documents)
    parameters = HDBSCAN(min_cluster_size=min_cluster_size)
    return timed(
        lambda: find_clusters(embed(vectors, 5, "cosine", SEED), parameters), lambda labels: float(labels.max() + 1)
    )


def theirs_hdbscan(documents: int, min_cluster_size: int) -> Row:
    """scikit-learn's, on the vectors as they are."""
    from sklearn.cluster import HDBSCAN

    vectors = vectors_of(documents)
    model = HDBSCAN(min_cluster_size=min_cluster_size, copy=True)
    return timed(lambda: model.fit(vectors).labels_, lambda labels: float(labels.max() + 1))


def timed(work: Callable[[], Any], judge: Callable[[Any], float]) -> Row:
    """Seconds and CPU seconds of the work alone, its quality, and the process's peak memory."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    seconds, busy = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "cpu_seconds": busy, "peak_mib": peak, "quality": judge(found)}


CASES: dict[str, tuple[Callable[[int, int], Row], Callable[[int, int], Row], str]] = {
    "kmeans": (ours_kmeans, theirs_kmeans, "inertia"),
    "hdbscan": (ours_hdbscan, theirs_hdbscan, "clusters"),
}


def compare(name: str, documents: int, parameter: int) -> Row:
    """Run both sides one after the other, each in a fresh process."""
    ours, theirs, quality = CASES[name]
    rows = []
    for side in (ours, theirs):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows.append(pool.apply(side, (documents, parameter)))
    case = f"{name} {documents}x{DIMENSIONS}, {'k' if name == 'kmeans' else 'min_cluster_size'} = {parameter}"
    return {"case": case, "ours": rows[0], "scikit-learn": rows[1], "quality": quality}


def tell(row: Row) -> None:
    """Print one comparison."""
    ours, theirs = row["ours"], row["scikit-learn"]
    print(row["case"])
    print(f"  {'':14}{'seconds':>9}{'CPU s':>9}{'peak MiB':>10}{row['quality']:>12}")
    for side in ("ours", "scikit-learn"):
        found = row[side]
        times = f"{found['seconds']:9.2f}{found['cpu_seconds']:9.2f}"
        print(f"  {side:14}{times}{found['peak_mib']:10.0f}{found['quality']:12.1f}")
    print(f"  {'ratio':14}{theirs['seconds'] / ours['seconds']:9.1f}{theirs['cpu_seconds'] / ours['cpu_seconds']:9.1f}")


def main() -> None:
    """Compare, print, and write out/cluster.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000, help="of the k-means comparison")
    parser.add_argument("--clusters", type=int, default=100, help="of the k-means comparison")
    parser.add_argument("--hdbscan-documents", type=int, default=3_000)
    options = parser.parse_args()
    rows = [compare("kmeans", options.documents, options.clusters), compare("hdbscan", options.hdbscan_documents, 15)]
    for row in rows:
        tell(row)
    OUT.mkdir(exist_ok=True)
    (OUT / "cluster.json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
