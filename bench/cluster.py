"""Compares the worker's clusterings with plain scikit-learn, in one run: ``python -m bench.cluster [CASE ...]``.

Each side runs in a separate process, on the same vectors, so that its peak memory is measured separately. Only ratios
are meaningful: absolute times depend on the machine and its load.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.outcome import OUT, Goal, Row, finish

DIMENSIONS = 384
TOPICS = 300
MIN_CLUSTER_SIZE = 15
SEED = 0
MILLION = 1_000_000
_SOURCES = Path(__file__).parents[1] / "operator"
Vectors = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Found = npt.NDArray[Any]
"""Label per vector; -1 is noise."""
SIZES = (10_000, 20_000, 100_000, MILLION)
GOALS_FROM = 100_000
"""Number of planted documents; with fewer, the fixed costs of a run blur the comparison."""
RAW_GOALS_FROM = 20_000
"""Number of documents below which the libraries, rather than the distances, determine the memory."""


def documents(count: int, first: int = 0) -> tuple[Vectors, Labels]:
    """Returns unit vectors in overlapping groups of unequal size, as text embeddings are, and their groups."""
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
    """Returns the sum of squared distances to the nearest centroid."""
    import faiss

    index = faiss.IndexFlatL2(vectors.shape[1])
    index.add(np.ascontiguousarray(centroids, np.float32))
    return float(index.search(vectors, 1)[0].sum(dtype=np.float64))


def worker_kmeans(count: int, clusters: int) -> Row:
    """Runs the worker's k-means."""
    from clusterworker.clustering.algorithms.kmeans import train

    vectors, _ = documents(count)
    train(vectors[:2_000], 10, 2, "euclidean", SEED)  # loads what is loaded on first use
    return timed(lambda: train(vectors, clusters, 300, "euclidean", SEED), lambda found: inertia(vectors, found))


def sklearn_kmeans(count: int, clusters: int) -> Row:
    """Runs scikit-learn's default: k-means++ on all vectors, one start, Lloyd."""
    from sklearn.cluster import KMeans

    vectors, _ = documents(count)
    KMeans(10, max_iter=2, random_state=SEED).fit(vectors[:2_000])
    model = KMeans(clusters, random_state=SEED)
    return timed(lambda: model.fit(vectors).cluster_centers_, lambda found: inertia(vectors, found))


def timed(work: Callable[[], Any], judge: Callable[[Any], float]) -> Row:
    """Seconds and CPU seconds of the work alone, the process's peak memory, and the quality of the result."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    seconds, busy = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "CPU s": busy, "peak MiB": peak, "quality": judge(found)}


def apart(work: Callable[..., Row], *arguments: object) -> Row:
    """Runs one side in a new process.

    Raises:
        BrokenProcessPool: it was killed, in all likelihood because memory ran out.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def kmeans(clusters: int, least: float) -> tuple[list[Row], list[Goal]]:
    """Measures k-means of 100,000 vectors."""
    name = f"kmeans 100k x {DIMENSIONS}, k={clusters}"
    worker, sklearn = (apart(side, 100_000, clusters) for side in (worker_kmeans, sklearn_kmeans))
    goals = [
        Goal(f"{name}: times faster", sklearn["seconds"] / worker["seconds"], least, at_least=True, unit="times"),
        Goal(
            f"{name}: inertia", worker["quality"] / sklearn["quality"], 1.01, at_least=False, unit="of scikit-learn's"
        ),
    ]
    return compared(name, {"worker": worker, "scikit-learn": sklearn}, "inertia"), goals


def by_evoc(vectors: Vectors, seed: int) -> Found:
    """Runs the worker with its defaults: EVōC's node embedding and HDBSCAN."""
    from clusterworker.clustering.algorithms.node_embedding import embed

    return by_raw(embed(vectors, 5, "cosine", seed), seed)


def by_umap(vectors: Vectors, seed: int) -> Found:
    """Runs the worker with `reduce: umap`, the former default."""
    from clusterworker.clustering.algorithms.embedding import embed

    return by_raw(embed(vectors, 5, "cosine", seed), seed)


def by_raw(vectors: Vectors, seed: int) -> Found:
    """Runs the worker with `reduce: none`."""
    from clustercontract.algorithms import HDBSCAN
    from clusterworker.clustering.algorithms.density import find_clusters

    return find_clusters(vectors, HDBSCAN(min_cluster_size=MIN_CLUSTER_SIZE), seed)


def by_layers(vectors: Vectors, seed: int) -> Found:
    """Runs the worker with `algorithm: evoc`, and returns the most persistent layer."""
    from clusterworker.clustering.algorithms.density import spanning_tree
    from clusterworker.clustering.algorithms.distinct import distinct
    from clusterworker.clustering.algorithms.layers import layers_of
    from clusterworker.clustering.algorithms.node_embedding import embed

    found = layers_of(spanning_tree(distinct(embed(vectors, 4, "cosine", seed)), 5, seed), 5, most=10, alike=0.2)
    return found.layers[found.most_persistent].labels


def by_bertopic(vectors: Vectors, seed: int) -> Found:
    """Runs UMAP and hdbscan with BERTopic's arguments, except min_cluster_size and the seed."""
    import hdbscan
    import umap

    mapped = umap.UMAP(
        n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", low_memory=False, random_state=seed, n_jobs=1
    ).fit_transform(vectors)
    model = hdbscan.HDBSCAN(
        min_cluster_size=MIN_CLUSTER_SIZE, metric="euclidean", cluster_selection_method="eom", prediction_data=True
    )
    return np.asarray(model.fit(mapped).labels_)


def by_sklearn(vectors: Vectors, _: int) -> Found:
    """Runs scikit-learn's HDBSCAN on the original vectors.

    It compares all pairs, because its trees take longer in 384 dimensions.
    """
    from sklearn.cluster import HDBSCAN
    from threadpoolctl import threadpool_limits

    # With two threads, OpenBLAS 0.3.31 crashes on a matrix of 20,000 squared.
    with threadpool_limits(1, user_api="blas"):
        return np.asarray(HDBSCAN(min_cluster_size=MIN_CLUSTER_SIZE, algorithm="brute", copy=True).fit(vectors).labels_)


@dataclass(frozen=True)
class Side:
    """A way to find clusters by density.

    Attributes:
        find: Returns labels of vectors, with a seed.
        most: Number of documents above which it takes too long, or too much memory.
    """

    find: Callable[[Vectors, int], Found]
    most: int


WORKER, UNTIL_NOW, BERTOPIC, RAW, SKLEARN = (
    "worker",
    "worker, reduce: umap",
    "BERTopic's way",
    "worker, reduce: none",
    "scikit-learn, raw, brute",
)
SIDES = {
    WORKER: Side(by_evoc, MILLION),
    "worker, algorithm: evoc": Side(by_layers, MILLION),
    UNTIL_NOW: Side(by_umap, 100_000),
    BERTOPIC: Side(by_bertopic, 100_000),
    RAW: Side(by_raw, 100_000),
    SKLEARN: Side(by_sklearn, 20_000),
}
"""All sides, the defaults first."""


def measured(side: str, source: Path | int, seeds: int) -> Row:
    """Measures one side in this process.

    Args:
        side: One of SIDES.
        source: Parquet with the columns embedding and section, or the number of vectors to plant.
        seeds: Number of repetitions with different seeds; figures are means.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    vectors, topics = labelled(source) if isinstance(source, Path) else documents(source)
    find = SIDES[side].find
    find(vectors[:5_000], 0)  # This loads and compiles what is needed later.
    figures = []
    for seed in range(seeds):
        wall, cpu = time.perf_counter(), time.process_time()
        labels = find(vectors, seed)
        seconds, busy = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        inside = labels >= 0
        whole, clear = (
            adjusted_mutual_info_score(topics[part], labels[part]) for part in (np.full(len(labels), True), inside)
        )
        figures.append((seconds, busy, peak, whole, clear, len(np.unique(labels[inside])), 1 - inside.mean()))
    names = ("seconds", "CPU s", "peak MiB", "AMI", "AMI without noise", "clusters", "noise")
    return dict(zip(names, np.mean(figures, axis=0).tolist(), strict=True))


def labelled(file: Path) -> tuple[Vectors, Labels]:
    """Returns embeddings and their manual labels from a Parquet file."""
    import pyarrow.parquet as pq

    table = pq.read_table(file, columns=["section", "embedding"])
    vectors = table["embedding"].combine_chunks().flatten().to_numpy().reshape(len(table), -1).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, np.unique(table["section"].to_pylist(), return_inverse=True)[1]


def compared_densities(name: str, source: Path | int, count: int, seeds: int) -> tuple[list[Row], list[Goal]]:
    """Measures every side that can handle this number of documents, each in a separate process."""
    found: dict[str, Row] = {}
    for side, how in SIDES.items():
        if count <= how.most:
            found[side] = apart(measured, side, source, seeds)
            print(f"cluster: {name}: {side}: {found[side]['seconds']:.1f} s", flush=True)
    worker = found[WORKER]
    rows: list[Row] = [
        {"case": name, "side": side, **row, f"times the time of {WORKER}": row["seconds"] / worker["seconds"]}
        for side, row in found.items()
    ]
    goals: list[Goal] = []
    if isinstance(source, Path) or count >= GOALS_FROM:
        goals += [
            Goal(f"{name}: times faster than {side}", found[side]["seconds"] / worker["seconds"], 20,
                 at_least=True, unit="times")
            for side in (UNTIL_NOW, BERTOPIC)
            if side in found
        ]  # fmt: skip
    if goals and UNTIL_NOW in found:
        goals += [
            Goal(f"{name}: {measure} less that by UMAP", worker[measure] - found[UNTIL_NOW][measure], -0.01,
                 at_least=True, unit="")
            for measure in ("AMI", "AMI without noise")
        ]  # fmt: skip
    if SKLEARN in found and count >= RAW_GOALS_FROM:
        raw = found[RAW]
        faster, memory = found[SKLEARN]["seconds"] / raw["seconds"], raw["peak MiB"] / found[SKLEARN]["peak MiB"]
        goals.append(Goal(f"{name}: raw, times faster than scikit-learn", faster, 5, at_least=True, unit="times"))
        goals.append(Goal(f"{name}: raw, memory", memory, 0.1, at_least=False, unit="of scikit-learn's"))
    return rows, goals


def density(sizes: Sequence[int]) -> tuple[list[Row], list[Goal]]:
    """Measures planted groups in collections of several sizes, and how the worker's time grows."""
    rows: list[Row] = []
    goals: list[Goal] = []
    worker = {}
    for count in sorted(sizes):
        print(f"cluster: {count:,} documents", flush=True)
        found, held_to = compared_densities(f"{count:,} x {DIMENSIONS}", count, count, 1)
        rows += found
        goals += held_to
        worker[count] = next(row for row in found if row["side"] == WORKER)
    least, most = min(worker), max(worker)
    if most >= MILLION:
        name = f"{most:,} x {DIMENSIONS}"
        goals.append(Goal(f"{name}: time", worker[most]["seconds"], 240, at_least=False, unit="s"))
        goals.append(Goal(f"{name}: memory", worker[most]["peak MiB"], 8_192, at_least=False, unit="MiB"))
    if most > least:
        grown = worker[most]["seconds"] / worker[least]["seconds"]
        allowed = most * math.log(most) / (least * math.log(least))
        goals.append(
            Goal(f"growth from {least:,} to {most:,}", grown / allowed, 1, at_least=False, unit="of n log n's")
        )
    return rows, goals


def cold() -> tuple[list[Row], list[Goal]]:
    """Measures HDBSCAN with its defaults in a process that starts with the JIT cache of an image."""
    name, count = f"cold process, 20,000 x {DIMENSIONS}", 20_000
    # The cache is kept, because compiling takes minutes the first time, and less than a second later.
    cache = OUT / "numba-cache"
    environment = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(cache),
        "NUMBA_CPU_NAME": "generic",
        "PYTHONPATH": str(_SOURCES),
    }
    print(f"cluster: compiling into {cache}, as the image's build does", flush=True)
    subprocess.run([sys.executable, "-m", "clusterworker.process.warm"], env=environment, check=True)
    sides = {}
    for side in COLD:
        sides[side] = _cold_side(side, count, environment)
        print(f"cluster: cold: {side}: {sides[side]}", flush=True)
    rows: list[Row] = [
        {"case": name, "side": side, **row, "more": row["seconds"] - row["seconds, again"]}
        for side, row in sides.items()
    ]
    goals = [
        Goal(f"{name}, {row['side']}: more than a warm one", row["more"], 3, at_least=False, unit="s") for row in rows
    ]
    return rows, goals


COLD = (WORKER, "worker, algorithm: evoc", RAW)


def _cold_side(side: str, count: int, environment: Mapping[str, str]) -> Row:
    command = [sys.executable, "-m", "bench.cluster", "--cold", side, str(count)]
    root = str(_SOURCES.parent)
    done = subprocess.run(command, env=environment, cwd=root, check=True, stdout=subprocess.PIPE, text=True)
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


def cold_side(side: str, count: int) -> None:
    """Loads the libraries and clusters twice. Vectors are created before the time is measured."""
    vectors, _ = documents(count)
    seconds = {}
    for name in ("seconds", "seconds, again"):
        begin = time.perf_counter()
        SIDES[side].find(vectors, SEED)
        seconds[name] = time.perf_counter() - begin
    print(json.dumps(seconds))


def million() -> tuple[list[Row], list[Goal]]:
    """Measures a whole run of the worker over a million vectors, from Parquet to results."""
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
    """Writes Parquet files batch by batch, so that this process's own memory stays small."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    directory.mkdir()
    for first in range(0, count, batch):
        vectors, _ = documents(batch, first + 1)
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSIONS)
        table = pa.table({"document_id": [f"doc-{first + row}" for row in range(batch)], "embedding": column})
        pq.write_table(table, directory / f"part-{first // batch:03}.parquet")


def compared(case: str, sides: dict[str, Row], measure: str) -> list[Row]:
    """Returns the table's rows, each with its speed relative to the last of scikit-learn's sides."""
    reference = next(row for name, row in sides.items() if name.startswith("scikit-learn"))
    return [
        {"case": case, "side": name, **row, "measure": measure, "times faster": reference["seconds"] / row["seconds"]}
        for name, row in sides.items()
    ]


CASES: dict[str, Callable[[], tuple[list[Row], list[Goal]]]] = {
    "million": million,  # This case is first, because the memory of all earlier children would count.
    "kmeans-100": lambda: kmeans(100, 5),
    "kmeans-1000": lambda: kmeans(1_000, 3),
    "cold": cold,
    "density": lambda: density(SIZES),
}


def main() -> int:
    """Compares, prints, and writes out/cluster.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; default: all")
    parser.add_argument("--cold", nargs=2, metavar=("SIDE", "COUNT"), help=argparse.SUPPRESS)
    parser.add_argument("--real", type=Path, metavar="FILE", help="instead: Parquet with columns embedding and section")
    parser.add_argument("--seeds", type=int, default=5, help="with --real: repetitions; figures are means")
    parser.add_argument("--sizes", type=int, nargs="+", metavar="N", help="instead: case density, of so many documents")
    options = parser.parse_args()
    if options.real:
        vectors, _ = labelled(options.real)
        name = f"{options.real.stem}, {len(vectors):,} x {vectors.shape[1]}, mean of {options.seeds} seeds"
        return finish("cluster-real", *compared_densities(name, options.real, len(vectors), options.seeds))
    if options.sizes:
        return finish("cluster-density", *density(options.sizes))
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
