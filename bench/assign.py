"""Compares runs with mode assign with runs that cluster.

Usage: ``python -m bench.assign [--documents N] [--without-hdbscan]``. Whole runs of the worker read Parquet and write
results: k-means of all documents, HDBSCAN of all documents, and an assignment of the same documents to the clusters of
each. Every run is a separate process, as in a container, with the JIT cache of an image. Only ratios are meaningful:
absolute times depend on the machine and its load.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from bench.cluster import DIMENSIONS, MILLION, MIN_CLUSTER_SIZE, SEED, write_collection
from harness.outcome import Goal, Row, finish

CONFIGS: dict[str, dict[str, Any]] = {
    "kmeans": {"algorithm": "kmeans", "n_clusters": 100},
    "hdbscan": {"algorithm": "hdbscan", "min_cluster_size": MIN_CLUSTER_SIZE},
}
LEAST = {"kmeans": 2.5, "hdbscan": 20.0}
"""Minimum factor by which an assignment must be faster than its clustering."""
MOST_MIB = 2_048
_SOURCES = Path(__file__).parents[1] / "operator"


class Runs:
    """Runs of the worker on one collection.

    Args:
        root: Directory of collection and results.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._environment = {
            **os.environ,
            "NUMBA_CACHE_DIR": str(root / "jit"),
            "NUMBA_CPU_NAME": "generic",
            "PYTHONPATH": str(_SOURCES),
        }
        (root / "scratch").mkdir()
        warm = [sys.executable, "-m", "clusterworker.process.warm"]
        subprocess.run(warm, env=self._environment, check=True, capture_output=True)

    def folder(self, run: str) -> Path:
        """Returns the results of a run."""
        return self._root / "results/bench/assign" / run

    def run(self, name: str, **fields: Any) -> Row:
        """Executes and measures one run.

        Args:
            name: Name of the run.
            fields: Fields of its RunSpec.
        """
        collection = {
            "collection_id": "documents",
            "source": {"uri": "."},
            "mount_path": str(self._root / "collection"),
        }
        spec = {
            "namespace": "bench", "trigger": "assign", "run": name, "slot": "manual/bench", "seed": SEED,
            "collections": [collection], "results": {"uri": str(self._root / "results")}, **fields,
        }  # fmt: skip
        file = self._root / f"{name}.json"
        file.write_text(json.dumps(spec))
        command = [sys.executable, "-m", "clusterworker", "run", "--spec", str(file)]
        command += ["--result", str(self._root / "result.json"), "--scratch", str(self._root / "scratch")]
        begin = time.perf_counter()
        # The rusage includes the worker's supervisor and its child, which one process has waited for.
        with subprocess.Popen(command, env=self._environment, stdout=subprocess.DEVNULL) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        result = json.loads((self._root / "result.json").read_text())
        return {
            "seconds": time.perf_counter() - begin,
            "CPU s": usage.ru_utime + usage.ru_stime,
            "peak MiB": usage.ru_maxrss / 1024,
            "clusters": result["num_clusters"],
            "noise": result["num_noise"],
        }

    def same(self, one: str, other: str) -> float:
        """Returns the share of the documents of the first run's clusters that are in the same one in the other run."""
        labels = [
            pq.read_table(self.folder(run) / "members.parquet", columns=["cluster_id"])["cluster_id"].to_numpy()
            for run in (one, other)
        ]
        inside = labels[0] >= 0
        return float(np.mean(labels[0][inside] == labels[1][inside]))


def measure(documents: int, algorithms: list[str]) -> tuple[list[Row], list[Goal]]:
    """Clusters and assigns with each algorithm, one after the other."""
    rows: list[Row] = []
    goals: list[Goal] = []
    with tempfile.TemporaryDirectory(prefix="bench-assign-") as directory:
        root = Path(directory)
        write_collection(root / "collection", documents, min(50_000, documents))
        runs = Runs(root)
        for algorithm in algorithms:
            config = CONFIGS[algorithm]
            full = runs.run(f"{algorithm}-full", config=config)
            base = {"run": f"{algorithm}-full", "uri": str(runs.folder(f"{algorithm}-full"))}
            # Noise is left out, so that labels can be compared.
            mode = {"mode": "assign", "base": base, "assignment_threshold": -1}
            assigned = runs.run(f"{algorithm}-assign", config=config, **mode)
            same = runs.same(f"{algorithm}-full", f"{algorithm}-assign")
            case = f"{algorithm} {documents:,} x {DIMENSIONS}"
            faster = full["seconds"] / assigned["seconds"]
            rows.append({"case": case, "mode": "full", **full})
            rows.append({"case": case, "mode": "assign", **assigned, "times faster": faster, "same cluster": same})
            goals += [
                Goal(f"{case}: assign, times faster", faster, LEAST[algorithm], at_least=True, unit="times"),
                Goal(f"{case}: assign, peak memory", assigned["peak MiB"], MOST_MIB, at_least=False, unit="MiB"),
            ]
            if algorithm == "kmeans":
                goals.append(Goal(f"{case}: documents in the same cluster", same, 0.999, at_least=True, unit=""))
    return rows, goals


def main() -> int:
    """Measures, prints, and writes out/assign.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=MILLION, help="default: a million")
    parser.add_argument("--without-hdbscan", action="store_true", help="k-means alone, which takes minutes")
    options = parser.parse_args()
    algorithms = ["kmeans"] if options.without_hdbscan else list(CONFIGS)
    return finish("assign", *measure(options.documents, algorithms))


if __name__ == "__main__":
    sys.exit(main())
