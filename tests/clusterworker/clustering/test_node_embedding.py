"""Tests of the properties of EVōC that the worker relies on, and of `reduce: auto`, which uses it."""

from __future__ import annotations

import os
import subprocess
import sys

import numba
import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from clustercontract.algorithms import HDBSCAN
from clusterworker.clustering.algorithms import neighbours
from clusterworker.clustering.algorithms.density import find_clusters
from clusterworker.clustering.algorithms.node_embedding import DEFAULT, FEWEST_ROWS, Layout, bytes_per_vector, embed
from clusterworker.data.arrays import Vectors
from clusterworker.process.errors import MisconfiguredError
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write


def agreement(vectors: Vectors, labels: object, metric: str, how: Layout = DEFAULT) -> float:
    layout = embed(vectors, 5, metric, 1, settings=how)
    assert np.isfinite(layout).all()
    return float(adjusted_rand_score(labels, find_clusters(layout, HDBSCAN(min_cluster_size=15), 1)))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("exact", [True, False], ids=["exact", "inverted file"])
def test_the_same_seed_gives_the_same_layout(metric: str, exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not exact:
        monkeypatch.setattr(neighbours, "EXACT_ROWS", 100)
    vectors = planted(1_500, 10, dimensions=64).vectors
    first = embed(vectors, 5, metric, 3)
    assert first.shape == (1_500, 5)
    assert first.dtype == np.float32
    assert (embed(vectors, 5, metric, 3) == first).all()
    assert (embed(vectors, 5, metric, 4) != first).any()


def test_threads_do_not_change_the_layout() -> None:
    vectors = planted(1_500, 10, dimensions=64).vectors
    threads = numba.get_num_threads()
    first = embed(vectors, 5, "cosine", 3)
    try:
        numba.set_num_threads(1)
        assert (embed(vectors, 5, "cosine", 3) == first).all()
    finally:
        numba.set_num_threads(threads)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_planted_clusters_are_found(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = planted(2_000, 12, dimensions=96, spread=0.08)
    assert agreement(data.vectors, data.labels, metric) > 0.98
    assert agreement(data.vectors, data.labels, metric, Layout(neighbours=30, noise_level=0.2, scale=1.5)) > 0.98
    monkeypatch.setattr(neighbours, "EXACT_ROWS", 500)
    assert agreement(data.vectors, data.labels, metric) > 0.98


@pytest.mark.parametrize("scale", [1e-40, 1e-20, 1e-3, 1e6, 1e14])
def test_euclidean_distances_of_any_scale(scale: float) -> None:
    data = planted(600, 6, dimensions=32, spread=0.05)
    vectors = (data.vectors.astype(np.float64) * scale).astype(np.float32)
    assert agreement(vectors, data.labels, "euclidean") > 0.98


def test_far_from_the_origin_and_one_farther() -> None:
    data = planted(600, 6, dimensions=32, spread=0.05)
    vectors = data.vectors + np.float32(1000)
    vectors[0] = 1e12
    assert agreement(vectors, data.labels, "euclidean") > 0.95


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_vectors_that_are_all_but_equal(metric: str) -> None:
    """Distances between them may be 0, and no neighbour is nearer than another."""
    vectors = np.ones((200, 32), np.float32)
    vectors += 1e-6 * np.random.default_rng(0).normal(size=vectors.shape).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.isfinite(embed(vectors, 5, metric, 0)).all()


def test_groups_that_nothing_joins() -> None:
    groups = np.repeat(np.concatenate([np.eye(4, 64), -np.eye(4, 64)]), 60, axis=0)
    vectors = groups + 0.01 * np.random.default_rng(0).normal(size=groups.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert agreement(vectors.astype(np.float32), np.arange(480) // 60, "cosine") > 0.98


@pytest.mark.parametrize("rows", [FEWEST_ROWS, 63, 64, 70, 300, 1_410])
@pytest.mark.parametrize("components", [2, 8, 9, 50])
def test_any_number_of_dimensions_of_few_documents(rows: int, components: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(rows, 64)).astype(np.float32)
    assert embed(vectors, components, "euclidean", 0, settings=Layout(epochs=3)).shape == (rows, components)


def test_its_steps_are_told() -> None:
    reports: list[tuple[float, str]] = []
    vectors = planted(200, 4, dimensions=32).vectors
    embed(vectors, 5, "cosine", 0, on_progress=lambda done, step: reports.append((done, step)))
    assert [step for _, step in reports] == [
        "looking for 15 neighbours of 200 vectors",
        "looking for 15 neighbours of 200 vectors",
        "starting a layout of the graph",
        "laying out the graph",
    ]
    assert sorted(reports) == reports


def test_too_little_memory_is_told_beforehand(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(200, 4, dimensions=32).vectors)
    spec = pod.spec({"algorithm": "hdbscan", "min_cluster_size": 5})
    with pytest.raises(
        MisconfiguredError,
        match=r"needs about 4\d\d MiB, and the container may use 256, and a sample of 2000 documents does not fit "
        "either: ",
    ):
        pod.run(spec, memory=256 << 20)
    assert 1_000_000 * bytes_per_vector(384) < 6 << 30


def test_the_image_s_threading_layer_is_enough() -> None:
    """The image lacks OpenMP and TBB for numba, whose own threading layer aborts at nested parallel regions."""
    code = (
        "import numba, numpy as np\n"
        "from clusterworker.clustering.algorithms import neighbours\n"
        "from clusterworker.clustering.algorithms.node_embedding import embed\n"
        "neighbours.EXACT_ROWS = 500\n"
        "vectors = np.random.default_rng(0).normal(size=(2000, 16)).astype(np.float32)\n"
        "vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)\n"
        "assert np.isfinite(embed(vectors, 5, 'cosine', 0)).all()\n"
        "assert numba.threading_layer() == 'workqueue'\n"
    )
    environment = {**os.environ, "NUMBA_THREADING_LAYER": "workqueue"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
