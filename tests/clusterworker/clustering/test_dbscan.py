"""Tests of DBSCAN, compared with scikit-learn's."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn import cluster
from sklearn.metrics import adjusted_rand_score

from clustercontract.algorithms import DBSCAN
from clusterworker.clustering.algorithms import dbscan
from clusterworker.clustering.algorithms.dbscan import find_clusters
from clusterworker.data.arrays import Labels, Vectors
from clusterworker.process.errors import MisconfiguredError
from tests.clusterworker.clustering.carried_out import carried_out
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write


def scattered(documents: int, dimensions: int) -> Vectors:
    vectors = np.random.default_rng(1).normal(size=(documents, dimensions))
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def labels_of(pod: Pod, **config: Any) -> tuple[Labels, list[str]]:
    spec = pod.spec({"algorithm": "dbscan", **config})
    result = pod.run(spec)
    return pq.read_table(pod.folder(spec) / "members.parquet")["cluster_id"].to_numpy(), result.notes


@pytest.mark.parametrize(
    ("metric", "eps"), [("cosine", 0.02), ("cosine", 0.05), ("euclidean", 0.2), ("euclidean", 0.3)]
)
@pytest.mark.parametrize("min_samples", [1, 5, 20])
def test_same_core_points_and_noise_as_scikit_learn(metric: str, eps: float, min_samples: int) -> None:
    vectors = np.concatenate([planted(900, 6, spread=0.05).vectors, scattered(150, 16)])
    ours = find_clusters(vectors, np.arange(len(vectors)), DBSCAN(eps=eps, min_samples=min_samples), metric)
    theirs = cluster.DBSCAN(eps=eps, min_samples=min_samples, metric=metric).fit(vectors)
    cores = theirs.core_sample_indices_
    assert adjusted_rand_score(theirs.labels_[cores], ours[cores]) == 1
    assert ((ours == -1) == (theirs.labels_ == -1)).all()
    assert adjusted_rand_score(theirs.labels_, ours) > 0.98


def test_blocks_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.concatenate([planted(500, 6, spread=0.05).vectors, scattered(80, 16)])
    everything = np.arange(len(vectors))
    parameters = DBSCAN(eps=0.04, min_samples=5)
    whole = find_clusters(vectors, everything, parameters, "cosine")
    monkeypatch.setattr(dbscan, "BLOCK_BYTES", 4 * len(vectors) * 37)
    assert (find_clusters(vectors, everything, parameters, "cosine") == whole).all()


def test_chains_are_followed_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = np.random.default_rng(0).permutation(300)
    vectors = np.stack([steps, np.zeros(300)], axis=1).astype(np.float32)
    monkeypatch.setattr(dbscan, "BLOCK_BYTES", 4 * 300 * 7)
    labels = find_clusters(vectors, np.arange(300), DBSCAN(eps=1.01, min_samples=2), "euclidean")
    assert set(labels) == {0}


def test_finds_planted_clusters(pod: Pod) -> None:
    data = planted(1_200, 8, dimensions=64, spread=0.03)
    write(pod.volume / "data.parquet", np.concatenate([data.vectors, scattered(100, 64)]))
    labels, notes = labels_of(pod, eps=0.1)
    assert adjusted_rand_score(data.labels, labels[:1_200]) > 0.98
    assert (labels[1_200:] == -1).all()
    assert notes == []


def test_on_request_after_a_reduction(pod: Pod) -> None:
    data = planted(600, 5, dimensions=64, spread=0.03)
    write(pod.volume / "data.parquet", data.vectors)
    labels, notes = labels_of(pod, eps=1.0, reduce="umap", n_components=3)
    assert adjusted_rand_score(data.labels, labels) > 0.98
    assert notes == ["clustered after UMAP from 64 to 3 dimensions"]


def test_core_points_of_a_sample_above_the_limit(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    data = planted(4_000, 8, spread=0.05)
    write(pod.volume / "data.parquet", data.vectors)
    monkeypatch.setattr(dbscan, "MOST_DOCUMENTS", 1_500)
    labels, notes = labels_of(pod, eps=0.05, min_samples=10)
    assert adjusted_rand_score(data.labels, labels) > 0.98
    assert notes == [
        "4000 documents are more than the limit of 1500 for comparing all pairs: core points were searched in a "
        "sample of 1500 of them"
    ]
    assert (labels_of(pod, eps=0.05, min_samples=10)[0] == labels).all()


@pytest.mark.parametrize(
    ("eps", "says"),
    [(1e-4, "no cluster found, all documents are noise: raise eps"),
     (1.5, "nearly all documents are in one cluster: lower eps")],
)  # fmt: skip
def test_says_which_eps_would_do(pod: Pod, eps: float, says: str) -> None:
    write(pod.volume / "data.parquet", planted(300, 5, spread=0.2).vectors)
    _, [note, *_] = labels_of(pod, eps=eps)
    assert note.startswith(f"{says}; a tenth of the documents have 5 within 0.")


def test_advice_in_large_units_has_all_digits() -> None:
    """It was 3.15e+03."""
    vectors = planted(120, 2, spread=0.2).vectors * np.float32(1e4)
    _, _, _, [note, *_] = carried_out(vectors, algorithm="dbscan", metric="euclidean", eps=1.0)
    assert re.search(r"have 5 within \d{4,5}, half of them within \d{4,5}$", note), note


def test_advice_on_copies_names_a_distance_that_splits_them() -> None:
    """It said that half of the documents have as many within 0, which no eps is."""
    vectors = np.repeat(planted(60, 3, spread=0.05).vectors, 6, axis=0)
    _, _, _, [note, *_] = carried_out(vectors, algorithm="dbscan", eps=1.5)
    assert note.startswith("nearly all documents are in one cluster: lower eps; a tenth of the distinct vectors have")
    eps, clusters = re.search(r"set eps: (\S+), which finds (\d+)$", note).groups()  # type: ignore[union-attr]
    labels, _, _, notes = carried_out(vectors, algorithm="dbscan", eps=float(eps))
    assert len(set(labels[labels >= 0].tolist())) == int(clusters)
    assert len(set(labels.tolist())) >= 3
    assert not any("eps" in note for note in notes)


def star() -> Vectors:
    vectors = np.eye(41, dtype=np.float32)
    vectors[0] = 0
    return vectors


@pytest.mark.parametrize(
    ("vectors", "min_samples"), [(np.arange(12, dtype=np.float32)[:, None], 2), (star(), 5)], ids=["line", "star"]
)
def test_no_eps_is_named_that_is_not_lower(vectors: Vectors, min_samples: int) -> None:
    """The note said to lower eps, and named distances at or above it."""
    config: dict[str, Any] = {"algorithm": "dbscan", "metric": "euclidean", "eps": 1.0, "min_samples": min_samples}
    labels, _, _, [note, *_] = carried_out(vectors, **config)
    assert set(labels.tolist()) == {0}
    assert note == (
        "nearly all documents are in one cluster: no region is denser than others around it, also with a lower eps: "
        "use algorithm: kmeans to divide them"
    )


@pytest.mark.parametrize("seed", range(10))
def test_a_lower_eps_that_is_named_separates_clusters(seed: int) -> None:
    generator = np.random.default_rng(seed)
    vectors = planted(200, int(generator.integers(2, 6)), spread=float(generator.uniform(0.01, 0.5))).vectors
    config: dict[str, Any] = {"algorithm": "dbscan", "metric": "euclidean", "min_samples": 4}
    _, _, _, [note, *_] = carried_out(vectors, eps=float(generator.uniform(1, 3)), **config)
    if found := re.search(r"set eps: (\S+), which finds (\d+)$", note):
        labels, _, _, notes = carried_out(vectors, eps=float(found[1]), **config)
        assert len(set(labels[labels >= 0].tolist())) == int(found[2])
        assert not any("eps" in note for note in notes)
    else:
        assert "no region is denser" in note or "eps" not in note


def test_advice_on_eps_counts_documents() -> None:
    """The shares were those of distinct vectors, and interpolated between the distances of two of them."""
    vectors = np.concatenate([planted(100, 4, spread=0.4).vectors, np.repeat(planted(5, 5).vectors, 20, axis=0)])
    _, _, _, [note, *_] = carried_out(vectors, algorithm="dbscan", metric="euclidean", eps=1e-4, min_samples=25)
    found = re.search(r"a tenth of the documents have 25 within (\S+), half of them within (\S+)$", note)
    assert found, note
    apart = np.sort(np.linalg.norm(vectors[:, None].astype(float) - vectors, axis=2), axis=1)[:, 24]
    for share, said in zip((0.1, 0.5), map(float, found.groups()), strict=True):
        assert (apart <= said).mean() >= share
        assert (apart < 0.98 * said).mean() < share


@pytest.mark.parametrize("eps", [1e-3, 0.5])
def test_copies_of_one_document_get_no_advice_on_eps(eps: float) -> None:
    """The note said that a tenth of the documents had 5 within 0.07, and to lower eps, although 99 % are copies."""
    vectors = np.concatenate([np.repeat(planted(1, 1).vectors, 990, axis=0), planted(10, 1, spread=0.3).vectors])
    _, _, _, notes = carried_out(vectors, algorithm="dbscan", eps=eps)
    assert notes[0] == (
        "nearly all documents are in one cluster, because 990 of the 1000 documents have equal vectors, which no eps "
        "separates"
    )


def test_equal_documents_get_no_advice_on_eps() -> None:
    _, _, _, notes = carried_out(np.ones((20, 8), np.float32), algorithm="dbscan", eps=0.1)
    assert notes[0] == "nearly all documents are in one cluster, because all vectors are equal"


def test_more_samples_than_documents(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(30, 3).vectors)
    with pytest.raises(MisconfiguredError, match="min_samples 31 is more than the 30 documents: lower min_samples"):
        labels_of(pod, eps=0.1, min_samples=31)
