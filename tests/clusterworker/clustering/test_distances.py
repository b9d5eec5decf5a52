"""Tests of distances that are smaller than the rounding of single precision: copies, offsets, outliers, all scales."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn import cluster
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from clustercontract.clustering import ClusteringConfig
from clusterworker.clustering.algorithms.choice import _cluster_spooled as cluster_spooled
from clusterworker.clustering.algorithms.frame import Frame
from clusterworker.clustering.algorithms.kmeans import train, train_on
from clusterworker.clustering.algorithms.nearest import NearestCentroid, NearestDirection
from clusterworker.clustering.algorithms.neighbours import nearest_neighbours
from clusterworker.clustering.algorithms.pairs import Pairs
from clusterworker.clustering.algorithms.sample import _part
from clusterworker.clustering.algorithms.start import Begun, Start
from clusterworker.clustering.algorithms.task import InMemory as InMemoryDocuments
from clusterworker.clustering.algorithms.task import Task
from clusterworker.data.arrays import NOISE, Doubles, Labels, Vectors
from clusterworker.data.dataset import SpooledDataset, StreamedDataset
from clusterworker.process.progress import Progress
from tests.clusterworker.clustering.carried_out import InMemory, carried_out, distances_of
from tests.clusterworker.planted import planted

CONFIGS_THAT_REDUCE: list[dict[str, Any]] = [
    {"algorithm": "evoc", "approx_n_clusters": 5},
    {"algorithm": "hdbscan", "min_cluster_size": 10, "reduce": "auto"},
    {"algorithm": "hdbscan", "min_cluster_size": 10, "reduce": "umap"},
]


def run(vectors: Vectors, **config: Any) -> tuple[Labels, list[str]]:
    labels, _, _, notes = carried_out(vectors, **{"metric": "euclidean", **config})
    return labels, notes


def pairs_of_copies(count: int = 300, dimensions: int = 384, length: float = 20.0) -> Vectors:
    drawn = np.random.default_rng(0).normal(size=(count, dimensions))
    drawn *= length / np.linalg.norm(drawn, axis=1, keepdims=True)
    return np.concatenate([drawn, drawn]).astype(np.float32)


@pytest.mark.parametrize(
    "config",
    [
        {"algorithm": "dbscan", "eps": 0.001, "min_samples": 2},
        {"algorithm": "dbscan", "eps": 1e-6, "min_samples": 2},
        {"algorithm": "hierarchical", "distance_threshold": 0.001},
        {"algorithm": "hierarchical", "n_clusters": 300, "linkage": "ward"},
        {"algorithm": "hierarchical", "n_clusters": 300, "linkage": "single"},
        {"algorithm": "mean_shift", "bandwidth": 0.001, "reduce": "none"},
        {"algorithm": "optics", "min_samples": 2, "reduce": "none", "max_eps": 0.001},
        {"algorithm": "kmeans", "n_clusters": 300},
        {"algorithm": "spectral", "n_clusters": 300, "gamma": 0.001},
    ],
    ids=lambda config: "-".join(str(value) for value in config.values()),
)
@pytest.mark.parametrize("length", [20.0, 2e6, 2e-6])
def test_every_copy_is_found(config: dict[str, Any], length: float) -> None:
    share = length / 20
    scaled = {
        name: value * share if name in ("eps", "distance_threshold", "bandwidth", "max_eps") else value
        for name, value in config.items()
    }
    if "gamma" in scaled:
        scaled["gamma"] = scaled["gamma"] / share**2
    labels, _ = run(pairs_of_copies(length=length), **scaled)
    assert (labels[:300] == labels[300:]).all()
    assert len(set(labels.tolist())) == 300
    assert (np.bincount(labels) == 2).all()


def far_pairs(rows: int, dimensions: int, far: float) -> tuple[Vectors, Labels]:
    """Four groups: two at a distance of 1, and two others, also at 1, that are far from these."""
    generator = np.random.default_rng(0)
    groups = np.arange(rows, dtype=np.int32) % 4
    centres = np.zeros((4, dimensions))
    centres[1, 0] = 1
    centres[2:] = far / np.sqrt(dimensions)
    centres[3, 0] += 1
    spread = generator.normal(size=(rows, dimensions)) * 0.1 / np.sqrt(dimensions)
    return (centres[groups] + spread).astype(np.float32), groups


def near_copies(seed: int) -> Vectors:
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(3, 8))
    families = generator.integers(3, size=60)
    return (centres[families] + 1e-5 * generator.normal(size=(60, 8))).astype(np.float32)


@pytest.mark.parametrize(
    ("rows", "dimensions", "far"), [(800, 384, 1e4), (700, 768, 1e3), (2_500, 64, 1e3), (2_500, 64, 1e5)]
)
def test_two_far_pairs_of_groups(rows: int, dimensions: int, far: float) -> None:
    """No centre of a frame is near all four, so that distances within a pair drown in single precision."""
    vectors, groups = far_pairs(rows, dimensions, far)
    labels, _, quality, notes = carried_out(vectors, algorithm="kmeans", n_clusters=4, metric="euclidean")
    theirs = cluster.KMeans(4, n_init=3, random_state=0).fit(vectors.astype(np.float64))
    assert adjusted_rand_score(groups, labels) == 1
    assert quality.inertia == pytest.approx(theirs.inertia_, rel=1e-6)
    assert notes == []


@pytest.mark.parametrize("config", [{"algorithm": "hierarchical"}, {"algorithm": "spectral", "gamma": 10.0}])
def test_micro_clusters_of_two_far_pairs_of_groups(config: dict[str, Any]) -> None:
    vectors, groups = far_pairs(800, 384, 1e4)
    labels, notes = run(vectors, n_clusters=4, memory=1 << 20, **config)
    assert any("micro-clusters" in note for note in notes)
    assert adjusted_rand_score(groups, labels) == 1


def test_a_sample_of_two_far_pairs_of_groups() -> None:
    """Documents joined the nearest sampled one in single precision, in the other group of the pair."""
    vectors, groups = far_pairs(3_000, 64, 1e4)
    labels, notes = run(vectors, algorithm="optics", min_samples=10, reduce="none", memory=8 * 1_000**2)
    assert any("clustered a sample of 1000" in note for note in notes)
    inside = labels != NOISE
    assert inside.mean() > 0.9
    assert adjusted_rand_score(groups[inside], labels[inside]) == 1


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_families_of_near_copies_have_as_many_clusters_as_requested(metric: str) -> None:
    for seed in range(40):
        vectors = near_copies(seed)
        labels, _, quality, notes = carried_out(vectors, algorithm="kmeans", n_clusters=12, metric=metric)
        assert len(set(labels)) == 12, seed
        assert notes == []
        exact = vectors.astype(np.float64)
        exact /= np.linalg.norm(exact, axis=1, keepdims=True) if metric == "cosine" else 1
        theirs = cluster.KMeans(12, n_init=10, random_state=0, tol=0).fit(exact)
        assert quality.inertia is not None
        assert quality.inertia < 1.1 * theirs.inertia_, seed


def test_a_continued_training_separates_far_pairs_of_groups() -> None:
    vectors, groups = far_pairs(800, 384, 1e4)
    for last in (vectors[:3], vectors[:4], vectors[:9]):
        found, _ = train_on(last.copy(), vectors, 4, 300, "euclidean", 1)
        assert adjusted_rand_score(groups, NearestCentroid(found)(vectors)) == 1


@pytest.mark.parametrize(("metric", "median"), [("cosine", 0.03), ("euclidean", 1e-6)])
@pytest.mark.parametrize("algorithm", ["kmeans", "hierarchical"])
def test_distances_to_centroids_with_a_common_offset(metric: str, median: float, algorithm: str) -> None:
    """Centroids and unit vectors in single precision made them wrong by 14 % with cosine, and by 3 %."""
    generator = np.random.default_rng(0)
    groups = np.arange(300) % 3
    spread = generator.normal(size=(3, 8))[groups] * 2 + 0.15 * generator.normal(size=(300, 8))
    vectors = (spread + 1e6).astype(np.float32)
    labels, distances, central = distances_of(vectors, algorithm=algorithm, n_clusters=3, metric=metric)
    assert adjusted_rand_score(groups, labels) == 1
    exact = vectors.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True) if metric == "cosine" else 1
    centroids = np.stack([exact[labels == number].mean(axis=0) for number in range(3)])
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True) if metric == "cosine" else 1
    squares = ((exact - centroids[labels]) ** 2).sum(axis=1)
    expected = squares / 2 if metric == "cosine" else np.sqrt(squares)
    assert np.median(np.abs(distances / expected - 1)) < median
    for number, rows in enumerate(central):
        ranks = [(expected[labels == number] < expected[row]).sum() for row in rows]
        assert sorted(ranks) == [0, 1, 2]


@pytest.mark.parametrize("copies", [1, 40])
def test_the_nearest_of_close_centroids_far_from_others(copies: int) -> None:
    vectors, _ = far_pairs(400, 64, 1e5)
    centroids = np.ascontiguousarray(vectors[:20])
    vectors = np.repeat(vectors, copies, axis=0)
    exact = cdist(vectors.astype(np.float64), centroids.astype(np.float64), "sqeuclidean")
    labels, squares = NearestCentroid(centroids).with_squares(vectors)
    assert (labels == exact.argmin(axis=1)).all()
    assert np.allclose(squares, exact.min(axis=1), rtol=1e-3, atol=0)


def test_the_nearest_of_close_directions_far_from_others() -> None:
    generator = np.random.default_rng(0)
    families = np.concatenate([np.eye(3)[number] + 1e-5 * generator.normal(size=(100, 3)) for number in (0, 1, 1)])
    lengths = np.linalg.norm(families, axis=1)
    unit = (families / lengths[:, None]).astype(np.float32)
    centroids = np.ascontiguousarray(unit[::30])
    exact = cdist(unit.astype(np.float64), centroids.astype(np.float64), "sqeuclidean")
    ones = np.linalg.norm(unit.astype(np.float64), axis=1).astype(np.float32)
    labels, apart = NearestDirection(centroids)(unit, ones)
    chosen = exact[np.arange(len(unit)), labels]
    assert np.allclose(apart, chosen / 2, rtol=1e-2, atol=1e-13)
    assert (chosen <= exact.min(axis=1) * 1.01).all()


@pytest.mark.parametrize("far", [1e2, 1e4, 1e6, 1e9])
@pytest.mark.parametrize(
    "config",
    [
        {"algorithm": "optics", "min_samples": 10, "min_cluster_size": 30, "reduce": "none"},
        {"algorithm": "hierarchical", "n_clusters": 6, "linkage": "average"},
        {"algorithm": "mean_shift", "bandwidth": 0.5, "reduce": "none"},
        {"algorithm": "dbscan", "eps": 0.3, "min_samples": 5},
        {"algorithm": "hdbscan", "min_cluster_size": 20, "reduce": "none"},
        {"algorithm": "kmeans", "n_clusters": 6},
        {"algorithm": "spectral", "n_clusters": 6},
    ],
    ids=lambda config: config["algorithm"],
)
def test_one_far_document_blurs_no_others(far: float, config: dict[str, Any]) -> None:
    data = planted(300, 5, spread=0.05)
    vectors = np.concatenate([data.vectors, np.full((1, 16), far, np.float32)])
    labels, _ = run(vectors, **config)
    assert adjusted_mutual_info_score(data.labels, labels[:300]) > 0.97
    assert labels[300] not in labels[:300] or labels[300] == -1


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5])
@pytest.mark.parametrize("dimensions", [3, 70])
def test_pairs_as_in_double_precision(scale: float, offset: float, dimensions: int) -> None:
    generator = np.random.default_rng(1)
    vectors = ((generator.normal(size=(150, dimensions)) + offset) * scale).astype(np.float32)
    vectors[0] = 1e6 * scale
    vectors[2] = vectors[1]
    vectors[3] = np.nextafter(vectors[1], np.float32(np.inf))
    exact = cdist(vectors.astype(np.float64), vectors.astype(np.float64))
    pairs = Pairs(vectors, "euclidean")
    found = pairs.distances(slice(None))
    assert found == pytest.approx(exact, rel=1e-6, abs=0)
    for radius in (float(np.median(exact)), float(exact[1, 3])):
        for dtype in (np.float32, np.float64):
            assert (pairs.within(slice(None), slice(None), radius, dtype) == (exact <= radius)).all()
    nearest, distances = Pairs(vectors[:70], "euclidean", vectors[70:]).nearest(1 << 14)
    assert (nearest == exact[:70, 70:].argmin(axis=1)).all()
    assert distances == pytest.approx(exact[:70, 70:].min(axis=1), rel=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_neighbours_as_in_double_precision(offset: float) -> None:
    generator = np.random.default_rng(2)
    groups = np.array([-1e5, 1e5])[generator.integers(2, size=400)]
    drawn = generator.normal(size=(400, 6)) * 1e-3
    drawn[:, 0] = groups
    drawn[:, 1:] += offset * 1e-3
    vectors: Vectors = drawn.astype(np.float32)
    exact = cdist(vectors.astype(np.float64), vectors.astype(np.float64))
    indices, distances = nearest_neighbours(vectors, 7, "euclidean", 0)
    assert distances == pytest.approx(np.sort(exact, axis=1)[:, :7], rel=1e-5)
    assert np.take_along_axis(exact, indices, axis=1) == pytest.approx(distances, rel=1e-5)


@pytest.mark.parametrize(("offset", "scale"), [(0, 1), (1e4, 1), (1e6, 1), (0, 1e-25), (0, 1e12), (1e5, 1e-8)])
def test_k_means_far_from_the_origin_and_at_any_scale(offset: float, scale: float) -> None:
    data = planted(600, 5, spread=0.05)
    vectors = ((data.vectors + offset) * scale).astype(np.float32)
    centroids = train(vectors, 5, 100, "euclidean", 0)
    labels = NearestCentroid(centroids)(vectors)
    assert adjusted_rand_score(data.labels, labels) > 0.98


def test_k_means_of_a_narrow_cone() -> None:
    """All unit vectors point nearly the same way: cosine distances are 1e-6 and less."""
    data = planted(600, 5, spread=0.05)
    cone = data.vectors * 1e-3
    cone[:, 0] += 1
    unit = (cone / np.linalg.norm(cone.astype(np.float64), axis=1, keepdims=True)).astype(np.float32)
    centroids = train(unit, 5, 100, "cosine", 0)
    assert np.linalg.norm(centroids, axis=1) == pytest.approx(1, abs=1e-6)
    assert adjusted_rand_score(data.labels, NearestCentroid(centroids)(unit)) > 0.95


def with_an_offset(seed: int, offset: float) -> tuple[Vectors, Doubles]:
    """Groups and near copies whose offset is this many times their spread, and their exact cosine distances."""
    generator = np.random.default_rng([seed, int(offset)])
    dimensions = int(generator.integers(2, 12))
    drawn = generator.normal(size=(4, dimensions))[generator.integers(0, 4, 120)]
    drawn += generator.normal(size=drawn.shape) * 0.15
    if seed % 2:
        drawn[60:] = drawn[:60] + generator.normal(size=(60, dimensions)) * 0.02
    drawn += offset * np.sign(generator.normal(size=dimensions))
    vectors: Vectors = (drawn * 10.0 ** (3 * (seed % 3) - 3)).astype(np.float32)
    exact = vectors.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    distances: Doubles = cdist(exact, exact, "sqeuclidean") / 2
    return vectors, distances


@pytest.mark.parametrize("seed", [0, 3, 4, 5, 6, 9, 14])
@pytest.mark.parametrize("offset", [1e2, 1e3, 1e4])
def test_cosine_with_a_common_offset_as_scikit_learn_in_double_precision(seed: int, offset: float) -> None:
    """Unit vectors that point nearly the same way differ by 1e-5 and less, which float32 does not resolve."""
    vectors, exact = with_an_offset(seed, offset)
    values = np.unique(exact)
    fifth = np.partition(exact, 4, axis=1)[:, 4]
    first, last = np.searchsorted(values, [fifth.min(), np.quantile(fifth, 0.9)])
    between = [place for place in range(first, last) if 0 < values[place] < values[place + 1] * (1 - 1e-5)]
    for place in np.random.default_rng(seed).choice(between, 4, replace=False):
        eps = float(np.sqrt(values[place] * values[place + 1]))
        labels, *_ = carried_out(vectors, algorithm="dbscan", eps=eps, min_samples=5, reduce="none")
        theirs = cluster.DBSCAN(eps=eps, min_samples=5, metric="precomputed").fit(exact)
        cores = theirs.core_sample_indices_
        assert adjusted_rand_score(labels[cores], theirs.labels_[cores]) == 1
        assert ((labels == NOISE) == (theirs.labels_ == NOISE)).all()
        for linkage, threshold in (("single", eps), ("average", 20 * eps), ("complete", 20 * eps)):
            labels, *_ = carried_out(vectors, algorithm="hierarchical", linkage=linkage, distance_threshold=threshold)
            model = cluster.AgglomerativeClustering(
                n_clusters=None, distance_threshold=threshold, linkage=linkage, metric="precomputed"
            )
            assert adjusted_rand_score(labels, model.fit(exact).labels_) == 1
    labels, *_ = carried_out(vectors, algorithm="optics", min_samples=5, reduce="none")
    model = cluster.OPTICS(min_samples=5, metric="precomputed").fit(exact)
    assert adjusted_rand_score(labels, model.labels_) == 1


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("offset", [1e2, 1e3, 1e4])
def test_mean_shift_with_cosine_and_a_common_offset_as_scikit_learn(seed: int, offset: float) -> None:
    vectors, exact = with_an_offset(seed, offset)
    unit = vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    for quantile in (0.02, 0.05, 0.1):
        bandwidth = float(np.sqrt(2 * np.quantile(exact[exact > 0], quantile)))
        labels, *_ = carried_out(vectors, algorithm="mean_shift", bandwidth=bandwidth, reduce="none")
        theirs = cluster.MeanShift(bandwidth=1).fit((unit - np.median(unit, axis=0)) / bandwidth)
        assert adjusted_rand_score(labels, theirs.labels_) == 1


@pytest.mark.parametrize("seed", range(6))
def test_the_first_batch_does_not_tell_what_the_others_have_in_common(seed: int) -> None:
    """The vectors of the first batch point everywhere, and those of all others nearly the same way."""
    generator = np.random.default_rng(seed)
    drawn = generator.normal(size=(4, 6))[generator.integers(0, 4, 80)] + generator.normal(size=(80, 6)) * 0.15
    drawn += 1e5 * np.sign(generator.normal(size=6))
    vectors: Vectors = np.concatenate([generator.normal(size=(41, 6)), drawn]).astype(np.float32)
    exact = vectors.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    distances = cdist(exact, exact, "sqeuclidean") / 2
    eps = 1.01 * float(np.median(np.partition(distances[41:], 4, axis=1)[:, 4]))
    labels, *_ = carried_out(vectors, algorithm="dbscan", eps=eps, min_samples=5, reduce="none")
    theirs = cluster.DBSCAN(eps=eps, min_samples=5, metric="precomputed").fit(distances)
    assert (labels == NOISE).tolist() == (theirs.labels_ == NOISE).tolist()
    assert adjusted_rand_score(labels, theirs.labels_) == 1


@pytest.mark.parametrize("config", CONFIGS_THAT_REDUCE, ids=lambda config: "-".join(map(str, config.values())))
def test_a_reduction_compares_what_vectors_differ_by(config: dict[str, Any]) -> None:
    """The vectors themselves have lost it."""
    data = planted(400, 5, spread=0.05)
    lost = np.tile(data.vectors[:1], (400, 1))
    documents = InMemoryDocuments(lost, data.vectors, lost[0].astype(np.float64))
    parameters: Any = ClusteringConfig.model_validate({"metric": "cosine", **config}).parameters()
    found = cluster_spooled(Task(documents, "cosine", 7, 1 << 30, Progress()), parameters)
    assert found.labels is not None
    assert adjusted_rand_score(data.labels, found.labels) > 0.9


@pytest.mark.parametrize("algorithm", ["spectral", "hierarchical"])
def test_micro_clusters_compare_what_vectors_differ_by(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"clusterworker.clustering.algorithms.{algorithm}.MOST_DOCUMENTS", 100)
    data = planted(400, 5, spread=0.05)
    lost = np.tile(data.vectors[:1], (400, 1))
    documents = InMemoryDocuments(lost, data.vectors, lost[0].astype(np.float64))
    config = ClusteringConfig.model_validate({"metric": "cosine", "algorithm": algorithm, "n_clusters": 5})
    parameters: Any = config.parameters()
    found = cluster_spooled(Task(documents, "cosine", 7, 1 << 30, Progress()), parameters)
    assert found.labels is not None
    assert adjusted_rand_score(data.labels, found.labels) > 0.9


@pytest.mark.parametrize("offset", [1e2, 1e3, 1e4])
def test_differences_keep_their_digits_also_in_a_sample(offset: float, tmp_path: Path) -> None:
    """hdbscan and spectral compare them, too."""
    vectors, exact = with_an_offset(4, offset)
    collection: Any = InMemory(vectors)
    dataset = SpooledDataset(StreamedDataset([collection], "cosine", Progress()), tmp_path)
    assert np.linalg.norm(dataset.vectors, axis=1) == pytest.approx(1, abs=1e-6)
    chosen = np.arange(0, 120, 2)
    part = _part(Task(dataset, "cosine", 0, 1 << 30, Progress()), chosen).dataset
    for differences, expected in ((dataset.differences, exact), (part.differences, exact[np.ix_(chosen, chosen)])):
        found = Pairs(differences, "cosine").distances(slice(None))
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-14)
    assert np.array_equal(part.vectors, dataset.vectors[chosen])


def test_usual_directions_are_stored_once(tmp_path: Path) -> None:
    collection: Any = InMemory(planted(300, 5).vectors)
    dataset = SpooledDataset(StreamedDataset([collection], "cosine", Progress()), tmp_path)
    assert dataset.differences is dataset.vectors


def test_gaussian_mixture_far_from_the_origin() -> None:
    data = planted(400, 4, spread=0.05)
    labels, _ = run(data.vectors + np.float32(1e4), algorithm="gaussian_mixture", n_components=4)
    assert adjusted_rand_score(data.labels, labels) > 0.95


def test_usual_vectors_are_left_where_they_are() -> None:
    vectors = planted(100, 5).vectors
    frame = Frame.of(vectors)
    assert frame.into(vectors) is vectors
    assert frame.back(vectors) is vectors
    moved = Frame.of(vectors + np.float32(100))
    assert moved.back(moved.into(vectors + np.float32(100))) == pytest.approx(vectors + 100, rel=1e-6)


@pytest.mark.parametrize("offset", [1e2, 1e4])
def test_modes_of_mean_shift_are_positions_of_unit_vectors(offset: float, tmp_path: Path) -> None:
    """The next run has another common direction, and continues from them."""
    data = planted(200, 4, dimensions=6, spread=0.05)
    collection: Any = InMemory((data.vectors + offset).astype(np.float32))
    dataset = SpooledDataset(StreamedDataset([collection], "cosine", Progress()), tmp_path)
    assert dataset.common is not None
    config = {"algorithm": "mean_shift", "bandwidth": 0.25 / offset, "reduce": "none"}
    parameters: Any = ClusteringConfig.model_validate(config).parameters()
    task = Task(dataset, "cosine", 7, 1 << 30, Progress())
    first = cluster_spooled(task, parameters)
    assert first.modes is not None
    assert first.labels is not None
    assert np.linalg.norm(first.modes, axis=1) == pytest.approx(1, abs=1e-3)
    start = Start("nightly-1", first.centroids, modes=first.modes)
    second = cluster_spooled(replace(task, start=start), parameters)
    assert second.begun == Begun("last")
    assert second.labels is not None
    assert second.labels.tolist() == first.labels.tolist()
