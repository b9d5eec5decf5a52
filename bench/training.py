"""Compares how k-means can be trained with Spark: ``python -m bench.training [--documents N] [--clusters K]``.

The worker trains on a sample that executors draw in one pass. MLlib trains on all documents with k-means||, in Java.
Both run in one Spark of two threads on this machine, and read the same Parquet files. The inertia is computed over all
documents, by the same function for both.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.cluster import SEED, write_collection
from harness.outcome import Row, finish

DOCUMENTS, CLUSTERS = 100_000, 100
MEMORY = 32 << 30
"""Java gets an eighth of it, because MLlib keeps all documents there."""
ITERATIONS = 20
"""MLlib's default; its default tolerance ends the training earlier."""
SIDES = ("a sample, by the worker", "MLlib, k-means||")


def measure(root: Path, side: str, clusters: int) -> Row:
    """Trains once, and returns seconds and inertia."""
    from clustercontract.engine import Engine
    from clustercontract.run import RunSpec
    from clusterworker.clustering.algorithms.choice import cluster
    from clusterworker.clustering.algorithms.nearest import NearestCentroid
    from clusterworker.data.dataset import StreamedDataset
    from clusterworker.data.sources.collections import open_collections
    from clusterworker.process.progress import Progress
    from clusterworker.run.distributed import DistributedDataset
    from clusterworker.run.parts import Parts
    from clusterworker.run.results.stages import VolumeStages
    from clusterworker.spark.executors import started

    engine = Engine(type="spark", image="none", executors=2, executor_memory=2048, partition_rows=100_000)
    collection = {"collection_id": "documents", "source": {"uri": "."}, "mount_path": str(root / "collection")}
    spec = RunSpec.model_validate(
        {
            "namespace": "bench",
            "trigger": "training",
            "run": "training-1",
            "slot": "manual/bench",
            "seed": SEED,
            "collections": [collection],
            "config": {"algorithm": "kmeans", "n_clusters": clusters, "metric": "euclidean"},
            "results": {"uri": str(root / "results")},
        }
    )
    progress = Progress(io.StringIO())
    source = StreamedDataset(open_collections(spec.collections, root), "euclidean", progress)
    with started(engine, "training", root, MEMORY, progress) as executors:
        parts = Parts(source, executors, VolumeStages(str(root / "stages")), root, 100_000, side, progress)
        begun = time.perf_counter()
        if side == SIDES[0]:
            centroids = cluster(DistributedDataset(parts), spec.config, SEED, 4 << 30, progress).centroids
        else:
            centroids = _mllib(parts.each, clusters)
        seconds = time.perf_counter() - begun
    nearest = NearestCentroid(centroids)
    inertia = sum(float(nearest.with_squares(batch.vectors)[1].sum()) for batch in source.batches())
    return {"seconds": seconds, "inertia": inertia}


def _mllib(parts: Any, clusters: int) -> Any:
    from pyspark import SparkContext
    from pyspark.mllib.clustering import KMeans
    from pyspark.mllib.linalg import Vectors

    def rows(part: Any) -> Iterator[Any]:
        for batch in part.batches():
            yield from (Vectors.dense(row) for row in batch.vectors.astype(np.float64))

    documents = SparkContext.getOrCreate().parallelize(parts, len(parts)).flatMap(rows)
    model = KMeans.train(documents, clusters, maxIterations=ITERATIONS, initializationMode="k-means||", seed=SEED)
    centers: Any = model.centers
    return np.ascontiguousarray(np.stack(centers), np.float32)


def main() -> int:
    """Measures, prints, and writes out/training.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--documents", type=int, default=DOCUMENTS, help=f"how many, a multiple of 50,000 ({DOCUMENTS:,})"
    )
    parser.add_argument("--clusters", type=int, default=CLUSTERS, help=f"how many ({CLUSTERS})")
    parser.add_argument("--side", nargs=2, metavar=("ROOT", "SIDE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measure(Path(options.side[0]), options.side[1], options.clusters)))
        return 0
    rows = []
    with tempfile.TemporaryDirectory(prefix="bench-training-") as directory:
        root = Path(directory)
        write_collection(root / "collection", options.documents)
        for side in SIDES:
            command = [sys.executable, "-m", "bench.training", "--side", str(root), side]
            command += ["--clusters", str(options.clusters)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            rows.append({"training": side, **json.loads(done.stdout.splitlines()[-1])})
            print(json.dumps(rows[-1]), file=sys.stderr)
    least = min(row["inertia"] for row in rows)
    return finish("training", [{**row, "inertia above the best": row["inertia"] / least - 1} for row in rows], [])


if __name__ == "__main__":
    sys.exit(main())
