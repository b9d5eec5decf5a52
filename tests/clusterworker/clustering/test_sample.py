"""Tests of clusterings of a sample, which are used if the memory does not suffice for all documents."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from clustercontract.clustering import ClusteringConfig
from clusterworker.clustering.algorithms import choice, neighbours, node_embedding, sample
from clusterworker.clustering.algorithms.clustering import Clustering
from clusterworker.clustering.algorithms.sample import ALLOCATED, FAR, at_places, draw, nearest_sampled, thinned
from clusterworker.clustering.algorithms.start import Positions, Start
from clusterworker.data.arrays import NOISE, Labels, Vectors
from clusterworker.data.dataset import SpooledDataset, StreamedDataset
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.progress import Progress
from tests.clusterworker.clustering.carried_out import InMemory, carried_out
from tests.clusterworker.planted import planted

ROWS, DIMENSIONS, SPREAD = 3_000, 32, 0.06
BOUND = 0.1
"""Maximum loss of AMI of a sample of half of the documents, as in docs/reference/worker.md."""


@pytest.fixture(autouse=True)
def small_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "FEWEST_DOCUMENTS", 200)


def memory_for(documents: int, dimensions: int = DIMENSIONS, copies: bool = False) -> int:
    """The memory that a sample of this number of documents needs."""
    own = 4 * dimensions * (2 if copies else 1)
    return ALLOCATED + documents * (node_embedding.bytes_per_vector(dimensions) + own)


def scattered(rows: int = ROWS) -> tuple[Vectors, Labels]:
    """Planted groups, and a tenth of the documents outside of them."""
    data = planted(rows, 10, dimensions=DIMENSIONS, spread=SPREAD)
    noise = np.random.default_rng(1).normal(size=(rows // 10, DIMENSIONS)).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    return np.concatenate([data.vectors, noise]), np.r_[data.labels, np.full(len(noise), 10)]


def clustered(vectors: Vectors, tmp_path: Path, memory: int, start: Start | None = None, **config: Any) -> Clustering:
    parsed = ClusteringConfig.model_validate(config)
    progress = Progress(io.StringIO())
    collection: Any = InMemory(vectors)
    dataset = SpooledDataset(StreamedDataset([collection], parsed.metric, progress), tmp_path)
    return choice.cluster(dataset, parsed, 7, memory, progress, start)


@pytest.mark.parametrize(
    ("config", "with_size"),
    [
        ({"algorithm": "hdbscan", "min_cluster_size": 40}, " with min_cluster_size 20 instead of 40"),
        ({"algorithm": "hdbscan", "min_cluster_size": 40, "metric": "euclidean"},
         " with min_cluster_size 20 instead of 40"),
        ({"algorithm": "hdbscan", "min_cluster_size": 5}, ""),
        ({"algorithm": "optics", "min_samples": 15, "min_cluster_size": 100},
         " with min_cluster_size 50 instead of 100"),
        ({"algorithm": "mean_shift"}, ""),
        ({"algorithm": "evoc", "base_min_cluster_size": 40}, " with base_min_cluster_size 20 instead of 40"),
        ({"algorithm": "evoc", "approx_n_clusters": 10}, ""),
    ],
    ids=lambda value: " ".join(f"{one}" for one in value.values()) if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_sample_finds_what_all_documents_do(config: dict[str, Any], with_size: str) -> None:
    vectors, topics = scattered()
    rows = len(vectors)
    whole, _, _, notes = carried_out(vectors, **config)
    assert not any("sample" in note for note in notes)
    memory = memory_for(rows // 2)
    labels, _, _, notes = carried_out(vectors, memory=memory, **config)
    needed = (ALLOCATED + rows * node_embedding.bytes_per_vector(DIMENSIONS)) >> 20
    assert notes[0] == (
        f"EVōC's node embedding of {rows} documents of {DIMENSIONS} dimensions needs about {needed} MiB, and the "
        f"container may use {memory >> 20}: clustered a sample of {rows // 2} of {rows} documents{with_size}; "
        "the others join the cluster of their nearest sampled neighbour"
        f"{'' if config['algorithm'] == 'mean_shift' else ', or are noise far from it'}"
    )
    of_all, of_sample = (adjusted_mutual_info_score(topics, found) for found in (whole, labels))
    assert of_sample > of_all - BOUND
    again, _, _, _ = carried_out(vectors, memory=memory, **config)
    assert (again == labels).all(), "the same spec gives the same clusters"


def test_copies_stay_together(tmp_path: Path) -> None:
    vectors = np.repeat(planted(1_000, 6, dimensions=DIMENSIONS, spread=SPREAD).vectors, 3, axis=0)
    memory = memory_for(800, copies=True)
    found = clustered(vectors, tmp_path, memory, algorithm="hdbscan", min_cluster_size=60)
    assert found.labels is not None
    assert found.notes[0].startswith("EVōC's node embedding of 1000 distinct vectors of 32 dimensions needs about ")
    assert "clustered a sample of 800 of 3000 documents with min_cluster_size 16 instead of 60" in found.notes[0]
    assert (found.labels.reshape(1_000, 3) == found.labels[::3, None]).all()
    assert len(set(found.labels.tolist()) - {NOISE}) == 6


def test_layers_are_spread_with_the_tree_between_them(tmp_path: Path) -> None:
    vectors, _ = scattered()
    found = clustered(vectors, tmp_path, memory_for(len(vectors) // 2), algorithm="evoc", base_min_cluster_size=20)
    layered = found.layered
    assert layered is not None
    assert found.labels is not None
    assert (layered.labels[layered.chosen] == found.labels).all()
    for labels, centroids, parents, sizes in zip(
        layered.labels, layered.centroids, layered.parents, layered.sizes, strict=True
    ):
        assert len(labels) == len(vectors)
        assert len(centroids) == len(parents) == labels.max() + 1
        assert (np.diff(sizes) <= 0).all(), "the largest first"
        for cluster, above in enumerate(parents):
            own = vectors[labels == cluster].mean(axis=0)
            assert np.allclose(centroids[cluster], own / np.linalg.norm(own), atol=1e-5)
            if above is not None:
                assert set(layered.labels[above[0]][labels == cluster].tolist()) == {above[1]}
    assert sum(above is not None for parents in layered.parents for above in parents)


@pytest.mark.parametrize("config", [{"algorithm": "hdbscan", "min_cluster_size": 40}, {"algorithm": "mean_shift"}])
def test_the_next_run_goes_on_from_the_layout_of_the_sample(tmp_path: Path, config: dict[str, Any]) -> None:
    vectors, _ = scattered()
    memory = memory_for(len(vectors) // 2)
    found = clustered(vectors, tmp_path, memory, **config)
    assert found.layout is not None
    assert np.isfinite(found.layout.values[:, 0]).sum() == len(vectors) // 2
    changed = np.concatenate([vectors[100:], vectors[:100] + np.float32(0.3)])
    values = np.concatenate([found.layout.values[100:], np.full((100, 5), np.nan, np.float32)])
    start = Start("nightly-1", found.centroids, positions=Positions(found.layout.by, values), modes=found.modes)
    again = clustered(changed, tmp_path, memory, start, **config)
    assert again.begun is not None
    assert again.begun.start == "last"
    if found.modes is not None:
        assert len(found.modes) == len(found.centroids)
        assert found.labels is not None
        sampled = np.isfinite(found.layout.values[:, 0])
        apart = np.linalg.norm(found.layout.values[sampled][:, None] - found.modes[None], axis=2)
        assert (apart.argmin(axis=1) == found.labels[sampled]).mean() > 0.99, "each cluster has its own mode"


@pytest.mark.parametrize(
    ("config", "parameter"),
    [
        ({"algorithm": "dbscan", "eps": 0.3, "reduce": "auto"}, "eps"),
        ({"algorithm": "optics", "max_eps": 0.5}, "max_eps"),
        ({"algorithm": "mean_shift", "bandwidth": 0.4}, "bandwidth"),
    ],
)
def test_a_distance_between_reduced_vectors_would_mean_something_else_in_a_sample(
    config: dict[str, Any], parameter: str
) -> None:
    vectors, _ = scattered()
    with pytest.raises(
        MisconfiguredError,
        match=rf"may use \d+, and a sample cannot be used, because {parameter} is a distance between the reduced "
        r"vectors of all documents: raise run\.resources\.limits\.memory, or use algorithm: kmeans",
    ):
        carried_out(vectors, memory=memory_for(1_000), **config)


@pytest.mark.parametrize("reduce", ["umap", "none"])
def test_memory_of_other_ways_is_foreseen(reduce: str) -> None:
    vectors, topics = scattered()
    labels, _, _, notes = carried_out(
        vectors, memory=memory_for(1_000), algorithm="hdbscan", min_cluster_size=60, min_samples=10, reduce=reduce
    )
    assert re.match(
        rf"{'UMAP' if reduce == 'umap' else 'HDBSCAN'} of 3300 documents of 32 dimensions needs about \d+ MiB, and the "
        r"container may use \d+: clustered a sample of \d+ of 3300 documents with min_cluster_size \d+ instead of 60; ",
        notes[0],
    )
    assert adjusted_mutual_info_score(topics, labels) > 0.9


@pytest.mark.parametrize(
    ("size", "share", "expected"), [(100, 0.5, 50), (15, 0.5, 8), (15, 0.1, 5), (5, 0.1, 5), (2, 0.1, 2), (7, 1.0, 7)]
)
def test_least_sizes_shrink_with_the_sample(size: int, share: float, expected: int) -> None:
    assert thinned(size, share) == expected


def test_draws_are_uniform_and_hardly_change_with_the_documents() -> None:
    vectors = np.random.default_rng(0).normal(size=(20_000, 4)).astype(np.float32)
    drawn = draw(vectors, 5_000, 1)
    assert len(set(drawn.tolist())) == 5_000
    assert (np.diff(drawn) > 0).all()
    parts = np.bincount(drawn * 10 // len(vectors), minlength=10)
    assert (abs(parts - 500) < 100).all()
    moved = draw(np.concatenate([vectors[2_000:], vectors[:1_000] + 1]), 5_000, 1) + 2_000
    before = drawn[drawn >= 2_000]
    assert np.isin(before, moved).mean() > 0.99
    assert np.isin(drawn, draw(vectors, 5_000, 2)).mean() < 0.3, "another seed, other documents"


def test_copies_are_drawn_as_often_as_they_occur() -> None:
    vectors = np.zeros((10_000, 2), np.float32)
    vectors[9_000:, 0] = np.arange(1_000) + 1
    drawn = draw(vectors, 1_000, 0)
    assert 850 < (drawn < 9_000).sum() < 950


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "inverted file"])
def test_nearest_sampled(exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not exact:
        monkeypatch.setattr(neighbours, "EXACT_ROWS", 100)
    vectors = planted(2_000, 8, dimensions=16).vectors
    vectors[1_000] = vectors[0]
    chosen = draw(vectors, 400, 0)
    found = nearest_sampled(vectors, chosen, 0)
    assert (found.places[chosen] == np.arange(400)).all()
    assert found.places[1_000] == found.places[0]
    distances = np.sqrt(((vectors[:, None].astype(np.float64) - vectors[chosen][None]) ** 2).sum(axis=2))
    right = distances[np.arange(2_000), found.places] <= distances.min(axis=1) + 1e-5
    assert right.mean() > (0.999 if exact else 0.95)
    assert np.allclose(found.distances, distances[np.arange(2_000), found.places], atol=1e-3)
    among = distances[chosen]
    np.fill_diagonal(among, np.inf)
    assert np.isclose(found.own, among.min(axis=1), atol=1e-3).mean() > (0.999 if exact else 0.95)


def test_documents_far_from_a_cluster_do_not_join_it() -> None:
    generator = np.random.default_rng(0)
    group = generator.normal(size=(1_000, 3)).astype(np.float32)
    far = generator.normal(size=(50, 3)).astype(np.float32) + np.float32(30) * generator.choice([-1, 1], size=(50, 3))
    vectors = np.concatenate([group, far]).astype(np.float32)
    found = nearest_sampled(vectors, np.arange(0, 1_000, 2), 0)
    joining = found.joining(np.zeros(500, np.int32))
    assert (joining[1_000:] == FAR).all()
    assert (joining[:1_000] == FAR).mean() < 0.03
    assert (found.joining(np.full(500, NOISE, np.int32)) == found.places).all(), "noise may be any distance apart"
    assert (at_places(np.arange(500, dtype=np.int32), joining)[1_000:] == NOISE).all()


def test_the_distance_of_copies_does_not_count() -> None:
    vectors = np.repeat(np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32), 10, axis=0)
    found = nearest_sampled(vectors, np.arange(0, 1_000, 2), 0)
    assert (found.own > 0).all()
    assert np.isinf(nearest_sampled(np.ones((50, 3), np.float32), np.arange(10), 0).own).all()
