"""Tests of OPTICS, compared with scikit-learn's."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn import cluster
from sklearn.metrics import adjusted_rand_score

from clustercontract.algorithms import OPTICS
from clusterworker.clustering.algorithms.core_distance import core_distances
from clusterworker.clustering.algorithms.optics import all_pairs, find_clusters, order
from clusterworker.data.arrays import NOISE, Labels, Vectors
from clusterworker.process.errors import MisconfiguredError
from tests.clusterworker.clustering.carried_out import carried_out
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write


def labels_of(pod: Pod, memory: int = 4 << 30, **config: Any) -> tuple[Labels, list[str]]:
    spec = pod.spec({"algorithm": "optics", **config})
    result = pod.run(spec, memory)
    return pq.read_table(pod.folder(spec) / "members.parquet")["cluster_id"].to_numpy(), result.notes


def test_a_drop_in_density_by_all_of_it() -> None:
    """xi 1 is allowed, and scikit-learn divides by 1 - xi."""
    vectors = np.concatenate([planted(60, 2, dimensions=8).vectors, -np.eye(8, dtype=np.float32)])
    labels, *_ = carried_out(vectors, algorithm="optics", xi=1.0, reduce="none")
    nearly, *_ = carried_out(vectors, algorithm="optics", xi=1 - 1e-9, reduce="none")
    assert (labels == nearly).all()


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("config", [{}, {"min_samples": 12}, {"max_eps": 0.3}, {"xi": 0.1, "min_cluster_size": 30}])
def test_walks_as_scikit_learn_does(metric: str, config: dict[str, float]) -> None:
    vectors = planted(400, 6, dimensions=8, spread=0.08).vectors
    parameters = OPTICS.model_validate(config)
    pairs = all_pairs(vectors, metric)
    cores = core_distances(pairs, parameters.min_samples)
    walk = order(pairs, cores, config.get("max_eps", np.inf))
    theirs = cluster.OPTICS(metric=metric, **({"max_eps": np.inf} | config)).fit(vectors)
    finite = np.isfinite(theirs.reachability_)
    assert (np.isfinite(walk.reachability) == finite).all()
    same = np.isclose(walk.reachability[finite], theirs.reachability_[finite], atol=1e-4)
    assert same.mean() > 0.98, "rounding may change the order of near equals"
    assert adjusted_rand_score(theirs.labels_, find_clusters(vectors, parameters, metric)) > 0.98


def test_finds_planted_clusters_in_many_dimensions(pod: Pod) -> None:
    data = planted(600, 6, dimensions=96, spread=0.06)
    write(pod.volume / "data.parquet", data.vectors)
    labels, notes = labels_of(pod, min_cluster_size=50, min_samples=15)
    inside = labels >= 0
    assert inside.mean() > 0.7
    assert adjusted_rand_score(data.labels[inside], labels[inside]) > 0.98
    assert notes == ["clustered after EVōC's node embedding from 96 to 5 dimensions"]


def test_a_sample_above_the_limit_finds_what_all_documents_do(pod: Pod) -> None:
    data = planted(6_000, 6, dimensions=6, spread=0.03)
    write(pod.volume / "data.parquet", data.vectors)
    config = {"min_cluster_size": 300, "min_samples": 20}
    whole, notes = labels_of(pod, **config)
    assert notes == []
    labels, notes = labels_of(pod, memory=8 * 1_500**2, **config)
    assert notes == [
        "6000 documents are more than the limit of 1500 for comparing all pairs: "
        "clustered a sample of 1500 of them; the others join the cluster of their nearest sampled neighbour, "
        "or are noise far from it"
    ]
    assert adjusted_rand_score(whole, labels) > 0.98
    assert adjusted_rand_score(data.labels, labels) > 0.98
    assert (labels_of(pod, memory=8 * 1_500**2, **config)[0] == labels).all()


def test_all_noise_is_a_result_and_says_so(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(60, 3, dimensions=4).vectors)
    labels, notes = labels_of(pod, max_eps=1e-9)
    assert (labels == -1).all()
    [note] = [note for note in notes if note.startswith("no cluster found, all documents are noise: set max_eps: ")]
    max_eps, clusters = re.fullmatch(r".*max_eps: (\S+), which finds (\d+)", note).groups()  # type: ignore[union-attr]
    labels, _ = labels_of(pod, max_eps=float(max_eps))
    assert labels.max() + 1 == int(clusters)


GROUPS = planted(150, 3, dimensions=4, spread=0.3).vectors


@pytest.mark.parametrize("max_eps", [0.2, 0.3, 0.5])
def test_advice_on_noise_has_been_tried(max_eps: float) -> None:
    """Even if all documents have their neighbours within max_eps, clusters can be smaller than min_cluster_size."""
    config: dict[str, Any] = {"algorithm": "optics", "metric": "euclidean", "min_samples": 5, "max_eps": max_eps}
    _, _, _, notes = carried_out(GROUPS, **config, min_cluster_size=120)
    advice = notes[0].removeprefix("no cluster found, all documents are noise: set ")
    values, clusters = re.fullmatch(r"(.*), which finds (\d+)", advice).groups()  # type: ignore[union-attr]
    followed = {name: float(value) for name, value in (part.split(": ") for part in values.split(" and "))}
    size = int(followed.pop("min_cluster_size", 120))
    labels, _, _, _ = carried_out(GROUPS, **config | followed, min_cluster_size=size)
    assert len(set(labels.tolist()) - {NOISE}) == int(clusters) > 0


BLOB = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
UNIFORM = np.random.default_rng(1).uniform(size=(300, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("vectors", "config"),
    [
        pytest.param(BLOB, {"min_samples": 50}, id="min_samples and its default of min_cluster_size"),
        pytest.param(UNIFORM, {"min_samples": 50}, id="uniform"),
        pytest.param(BLOB, {"min_samples": 40, "min_cluster_size": 30}, id="sizes of its own"),
    ],
)
def test_advice_on_one_cluster_has_been_tried(vectors: Vectors, config: dict[str, Any]) -> None:
    _, _, _, notes = carried_out(vectors, algorithm="optics", metric="euclidean", **config)
    advice = next(note for note in notes if note.startswith("nearly all documents are in one cluster: "))
    found = re.search(r"set (\w+)(?: and (\w+))?: (\S+), which finds (\d+)$", advice)
    if found is None:
        assert advice.endswith("use algorithm: kmeans to divide them")
        return
    value = float(found[3]) if found[1] == "xi" else int(found[3])
    followed = config | {name: value for name in found.groups()[:2] if name}
    labels, _, _, notes = carried_out(vectors, algorithm="optics", metric="euclidean", **followed)
    assert len(set(labels.tolist()) - {NOISE}) == int(found[4]) > 1
    assert not any(note.startswith("nearly all") for note in notes)


def test_sizes_above_a_thousand_are_advised_as_they_were_tried() -> None:
    """1059 was written as 1.06e+03, which is not a whole number for the field, and not the value."""
    vectors = planted(2_400, 2, dimensions=3, spread=0.05).vectors
    sizes = {"min_samples": 10, "min_cluster_size": 2_118}
    _, _, _, notes = carried_out(vectors, algorithm="optics", metric="euclidean", **sizes)
    assert notes[0] == "nearly all documents are in one cluster: set min_cluster_size: 1059, which finds 2"


def test_a_line_has_no_denser_region() -> None:
    line = np.linspace(0, 1, 200, dtype=np.float32)[:, None] * np.ones((1, 4), np.float32)
    _, _, _, notes = carried_out(line, algorithm="optics", metric="euclidean")
    assert notes[0] == (
        "nearly all documents are in one cluster: no region is denser than others around it, also with a lower xi, "
        "min_samples or min_cluster_size: use algorithm: kmeans to divide them"
    )


@pytest.mark.parametrize("parameter", ["min_samples", "min_cluster_size"])
def test_more_than_documents(pod: Pod, parameter: str) -> None:
    write(pod.volume / "data.parquet", planted(30, 3).vectors)
    with pytest.raises(MisconfiguredError, match=f"{parameter} 31 is more than the 30 documents: lower {parameter}"):
        labels_of(pod, **{parameter: 31})
