"""Tests that the image compiles all functions that the worker calls, so that a Job compiles none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[3] / "operator"
WORKERS_CALLS = """
from numba.core import event

compiled = []

class Listener(event.Listener):
    def on_start(self, started):
        function = started.data["dispatcher"].py_func
        compiled.append(f"{function.__module__}.{function.__qualname__}")

    def on_end(self, ended):
        pass

event.register("numba:compile", Listener())

from clustercontract.algorithms import HDBSCAN
from clusterworker.clustering.algorithms.density import find_clusters
from clusterworker.clustering.algorithms.embedding import embed
from clusterworker.clustering.algorithms import node_embedding
from clusterworker.process.warm import unit_vectors

for rows, metric, components in [(5000, "cosine", 5), (600, "euclidean", 20)]:
    labels = find_clusters(
        node_embedding.embed(unit_vectors(rows, dimensions=384), components, metric, seed=7),
        HDBSCAN(min_cluster_size=15),
        seed=7,
    )
    assert len(labels) == rows
node_embedding.EXACT_ROWS = 1000  # above it, EVōC looks for neighbours itself
node_embedding.embed(unit_vectors(5000, dimensions=384), 5, "cosine", seed=7)

for rows, metric, components, min_dist in [(5000, "cosine", 5, 0.0), (600, "euclidean", 2, 0.1)]:
    reduced = embed(unit_vectors(rows, dimensions=384), components, metric, seed=7, min_dist=min_dist, epochs=20)
    labels = find_clusters(reduced, HDBSCAN(min_cluster_size=15), seed=7)
    assert len(labels) == rows
find_clusters(unit_vectors(5000, dimensions=384), HDBSCAN(min_cluster_size=15), seed=7)
print("compiled:", *compiled, sep="\\n  ")
"""

# Declared with their signatures, so numba compiles them while umap is imported, before anyone can ask for a cache: 1 s.
COMPILED_BY_IMPORT = {"umap.utils.tau_rand_int", "umap.utils.tau_rand"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_after_warming_the_workers_calls_compile_nothing(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCES),
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    for command in (["-m", "clusterworker.process.warm"], ["-c", WORKERS_CALLS]):
        done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    libraries = ("evoc.", "umap.", "pynndescent.", "fast_hdbscan.")
    compiled = {line.strip() for line in done.stdout.splitlines() if line.strip().startswith(libraries)}
    assert "compiled:" in done.stdout
    assert compiled - COMPILED_BY_IMPORT == set()
