"""Tests of HDBSCAN, with and without reduction."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score

from clustercontract import algorithms
from clusterworker.clustering.algorithms.density import EXACT_ROWS, find_clusters
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write


def labels_of(pod: Pod, **config: object) -> tuple[list[int], list[str]]:
    spec = pod.spec({"algorithm": "hdbscan", **config})
    result = pod.run(spec)
    return pq.read_table(pod.folder(spec) / "members.parquet")["cluster_id"].to_pylist(), result.notes


def test_like_scikit_learn_without_reduction(pod: Pod) -> None:
    data = planted(600, 6, dimensions=4, spread=0.03)
    generator = np.random.default_rng(1)
    scattered = generator.normal(size=(60, 4)).astype(np.float32)
    vectors = np.concatenate([data.vectors, scattered / np.linalg.norm(scattered, axis=1, keepdims=True)])
    write(pod.volume / "data.parquet", vectors)
    labels, notes = labels_of(pod, min_cluster_size=20)
    theirs = HDBSCAN(min_cluster_size=20, copy=True).fit_predict(vectors)
    assert adjusted_rand_score(theirs, labels) > 0.98
    assert notes == []


def test_finds_planted_clusters_in_many_dimensions(pod: Pod) -> None:
    data = planted(1_500, 8, dimensions=96, spread=0.08)
    write(pod.volume / "data.parquet", data.vectors)
    labels, notes = labels_of(pod, min_cluster_size=25)
    assert adjusted_rand_score(data.labels, labels) > 0.98
    assert notes == ["clustered after EVōC's node embedding from 96 to 5 dimensions"]
    again, _ = labels_of(pod, min_cluster_size=25)
    assert again == labels, "the same spec gives the same clusters"


def test_raw_vectors_of_many_dimensions_are_compared_pair_by_pair(pod: Pod) -> None:
    data = planted(400, 4, dimensions=64, spread=0.02)
    write(pod.volume / "data.parquet", data.vectors)
    labels, notes = labels_of(pod, min_cluster_size=20, reduce="none")
    assert adjusted_rand_score(data.labels, labels) > 0.98
    assert notes == []


def test_over_neighbours_like_over_all_pairs() -> None:
    """Above the limit for comparing all pairs, dense groups are found, the same in every process and run."""
    generator = np.random.default_rng(3)
    data = planted(2_400, 12, dimensions=96, spread=0.05)
    scattered = generator.normal(size=(400, 96)).astype(np.float32)
    vectors = np.concatenate([data.vectors, scattered / np.linalg.norm(scattered, axis=1, keepdims=True)])
    assert len(vectors) > EXACT_ROWS
    first, second = (find_clusters(vectors, algorithms.HDBSCAN(min_cluster_size=20), seed) for seed in (0, 1))
    theirs = HDBSCAN(min_cluster_size=20, algorithm="brute", copy=True).fit_predict(vectors)
    assert adjusted_rand_score(theirs, first) > 0.98
    assert (first == second).all()


@pytest.mark.parametrize("min_samples", [1, 40, 2_500])
def test_over_neighbours_with_duplicates_and_any_min_samples(min_samples: int) -> None:
    kinds = np.eye(4, 64, dtype=np.float32)
    vectors = np.repeat(kinds, 600, axis=0)
    labels = find_clusters(vectors, algorithms.HDBSCAN(min_cluster_size=100, min_samples=min_samples), seed=0)
    assert labels.shape == (2_400,)
    if min_samples < 600:
        assert sorted({*labels.tolist()}) == [0, 1, 2, 3]
        assert all((labels[first:last] == labels[first]).all() for first, last in pairwise(range(0, 2_401, 600)))


def test_noise_has_no_distance_and_is_counted(pod: Pod) -> None:
    data = planted(300, 3, dimensions=4, spread=0.01)
    generator = np.random.default_rng(1)
    vectors = np.concatenate([data.vectors, generator.normal(size=(20, 4)).astype(np.float32)])
    write(pod.volume / "data.parquet", vectors)
    spec = pod.spec({"algorithm": "hdbscan", "min_cluster_size": 50})
    result = pod.run(spec)
    members = pq.read_table(pod.folder(spec) / "members.parquet")
    noise = np.array(members["cluster_id"].to_pylist()) == -1
    assert noise.sum() > 0
    assert members["distance_to_centroid"].null_count == noise.sum()
    assert result.num_documents == 320
    assert result.num_clusters == 3
    assert "inertia" not in result.metrics


def test_all_noise_is_a_result_and_not_a_failure(pod: Pod) -> None:
    generator = np.random.default_rng(0)
    write(pod.volume / "data.parquet", generator.normal(size=(60, 3)).astype(np.float32))
    spec = pod.spec({"algorithm": "hdbscan", "min_cluster_size": 55})
    result = pod.run(spec)
    assert result.num_clusters == 0
    assert result.metrics == {}
    advice = "no cluster found, all documents are noise: set allow_single_cluster: true to make them one cluster"
    assert advice in result.notes
    assert (pod.folder(spec) / "report.png").stat().st_size > 0
    assert pq.read_table(pod.folder(spec) / "centroids.parquet").num_rows == 0


A_FEW_AND_ONE_OUTLIER = [
    [0.36789608, 0.17779213, 0.83797550, 0.77753013], [0.36628222, 0.17353597, 0.83745314, 0.78465497],
    [0.37088317, 0.17572623, 0.84084779, 0.78386849], [0.36569396, 0.17433393, 0.83739746, 0.78440967],
    [0.36793751, 0.17673337, 0.84037548, 0.78139651], [0.36722952, 0.17239252, 0.83743829, 0.78435159],
    [0.88804066, 0.81364667, 0.99931133, 1.0], [0.36865044, 0.18000209, 0.83752632, 0.78532994],
    [0.36644703, 0.17631954, 0.83802074, 0.78327519],
]  # fmt: skip
"""From https://github.com/scikit-learn-contrib/hdbscan/issues/492; the next is from issue 56."""
ZEROS_AND_ONE_OUTLIER = [[0.0]] * 20 + [[20.0]]


@pytest.mark.parametrize(
    ("rows", "config", "expected"),
    [
        (A_FEW_AND_ONE_OUTLIER, {"min_cluster_size": 2, "min_samples": 1}, [0] * 6 + [-1] + [0] * 2),
        (ZEROS_AND_ONE_OUTLIER, {"min_cluster_size": 5}, [0] * 20 + [-1]),
        (ZEROS_AND_ONE_OUTLIER, {"min_cluster_size": 2, "min_samples": 1}, [0] * 20 + [-1]),
        ([[1.0, 2.0]] * 12, {"min_cluster_size": 3}, [0] * 12),
    ],
)
def test_advice_on_a_single_cluster_helps(
    pod: Pod, rows: list[list[float]], config: dict[str, object], expected: list[int]
) -> None:
    write(pod.volume / "data.parquet", np.array(rows, np.float32))
    config = {"metric": "euclidean", **config}
    labels, notes = labels_of(pod, **config)
    assert set(labels) == {-1}
    assert any("set allow_single_cluster: true to make them one cluster" in note for note in notes)
    labels, notes = labels_of(pod, allow_single_cluster=True, **config)
    assert labels == expected
    assert not any("no cluster" in note for note in notes)


def test_advice_on_smaller_clusters_has_been_tried(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(90, 6, dimensions=4, spread=0.02).vectors)
    labels, notes = labels_of(pod, min_cluster_size=60, min_samples=5)
    assert set(labels) == {-1}
    [note] = [note for note in notes if note.startswith("no cluster found")]
    size, clusters = re.search(r"min_cluster_size: (\d+) with min_samples: 5, which finds (\d+)", note).groups()  # type: ignore[union-attr]
    labels, _ = labels_of(pod, min_cluster_size=int(size), min_samples=5)
    assert max(labels) + 1 == int(clusters) > 1


def test_several_clusters_where_a_single_one_is_allowed(pod: Pod) -> None:
    data = planted(300, 3, dimensions=4, spread=0.02)
    write(pod.volume / "data.parquet", data.vectors)
    labels, _ = labels_of(pod, min_cluster_size=20, allow_single_cluster=True)
    assert adjusted_rand_score(data.labels, labels) > 0.98


@pytest.mark.parametrize("documents", [2, 10, 39])
def test_too_few_documents_for_a_layout_are_clustered_as_they_are(pod: Pod, documents: int) -> None:
    write(pod.volume / "data.parquet", planted(documents, 2, dimensions=32).vectors)
    _, notes = labels_of(pod, min_cluster_size=2)
    assert f"not reduced: {documents} documents are too few for EVōC's node embedding, which needs 40" in notes
