"""The worker's clusterings beside plain scikit-learn, in one run: ``python -m bench.cluster [CASE ...]``.

Each side runs in a process of its own, on the same vectors, so that peak memory is its own. Only ratios hold:
absolute times depend on the machine and on what else it does.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.outcome import Goal, Row, finish

DIMENSIONS = 384
TOPICS = 300
MIN_CLUSTER_SIZE = 15
SEED = 0
MILLION = 1_000_000
_SOURCES = Path(__file__).parents[1] / "operator"
Vectors = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def documents(count: int, first: int = 0) -> tuple[Vectors, Labels]:
    """Unit vectors in overlapping groups of unequal size, as text embeddings are, and their groups."""
    generator = np.random.default_rng(SEED)
    directions = generator.normal(size=(TOPICS, DIMENSIONS)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    weights = generator.dirichlet(np.full(TOPICS, 2.0))
    generator = np.random.default_rng((SEED, first))
    topics = generator.choice(TOPICS, count, p=weights)
    vectors = generator.standard_normal((count, DIMENSIONS), np.float32)
    vectors *= 0.06
    vectors += directions[topics]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, topics


def inertia(vectors: Vectors, centroids: Vectors) -> float:
    """Sum of squared distances to the nearest centroid."""
    import faiss

    index = faiss.IndexFlatL2(vectors.shape[1])
    index.add(np.ascontiguousarray(centroids, np.float32))
    return float(index.search(vectors, 1)[0].sum(dtype=np.float64))


def agreement(topics: Labels, labels: npt.NDArray[Any]) -> float:
    """Adjusted mutual information of clusters and planted groups."""
    from sklearn.metrics import adjusted_mutual_info_score

    return float(adjusted_mutual_info_score(topics, labels))


def ours_kmeans(count: int, clusters: int) -> Row:
    """The worker's k-means."""
    from clusterworker.clustering.algorithms.kmeans import train

    vectors, _ = documents(count)
    train(vectors[:2_000], 10, 2, "euclidean", SEED)  # loads what is loaded on first use
    return timed(lambda: train(vectors, clusters, 300, "euclidean", SEED), lambda found: inertia(vectors, found))


def theirs_kmeans(count: int, clusters: int) -> Row:
    """scikit-learn's default: k-means++ on all vectors, one start, Lloyd."""
    from sklearn.cluster import KMeans

    vectors, _ = documents(count)
    KMeans(10, max_iter=2, random_state=SEED).fit(vectors[:2_000])
    model = KMeans(clusters, random_state=SEED)
    return timed(lambda: model.fit(vectors).cluster_centers_, lambda found: inertia(vectors, found))


def ours_hdbscan(count: int, _: int) -> Row:
    """The worker's HDBSCAN on the vectors as they are, after a first call that compiles."""
    from clustercontract.algorithms import HDBSCAN
    from clusterworker.clustering.algorithms.density import find_clusters

    vectors, topics = documents(count)
    parameters = HDBSCAN(min_cluster_size=MIN_CLUSTER_SIZE)
    find_clusters(vectors[:2_500], parameters, SEED)
    return timed(lambda: find_clusters(vectors, parameters, SEED), lambda labels: agreement(topics, labels))


def reduced_hdbscan(count: int, _: int) -> Row:
    """The worker's HDBSCAN as it is by default: after EVōC's node embedding."""
    from clustercontract.algorithms import HDBSCAN
    from clusterworker.clustering.algorithms.density import find_clusters
    from clusterworker.clustering.algorithms.node_embedding import embed

    vectors, topics = documents(count)
    parameters = HDBSCAN(min_cluster_size=MIN_CLUSTER_SIZE)
    find_clusters(embed(vectors[:2_500], 5, "cosine", SEED), parameters, SEED)
    return timed(
        lambda: find_clusters(embed(vectors, 5, "cosine", SEED), parameters, SEED),
        lambda labels: agreement(topics, labels),
    )


def umap_hdbscan(count: int, _: int) -> Row:
    """UMAP and HDBSCAN, as BERTopic does and the worker with `reduce: umap`."""
    from clustercontract.algorithms import HDBSCAN
    from clusterworker.clustering.algorithms.density import find_clusters
    from clusterworker.clustering.algorithms.embedding import embed

    vectors, topics = documents(count)
    parameters = HDBSCAN(min_cluster_size=MIN_CLUSTER_SIZE)
    find_clusters(embed(vectors[:2_500], 5, "cosine", SEED, epochs=10), parameters, SEED)
    return timed(
        lambda: find_clusters(embed(vectors, 5, "cosine", SEED), parameters, SEED),
        lambda labels: agreement(topics, labels),
    )


def theirs_hdbscan(count: int, _: int) -> Row:
    """scikit-learn's on the vectors as they are, by comparing all pairs: its trees take longer in 384 dimensions."""
    from sklearn.cluster import HDBSCAN
    from threadpoolctl import threadpool_limits

    vectors, topics = documents(count)
    model = HDBSCAN(min_cluster_size=MIN_CLUSTER_SIZE, algorithm="brute", copy=True)
    with threadpool_limits(
        1, user_api="blas"
    ):  # with two threads OpenBLAS 0.3.31 crashes on a matrix of 20,000 squared
        return timed(lambda: model.fit(vectors).labels_, lambda labels: agreement(topics, labels))


def timed(work: Callable[[], Any], judge: Callable[[Any], float]) -> Row:
    """Seconds and CPU seconds of the work alone, the process's peak memory, and the quality of what came out."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    seconds, busy = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "CPU s": busy, "peak MiB": peak, "quality": judge(found)}


def apart(work: Callable[[int, int], Row], count: int, parameter: int) -> Row:
    """Run one side in a fresh process.

    Raises:
        BrokenProcessPool: it was killed, in all likelihood for want of memory.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, count, parameter).result()


def kmeans(clusters: int, least: float) -> tuple[list[Row], list[Goal]]:
    """k-means of 100,000 vectors."""
    name = f"kmeans 100k x {DIMENSIONS}, k={clusters}"
    ours, theirs = (apart(side, 100_000, clusters) for side in (ours_kmeans, theirs_kmeans))
    goals = [
        Goal(f"{name}: times faster", theirs["seconds"] / ours["seconds"], least, at_least=True, unit="times"),
        Goal(f"{name}: inertia", ours["quality"] / theirs["quality"], 1.01, at_least=False, unit="of scikit-learn's"),
    ]
    return compared(name, {"worker": ours, "scikit-learn": theirs}, "inertia"), goals


def hdbscan() -> tuple[list[Row], list[Goal]]:
    """HDBSCAN of 20,000 vectors as it is by default, by UMAP and raw; warm, and in the cold process of a container."""
    name = f"hdbscan 20k x {DIMENSIONS}"
    count = 20_000
    reduced, mapped, ours, theirs = (
        apart(side, count, 0) for side in (reduced_hdbscan, umap_hdbscan, ours_hdbscan, theirs_hdbscan)
    )
    sides = {
        "worker": reduced,
        "worker, reduce: umap": mapped,
        "worker, reduce: none": ours,
        "scikit-learn, raw, brute": theirs,
    }
    rows = compared(name, sides | cold(count), "AMI")
    memory = ours["peak MiB"] / theirs["peak MiB"]
    faster = mapped["CPU s"] / reduced["CPU s"]
    goals = [
        Goal(f"{name}: times less CPU time than by UMAP", faster, 3, at_least=True, unit="times"),
        Goal(f"{name}: AMI less that by UMAP", reduced["quality"] - mapped["quality"], -0.01, at_least=True, unit=""),
        Goal(f"{name}: raw, times faster", theirs["seconds"] / ours["seconds"], 5, at_least=True, unit="times"),
        Goal(f"{name}: raw, memory", memory, 0.1, at_least=False, unit="of scikit-learn's"),
    ]
    return rows, goals


def cold(count: int) -> dict[str, Row]:
    """The same in processes that start cold, with nothing but the JIT cache that an image holds."""
    with tempfile.TemporaryDirectory(prefix="bench-cluster-") as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache, "NUMBA_CPU_NAME": "generic", "PYTHONPATH": str(_SOURCES)}
        subprocess.run(
            [sys.executable, "-m", "clusterworker.process.warm"], env=environment, check=True, capture_output=True
        )
        return {
            "worker, cold process": _cold_side("reduced", count, environment),
            "worker, reduce: none, cold process": _cold_side("raw", count, environment),
        }


def _cold_side(side: str, count: int, environment: dict[str, str]) -> Row:
    command = [sys.executable, "-m", "bench.cluster", "--cold", side, str(count)]
    root = str(_SOURCES.parent)
    done = subprocess.run(command, env=environment, cwd=root, check=True, stdout=subprocess.PIPE, text=True)
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


def cold_side(side: str, count: int) -> None:
    """What a cold process does: load the libraries, cluster once; vectors are made before the clock starts."""
    vectors, topics = documents(count)

    def work() -> Any:
        from clustercontract.algorithms import HDBSCAN
        from clusterworker.clustering.algorithms.density import find_clusters
        from clusterworker.clustering.algorithms.node_embedding import embed

        space = embed(vectors, 5, "cosine", SEED) if side == "reduced" else vectors
        return find_clusters(space, HDBSCAN(min_cluster_size=MIN_CLUSTER_SIZE), SEED)

    print(json.dumps(timed(work, lambda labels: agreement(topics, labels))))


def by_evoc(vectors: Vectors, seed: int) -> npt.NDArray[Any]:
    """The worker as it is by default."""
    from clustercontract.algorithms import HDBSCAN
    from clusterworker.clustering.algorithms.density import find_clusters
    from clusterworker.clustering.algorithms.node_embedding import embed

    return find_clusters(embed(vectors, 5, "cosine", seed), HDBSCAN(min_cluster_size=MIN_CLUSTER_SIZE), seed)


def by_umap(vectors: Vectors, seed: int) -> npt.NDArray[Any]:
    """The worker with `reduce: umap`."""
    from clustercontract.algorithms import HDBSCAN
    from clusterworker.clustering.algorithms.density import find_clusters
    from clusterworker.clustering.algorithms.embedding import embed

    return find_clusters(embed(vectors, 5, "cosine", seed), HDBSCAN(min_cluster_size=MIN_CLUSTER_SIZE), seed)


def by_layers(vectors: Vectors, seed: int) -> npt.NDArray[Any]:
    """The worker with `algorithm: evoc`: the most persistent layer."""
    from clusterworker.clustering.algorithms.density import spanning_tree
    from clusterworker.clustering.algorithms.distinct import distinct
    from clusterworker.clustering.algorithms.layers import layers_of
    from clusterworker.clustering.algorithms.node_embedding import embed

    found = layers_of(spanning_tree(distinct(embed(vectors, 4, "cosine", seed)), 5, seed), 5, most=10, alike=0.2)
    return found.layers[found.most_persistent].labels


SIDES: dict[str, Callable[[Vectors, int], npt.NDArray[Any]]] = {
    "worker": by_evoc,
    "worker, reduce: umap": by_umap,
    "worker, algorithm: evoc": by_layers,
}


def real(file: Path, seeds: int) -> list[Row]:
    """Clusters of real embeddings beside the labels that people gave: columns `embedding` and `section`."""
    import pyarrow.parquet as pq
    from sklearn.metrics import adjusted_mutual_info_score

    table = pq.read_table(file, columns=["section", "embedding"])
    vectors = table["embedding"].combine_chunks().flatten().to_numpy().reshape(len(table), -1).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    sections = np.array(table["section"].to_pylist())
    rows: list[Row] = []
    for name, side in SIDES.items():
        side(vectors[:2_500], 0)  # loads what is loaded on first use
        measured = []
        for seed in range(seeds):
            wall, cpu = time.perf_counter(), time.process_time()
            labels = side(vectors, seed)
            seconds, busy = time.perf_counter() - wall, time.process_time() - cpu
            inside = labels >= 0
            whole, clear = (
                adjusted_mutual_info_score(sections[part], labels[part])
                for part in (np.full(len(labels), True), inside)
            )
            measured.append((seconds, busy, whole, clear))
        seconds, busy, whole, clear = np.mean(measured, axis=0).tolist()
        rows.append(
            {"case": f"{file.stem} {len(vectors)} x {vectors.shape[1]}", "side": name, "seconds": seconds,
             "CPU s": busy, "quality": whole, "without noise": clear, "measure": f"AMI, mean of {seeds} seeds"}
        )  # fmt: skip
    return rows


def million() -> tuple[list[Row], list[Goal]]:
    """A whole run of the worker over a million vectors: Parquet in, results out."""
    name = f"run of kmeans 1M x {DIMENSIONS}, k=100"
    with tempfile.TemporaryDirectory(prefix="bench-cluster-") as directory:
        root = Path(directory)
        write_collection(root / "collection", MILLION)
        (root / "scratch").mkdir()
        mount = str(root / "collection")
        spec = {
            "namespace": "bench", "trigger": "million", "run": "million-1", "slot": "manual/bench", "seed": SEED,
            "collections": [{"collection_id": "million", "source": {"uri": "."}, "mount_path": mount}],
            "config": {"algorithm": "kmeans", "n_clusters": 100},
            "results": {"uri": str(root / "results")},
        }  # fmt: skip
        (root / "spec.json").write_text(json.dumps(spec))
        command = [sys.executable, "-m", "clusterworker", "run", "--spec", str(root / "spec.json")]
        command += ["--result", str(root / "result.json"), "--scratch", str(root / "scratch")]
        begin = time.perf_counter()
        subprocess.run(command, env=os.environ | {"PYTHONPATH": str(_SOURCES)}, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - begin
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = json.loads((root / "result.json").read_text())
    peak = usage.ru_maxrss / 1024
    row = {"case": name, "side": "worker", "seconds": seconds, "peak MiB": peak, "measure": "silhouette"}
    row |= {"quality": result["metrics"]["silhouette_score"]}
    return [row], [Goal(f"{name}: peak memory", peak, 2_048, at_least=False, unit="MiB")]


def write_collection(directory: Path, count: int, batch: int = 50_000) -> None:
    """Write Parquet files batch by batch, so that this process's own memory stays small."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    directory.mkdir()
    for first in range(0, count, batch):
        vectors, _ = documents(batch, first + 1)
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSIONS)
        table = pa.table({"document_id": [f"doc-{first + row}" for row in range(batch)], "embedding": column})
        pq.write_table(table, directory / f"part-{first // batch:03}.parquet")


def compared(case: str, sides: dict[str, Row], measure: str) -> list[Row]:
    """The table's rows, each with how many times faster it is than the last of the sides that is scikit-learn's."""
    reference = next(row for name, row in sides.items() if name.startswith("scikit-learn"))
    return [
        {"case": case, "side": name, **row, "measure": measure, "times faster": reference["seconds"] / row["seconds"]}
        for name, row in sides.items()
    ]


CASES: dict[str, Callable[[], tuple[list[Row], list[Goal]]]] = {
    "million": million,  # first: the memory of all children before it would count
    "kmeans-100": lambda: kmeans(100, 5),
    "kmeans-1000": lambda: kmeans(1_000, 3),
    "hdbscan": hdbscan,
}


def main() -> int:
    """Compare, print, and write out/cluster.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; default: all")
    parser.add_argument("--cold", nargs=2, metavar=("SIDE", "COUNT"), help=argparse.SUPPRESS)
    parser.add_argument("--real", type=Path, metavar="FILE", help="instead: Parquet with columns embedding and section")
    parser.add_argument("--seeds", type=int, default=5, help="with --real")
    options = parser.parse_args()
    if options.real:
        return finish("cluster-real", real(options.real, options.seeds), [])
    if options.cold:
        cold_side(options.cold[0], int(options.cold[1]))
        return 0
    if unknown := set(options.cases) - CASES.keys():
        parser.error(f"no case {', '.join(sorted(unknown))}: choose from {', '.join(CASES)}")
    rows: list[Row] = []
    goals: list[Goal] = []
    for name, case in CASES.items():
        if not options.cases or name in options.cases:
            print(f"cluster: {name}", flush=True)
            found, held_to = case()
            rows += found
            goals += held_to
    return finish("cluster", rows, goals)


if __name__ == "__main__":
    sys.exit(main())
