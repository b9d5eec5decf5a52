"""Tests of documents with equal vectors: they get the same cluster, and a note reports indistinguishable documents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clusterworker.clustering.algorithms import distinct as module
from clusterworker.clustering.algorithms.distinct import distinct
from clusterworker.clustering.algorithms.embedding import FEWEST_ROWS, embed, most_components
from clusterworker.data.arrays import Labels, Vectors
from clusterworker.data.settling import settle
from tests.clusterworker.clustering.carried_out import carried_out
from tests.clusterworker.planted import planted


def run(vectors: Vectors, **config: Any) -> tuple[Labels, list[str]]:
    labels, _, _, notes = carried_out(vectors, **config)
    return labels, notes


def test_distinct_vectors_in_the_order_of_their_first_occurrence() -> None:
    vectors = np.array([[2, 0], [1, 1], [2, -0.0], [0, 3], [1, 1], [2, 0]], np.float32)
    points = distinct(vectors)
    assert points.vectors.tolist() == [[2, 0], [1, 1], [0, 3]]
    assert points.numbers.tolist() == [0, 1, 0, 2, 1, 0]
    assert points.counts.tolist() == [3, 2, 1]
    assert points.unite(np.array([5, 1, 5, 0, 2, 7], np.int32)).tolist() == [5, 1, 5, 0, 1, 5]
    alone = distinct(vectors[:2])
    assert alone.vectors.base is vectors or alone.vectors is vectors[:2] or not alone.copies


def test_vectors_of_one_print_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "prints", lambda vectors: np.zeros(len(vectors), np.uint64))
    vectors = np.array([[2, 0], [1, 1], [2, -0.0], [0, 3]], np.float32)
    points = distinct(vectors)
    assert (points.vectors[points.numbers] == vectors).all()
    assert sorted(points.counts.tolist()) == [1, 1, 2]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize(
    "config",
    [
        {"algorithm": "optics"},
        {"algorithm": "hdbscan", "min_cluster_size": 20},
        {"algorithm": "hdbscan", "min_cluster_size": 20, "reduce": "umap"},
        {"algorithm": "mean_shift", "bandwidth": 0.5},
        {"algorithm": "dbscan", "eps": 0.1, "reduce": "auto"},
        {"algorithm": "spectral", "n_clusters": 2},
        {"algorithm": "spectral", "n_clusters": 2, "affinity": "nearest_neighbors"},
        {"algorithm": "hierarchical", "n_clusters": 2},
        {"algorithm": "kmeans", "n_clusters": 2},
    ],
    ids=lambda config: "-".join(str(value) for value in config.values()),
)
def test_two_vectors_of_five_hundred_copies_are_two_clusters(metric: str, config: dict[str, Any]) -> None:
    vectors = np.random.default_rng(0).normal(size=(2, 32)).astype(np.float32)
    labels, notes = run(np.tile(vectors, (500, 1)), metric=metric, **config)
    assert (labels[::2] == labels[0]).all()
    assert (labels[1::2] == labels[1]).all()
    assert set(labels.tolist()) == {0, 1}
    if config["algorithm"] in ("optics", "hdbscan", "mean_shift", "dbscan"):
        by = "UMAP" if config.get("reduce") == "umap" else "EVōC's node embedding"
        assert f"not reduced: 2 distinct vectors are too few for {by}, which needs {FEWEST_ROWS}" in notes


@pytest.mark.parametrize("algorithm", ["optics", "hdbscan", "mean_shift", "hierarchical", "spectral"])
def test_vectors_of_one_direction_are_copies_with_cosine(algorithm: str) -> None:
    """Their unit vectors differ by rounding, and UMAP separated them as it separated equal vectors."""
    generator = np.random.default_rng(0)
    kinds = generator.normal(size=(3, 384))
    lengths = 10.0 ** generator.uniform(-6, 6, size=(900, 1))
    vectors = (np.tile(kinds, (300, 1)) * lengths).astype(np.float32)
    needed: dict[str, dict[str, Any]]
    needed = {"hdbscan": {"min_cluster_size": 20}, "mean_shift": {"bandwidth": 0.5}, "optics": {}}
    config = needed.get(algorithm, {"n_clusters": 5})
    labels, notes = run(vectors, algorithm=algorithm, **config)
    assert (labels.reshape(300, 3) == labels[:3]).all()
    assert len(set(labels.tolist())) == 3
    assert notes


def test_directions_that_differ_by_more_than_rounding_stay_apart() -> None:
    angles = np.arange(200) * 2e-6
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    settled = vectors.copy()
    settle(settled)
    assert (settled == vectors).all()


@pytest.mark.parametrize("count", [2, 50])
def test_small_steps_do_not_make_different_directions_equal(count: int) -> None:
    """Each differs from the next by as much as rounding, and the first of 50 from the last by far more."""
    angles = np.arange(count) * 2e-7
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    settled = vectors.copy()
    settle(settled)
    assert len(np.unique(settled, axis=0)) == (1 if count == 2 else len(np.unique(vectors, axis=0)))


@pytest.mark.parametrize(("reduce", "by"), [("auto", "EVōC's node embedding"), ("umap", "UMAP")])
@pytest.mark.parametrize("algorithm", ["optics", "hdbscan", "mean_shift"])
def test_copies_stay_together_after_a_reduction(algorithm: str, reduce: str, by: str) -> None:
    """There are more copies than a document has neighbours in the graph, of more vectors than a layout needs."""
    data = planted(60, 6, dimensions=32, spread=0.05)
    vectors = np.repeat(data.vectors, 20, axis=0)
    config: dict[str, dict[str, Any]]
    config = {"hdbscan": {"min_cluster_size": 25}, "optics": {"min_samples": 30}, "mean_shift": {"bandwidth": 3.0}}
    labels, notes = run(vectors, algorithm=algorithm, reduce=reduce, **config[algorithm])
    assert (labels.reshape(60, 20) == labels[::20, None]).all()
    assert f"clustered after {by} from 32 to 5 dimensions" in notes


@pytest.mark.parametrize(
    "config",
    [
        {"algorithm": "hierarchical", "n_clusters": 7},
        {"algorithm": "spectral", "n_clusters": 7},
        {"algorithm": "spectral", "n_clusters": 7, "affinity": "nearest_neighbors"},
        {"algorithm": "kmeans", "n_clusters": 7},
    ],
    ids=lambda config: "-".join(str(value) for value in config.values()),
)
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_more_clusters_than_distinct_vectors_are_not_made_and_it_is_said(metric: str, config: dict[str, Any]) -> None:
    vectors = np.repeat(planted(4, 4).vectors, 10, axis=0)
    labels, notes = run(vectors, metric=metric, **config)
    assert len(set(labels.tolist())) == 4
    assert (labels.reshape(4, 10) == labels[::10, None]).all()
    assert "4 clusters instead of 7: the documents have only that many distinct vectors" in notes


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_all_documents_equal(metric: str) -> None:
    vectors = np.ones((50, 20), np.float32)
    config: dict[str, Any]
    for config, clusters in (
        ({"algorithm": "kmeans", "n_clusters": 3}, {0}),
        ({"algorithm": "hierarchical", "n_clusters": 3}, {0}),
        ({"algorithm": "hierarchical", "distance_threshold": 0.1}, {0}),
        ({"algorithm": "spectral", "n_clusters": 3}, {0}),
        ({"algorithm": "gaussian_mixture", "n_components": 2}, {0}),
        ({"algorithm": "dbscan", "eps": 0.1}, {0}),
        ({"algorithm": "optics"}, {0}),
        ({"algorithm": "mean_shift"}, {0}),
        ({"algorithm": "mean_shift", "bandwidth": 1.0}, {0}),
        ({"algorithm": "hdbscan", "min_cluster_size": 5}, {-1}),
        ({"algorithm": "hdbscan", "min_cluster_size": 5, "allow_single_cluster": True}, {0}),
    ):
        assert set(run(vectors, metric=metric, **config)[0].tolist()) == clusters, config


@pytest.mark.parametrize("documents", [40, 41, 45, 52])
@pytest.mark.parametrize("algorithm", ["hdbscan", "optics", "mean_shift", "dbscan"])
def test_more_components_than_documents_bear(documents: int, algorithm: str) -> None:
    needed: dict[str, dict[str, Any]]
    needed = {"hdbscan": {"min_cluster_size": 5}, "dbscan": {"eps": 0.5}, "mean_shift": {"bandwidth": 1.0}}
    vectors = np.random.default_rng(0).normal(size=(documents, 64)).astype(np.float32)
    config = {"algorithm": algorithm, "reduce": "umap", "n_components": 50, **needed.get(algorithm, {})}
    _, notes = run(vectors, **config)
    if documents < 52:
        said = f"n_components {documents - 2} instead of 50: UMAP lays out {documents} documents in no more dimensions"
        assert said in notes
    else:
        assert not any("instead of" in note for note in notes)


@pytest.mark.parametrize("documents", [FEWEST_ROWS, 43])
@pytest.mark.parametrize("components", [2, 3, 15, 30, 37, 38, 41])
def test_umap_lays_out_few_documents_in_any_number_of_dimensions(documents: int, components: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(documents, 64)).astype(np.float32)
    components = min(components, most_components(documents))
    assert embed(vectors, components, "euclidean", 0, epochs=2).shape == (documents, components)


@pytest.mark.parametrize("documents", [2, 3, 5, 10])
@pytest.mark.parametrize("neighbours", [1, 2, 5, 50])
@pytest.mark.parametrize("clusters", [1, 2, 5])
def test_spectral_with_few_documents_and_any_number_of_neighbours(
    documents: int, neighbours: int, clusters: int
) -> None:
    vectors = np.random.default_rng(0).normal(size=(documents, 8)).astype(np.float32)
    clusters = min(clusters, documents)
    config = {"algorithm": "spectral", "affinity": "nearest_neighbors", "n_neighbors": neighbours}
    labels, _ = run(vectors, n_clusters=clusters, **config)
    assert 1 <= len(set(labels.tolist())) <= clusters
