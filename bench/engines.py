"""Compares passes of Spark's executors with a local run's: ``python -m bench.engines [--documents N]``.

The pass assigns documents and writes their members; the Parquet files have 384 dimensions, and the centroids are random
documents. Each side is a separate process. A task of an executor is one thread, and so is the local run. The time for
starting a side, such as Spark, is measured separately. Executors are processes of this machine; the network between
machines is not measured.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.cluster import MILLION, SEED, write_collection
from harness.outcome import Goal, Row, finish

CLUSTERS = 100
EXECUTORS = (1, 2)
SHARE = 0.8
"""Minimum share of the local run's rate per core."""
PARTITION_ROWS = 250_000
ROUNDS = 2
_SOURCES = Path(__file__).parents[1] / "operator"


def spec_of(root: Path, executors: int) -> Any:
    """Returns the RunSpec of a side; without executors, it is local."""
    from clustercontract.run import RunSpec

    engine = {
        "type": "spark",
        "image": "none",
        "executors": executors,
        "executor_memory": 2048,
        "partition_rows": PARTITION_ROWS,
    }
    collection = {"collection_id": "documents", "source": {"uri": "."}, "mount_path": str(root / "collection")}
    return RunSpec.model_validate(
        {
            "namespace": "bench",
            "trigger": "engines",
            "run": f"engines-{executors}",
            "slot": "manual/bench",
            "seed": SEED,
            "collections": [collection],
            "config": {"algorithm": "kmeans", "n_clusters": CLUSTERS},
            "results": {"uri": str(root / "results")},
            **({"engine": engine} if executors else {}),
        }
    )


def measure(root: Path, executors: int) -> Row:
    """Reads all documents, and returns seconds: until the first pass begins, and of the fastest pass."""
    from clusterworker.clustering.algorithms.clustering import Clustering
    from clusterworker.data.sources.collections import open_collections
    from clusterworker.process.progress import Progress
    from clusterworker.run.passes import open_passes
    from clusterworker.run.results.record import MEMBERS
    from clusterworker.run.results.stages import open_stages
    from clusterworker.run.workspace import Workspace

    spec, secrets, staged = spec_of(root, executors), root / "secrets", root / "staged"
    staged.mkdir(exist_ok=True)
    progress = Progress(io.StringIO())
    collections = open_collections(spec.collections, secrets)
    first = next(iter(collections[0].batches(0))).vectors[:CLUSTERS]
    centroids = np.ascontiguousarray(first / np.linalg.norm(first, axis=1, keepdims=True), np.float32)
    clustering = Clustering(centroids, centroids.astype(np.float64), None, has_inertia=True)
    begun = time.perf_counter()
    workspace = Workspace(staged, root, secrets, 4 << 30, progress)
    with open_passes(spec, SEED, collections, workspace) as passes:
        started, seconds = time.perf_counter() - begun, []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            found = passes.survey(clustering, None)
            passes.write_members(np.arange(CLUSTERS)[::-1])
            seconds.append(time.perf_counter() - begun)
            (staged / MEMBERS).unlink()
            open_stages(spec, secrets).clear()
    return {"start, s": started, "pass, s": min(seconds), "documents": found.documents}


def side(root: Path, executors: int) -> Row:
    """Measures in a separate process, whose libraries start one thread."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, "1"), "PYTHONPATH": str(_SOURCES)}
    command = [sys.executable, "-m", "bench.engines", "--side", str(root), str(executors)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    cores = max(executors, 1)
    rate = found["documents"] / found["pass, s"]
    name = f"Spark, {executors} x 1 CPU" if executors else "local, 1 thread"
    return {"engine": name, **found, "documents/s": rate, "documents/s and core": rate / cores}


def main() -> int:
    """Measures, prints, and writes out/engines.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=5 * MILLION, help="how many, a multiple of 50,000 (5,000,000)")
    parser.add_argument("--side", nargs=2, metavar=("ROOT", "EXECUTORS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measure(Path(options.side[0]), int(options.side[1]))))
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-engines-") as directory:
        root = Path(directory)
        write_collection(root / "collection", options.documents)
        rows = [side(root, executors) for executors in (0, *EXECUTORS)]
    local = rows[0]["documents/s and core"]
    rows = [{**row, "share of local": row["documents/s and core"] / local} for row in rows]
    goals = [
        Goal(f"rate per core of {row['engine']} beside a local run", row["share of local"], SHARE, True, "times")
        for row in rows[1:]
    ]
    return finish("engines", rows, goals)


if __name__ == "__main__":
    sys.exit(main())
