"""Tests of mean shift, compared with scikit-learn's."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.cluster import MeanShift as Theirs
from sklearn.cluster import estimate_bandwidth
from sklearn.metrics import adjusted_rand_score

from clusterworker.clustering.algorithms import mean_shift
from clusterworker.clustering.algorithms.mean_shift import Rested, climb, estimate, last_modes
from clusterworker.clustering.algorithms.reduction import Space
from clusterworker.clustering.algorithms.start import Begun, Positions, Start
from clusterworker.data.arrays import Labels
from clusterworker.process.errors import MisconfiguredError
from tests.clusterworker.clustering.carried_out import carried_out
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write


def labels_of(pod: Pod, **config: Any) -> tuple[Labels, list[str]]:
    spec = pod.spec({"algorithm": "mean_shift", **config})
    result = pod.run(spec)
    return pq.read_table(pod.folder(spec) / "members.parquet")["cluster_id"].to_numpy(), result.notes


@pytest.mark.parametrize("bandwidth", [0.25, 0.5, 0.8])
@pytest.mark.parametrize("max_iter", [1, 300])
def test_windows_rest_where_scikit_learns_do(bandwidth: float, max_iter: int) -> None:
    vectors = planted(400, 6, dimensions=5, spread=0.1).vectors
    theirs = Theirs(bandwidth=bandwidth, max_iter=max_iter).fit(vectors).cluster_centers_
    ours = climb(vectors, np.ones(len(vectors), np.int64), bandwidth, max_iter).modes()
    assert ours.shape == theirs.shape
    assert np.allclose(ours, theirs, atol=1e-5)


def test_a_mode_of_the_last_run_stays_where_another_one_is_fuller() -> None:
    """Two modes within a bandwidth are one, and a few documents can change which of them has more documents."""
    rested = Rested(np.array([[0.0, 0], [0.0, 0], [0.6, 0], [5, 0]]), np.array([38, 38, 40, 9]), last=1, bandwidth=0.7)
    assert rested.modes()[:, 0].tolist() == [0.6, 5]
    points = np.repeat(np.array([[0, 0], [0.3, 0], [5, 0]], np.float32), (20, 60, 9), axis=0)
    kept, better = rested.modes_after_last(points, np.ones(89, np.int64))
    assert kept[:, 0].tolist() == [0, 5], "it goes on, and what is far from it is found, too"
    assert better == 0


def test_nearer_modes_are_added_as_far_as_they_are_missed() -> None:
    """If that does not suffice, the fresh start is better by a share of the inertia."""
    windows = np.array([[0.0, 0], [0.0, 0], [0.8, 0], [0, 0.9], [0.3, 0]])
    rested = Rested(windows, np.array([30, 30, 29, 28, 40]), last=1, bandwidth=1.0)
    points = np.array([[0, 0], [0.8, 0], [0, 0.9]], np.float32)
    assert rested.modes().tolist() == [[0.3, 0]]
    kept, better = rested.modes_after_last(points, np.array([40, 1, 0]))
    assert kept.tolist() == [[0, 0]], "it is as good as the fresh one"
    several = Rested(windows, np.array([30, 30, 29, 28, 40]), last=1, bandwidth=0.75)
    assert several.modes().tolist() == [[0.3, 0], [0, 0.9]]
    kept, better = several.modes_after_last(points, np.array([40, 0, 9]))
    assert kept.tolist() == [[0, 0], [0, 0.9]]
    assert better == 0
    kept, better = several.modes_after_last(np.array([[0.3, 0], [0, 0.9]], np.float32), np.array([40, 9]))
    assert better == pytest.approx(1), "what is in the last one's window is no mode beside it"


def test_windows_of_the_last_run_climb_with_the_others() -> None:
    data = planted(400, 6, dimensions=5, spread=0.1)
    ones = np.ones(400, np.int64)
    fresh = climb(data.vectors, ones, 0.5, 300).modes()
    starts = np.stack([data.vectors[data.labels == label][0] for label in (4, 1)]).astype(np.float64)
    rested = climb(data.vectors, ones, 0.5, 300, starts)
    assert np.array_equal(rested.modes(), fresh)
    found, _ = rested.modes_after_last(data.vectors, ones)
    assert sorted(map(tuple, found.round(4))) == sorted(map(tuple, fresh.round(4)))
    middles = [data.vectors[data.labels == label].mean(axis=0) for label in (4, 1)]
    nearest = [int(np.linalg.norm(found - middle, axis=1).argmin()) for middle in middles]
    assert sorted(nearest) == [0, 1], "those of the last run come first"


def test_windows_of_the_last_run_rest_where_they_would_hardly_move() -> None:
    data = planted(400, 6, dimensions=5, spread=0.1)
    ones = np.ones(400, np.int64)
    fresh = climb(data.vectors, ones, 0.5, 300).modes()
    near = fresh + 0.02
    rested = climb(data.vectors, ones, 0.5, 300, near, resting=0.1)
    assert np.allclose(rested.modes_after_last(data.vectors, ones)[0], near)
    moved, _ = climb(data.vectors, ones, 0.5, 300, near).modes_after_last(data.vectors, ones)
    assert not np.allclose(moved, near, atol=0.01)
    nowhere = np.concatenate([near, np.full((1, 5), 9.0)])
    found = climb(data.vectors, ones, 0.5, 300, nowhere, resting=0.1).modes_after_last(data.vectors, ones)
    assert np.allclose(found[0], near), "a window without documents is gone"


def test_modes_move_with_the_layout() -> None:
    """The modes are stored with the documents around them; they are not used in another space than this run's."""
    positions = planted(200, 4, dimensions=3, spread=0.05)
    modes = np.stack([positions.vectors[positions.labels == label].mean(axis=0) for label in range(4)])
    by = np.array([[0.1, 0, 0], [0, 0.2, 0], [0, 0, 0.3], [0, 0, 0]], np.float32)
    last = positions.vectors.copy()
    last[::5] = np.nan
    space = Space(positions.vectors + by[positions.labels], "euclidean", reduced=True, begun=Begun("last"))
    start = Start("nightly-1", np.eye(4, 3, dtype=np.float32), positions=Positions("EVōC", last), modes=modes)
    assert last_modes(start, space, 0.2) == pytest.approx(modes + by, abs=1e-5)
    assert last_modes(start, Space(space.vectors, "cosine"), 0.2) == pytest.approx(modes)
    common = modes[0].astype(np.float64)
    assert last_modes(start, Space(space.vectors, "cosine", common), 0.2) == pytest.approx(modes - common)
    assert last_modes(start, replace(space, begun=None), 0.2) is None, "the layout started afresh"
    assert last_modes(replace(start, positions=None), space, 0.2) is None
    assert last_modes(replace(start, modes=None), space, 0.2) is None
    assert last_modes(replace(start, modes=modes[:, :2]), space, 0.2) is None


@pytest.mark.parametrize(("apart", "kept"), [(1.1, 2), (0.8, 2), (0.7, 1)])
def test_modes_of_the_last_run_stay_apart_while_they_are_not_much_nearer(apart: float, kept: int) -> None:
    rested = Rested(np.array([[0.0, 0], [apart, 0]] * 2), np.array([40, 38, 40, 38]), 2, 1.0)
    assert len(rested.modes()) == (2 if apart > 1 else 1)
    points = np.array([[0, 0], [apart, 0]], np.float32)
    assert len(rested.modes_after_last(points, np.ones(2, np.int64))[0]) == kept


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("cluster_all", [True, False])
def test_labels_as_scikit_learn(pod: Pod, metric: str, cluster_all: bool) -> None:
    data = planted(500, 6, dimensions=8, spread=0.1)
    vectors = data.vectors if metric == "cosine" else data.vectors * 3
    write(pod.volume / "data.parquet", vectors)
    bandwidth = 0.4 if metric == "cosine" else 1.2
    labels, _ = labels_of(pod, metric=metric, bandwidth=bandwidth, cluster_all=cluster_all)
    theirs = Theirs(bandwidth=bandwidth, cluster_all=cluster_all).fit_predict(vectors)
    assert adjusted_rand_score(theirs, labels) > 0.98
    assert ((labels == -1) == (theirs == -1)).all()


def test_bandwidth_is_estimated_as_scikit_learn_does(pod: Pod) -> None:
    data = planted(700, 7, dimensions=8, spread=0.05)
    write(pod.volume / "data.parquet", data.vectors)
    labels, notes = labels_of(pod)
    bandwidth = estimate_bandwidth(data.vectors, quantile=0.05)
    assert notes == [f"bandwidth {bandwidth:.3g}, estimated from quantile 0.05"]
    assert adjusted_rand_score(data.labels, labels) > 0.98


def test_finds_planted_clusters_in_many_dimensions(pod: Pod) -> None:
    data = planted(500, 6, dimensions=96, spread=0.06)
    write(pod.volume / "data.parquet", data.vectors)
    labels, notes = labels_of(pod, bandwidth=2.0)
    assert notes == ["clustered after EVōC's node embedding from 96 to 5 dimensions"]
    assert adjusted_rand_score(data.labels, labels) > 0.98


def test_micro_clusters_above_the_limit(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    data = planted(4_000, 8, dimensions=8, spread=0.06)
    write(pod.volume / "data.parquet", data.vectors)
    monkeypatch.setattr(mean_shift, "MOST_DOCUMENTS", 1_000)
    monkeypatch.setattr(mean_shift, "MICRO_CLUSTERS", 400)
    labels, [note] = labels_of(pod, bandwidth=0.4)
    assert note.startswith("4000 documents are more than the limit of 1000 for comparing all pairs: clustered")
    assert adjusted_rand_score(Theirs(bandwidth=0.4).fit_predict(data.vectors), labels) > 0.98


@pytest.mark.parametrize("config", [{"bandwidth": 3.0}, {"quantile": 1.0}])
@pytest.mark.parametrize("rows", [2, 12, 100])
def test_advice_on_one_cluster_has_been_tried(rows: int, config: dict[str, Any]) -> None:
    """With few documents, no lower quantile changes the bandwidth, and the note advised one."""
    vectors = planted(rows, min(rows, 4), dimensions=8).vectors
    _, _, _, notes = carried_out(vectors, algorithm="mean_shift", **config)
    advice = next(note for note in notes if note.startswith("found only one cluster"))
    found = re.search(r"set bandwidth: (\S+), which finds (\d+)$", advice)
    assert found
    assert ("remove quantile" in advice) == ("quantile" in config)
    labels, _, _, notes = carried_out(vectors, algorithm="mean_shift", bandwidth=float(found[1]))
    assert len(set(labels.tolist())) == int(found[2]) > 1
    assert not any("only one cluster" in note for note in notes)


@pytest.mark.parametrize("far", [False, True], ids=["all near", "one far"])
@pytest.mark.parametrize("bandwidth", [1e5, 1e9])
def test_advice_on_a_bandwidth_that_is_far_too_large(bandwidth: float, far: bool) -> None:
    """Ten halves of it were tried, and then it was named itself as the limit; or it set apart the far one only."""
    data = planted(120, 4, dimensions=6, spread=0.05)
    vectors = data.vectors.copy()
    if far:
        vectors[0] = bandwidth / 10
    config: dict[str, Any] = {"algorithm": "mean_shift", "metric": "euclidean"}
    _, _, _, notes = carried_out(vectors, **config, bandwidth=bandwidth)
    found = re.fullmatch(r"found only one cluster: set bandwidth: (\S+), which finds (\d+)", notes[0])
    assert found, notes
    labels, *_ = carried_out(vectors, **config, bandwidth=float(found[1]))
    assert len(set(labels.tolist())) == int(found[2])
    assert adjusted_rand_score(data.labels[1:], labels[1:]) > 0.3


def test_advice_in_large_units_has_all_digits() -> None:
    """It was 1.25e+05."""
    vectors = planted(120, 2, dimensions=2, spread=0.05).vectors * np.float32(2e5)
    _, _, _, notes = carried_out(vectors, algorithm="mean_shift", metric="euclidean", bandwidth=1e6)
    assert re.fullmatch(r"found only one cluster: set bandwidth: \d{5,6}, which finds 2", notes[0]), notes


def test_advice_on_many_documents_names_the_bandwidth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mean_shift, "TRIED_ROWS", 10)
    _, _, _, notes = carried_out(planted(100, 4, dimensions=8).vectors, algorithm="mean_shift", bandwidth=3.0)
    assert notes[0] == "found only one cluster: set bandwidth below 3 to separate smaller regions"


def test_equal_documents_have_no_bandwidth(pod: Pod) -> None:
    write(pod.volume / "data.parquet", np.repeat(planted(2, 2, dimensions=8).vectors, 20, axis=0))
    for config, remedy in (({"quantile": 0.1}, "remove quantile, and set bandwidth"), ({}, "set bandwidth")):
        with pytest.raises(MisconfiguredError, match="the bandwidth estimated for mean_shift is 0") as refused:
            labels_of(pod, **config)
        found = re.search(rf": {remedy}: (\S+), which finds 2$", str(refused.value))
        assert found, refused.value
        assert set(labels_of(pod, bandwidth=float(found[1]))[0]) == {0, 1}


def test_one_document(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(1, 1).vectors)
    assert labels_of(pod)[0].tolist() == [0]


@pytest.mark.parametrize("rows", [300, 3_000])
def test_the_bandwidth_is_scikit_learns_estimate(rows: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(rows, 6)).astype(np.float32)
    theirs = estimate_bandwidth(vectors.astype(np.float64), quantile=0.2, n_samples=min(rows, 2_000), random_state=3)
    assert estimate(vectors, 0.2, 3) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("far", [1e3, 1e6, 1e10])
def test_one_far_document_does_not_widen_the_estimated_bandwidth(far: float) -> None:
    """The estimate is a mean: with one document at 1e6, it was 2.8e4, and all others were one cluster."""
    generator = np.random.default_rng(0)
    groups = generator.integers(3, size=200)
    vectors = generator.normal(size=(3, 32))[groups] * 3 + 0.3 * generator.normal(size=(200, 32))
    config: dict[str, Any] = {"algorithm": "mean_shift", "metric": "euclidean", "quantile": 0.2, "reduce": "none"}
    usual, *_ = carried_out(vectors.astype(np.float32), **config)
    assert adjusted_rand_score(groups, usual) == 1
    vectors[0] = far
    labels, _, _, notes = carried_out(vectors.astype(np.float32), **config)
    assert adjusted_rand_score(groups[1:], labels[1:]) == 1
    assert (labels == labels[0]).sum() == 1
    assert "without a few documents far from all others, with which it is" in notes[0]


def test_groups_of_different_widths_are_no_far_documents() -> None:
    generator = np.random.default_rng(0)
    vectors = np.concatenate([0.001 * generator.normal(size=(120, 3)), 5 + generator.normal(size=(80, 3))])
    theirs = estimate_bandwidth(vectors.astype(np.float32).astype(np.float64), quantile=0.2)
    config: dict[str, Any] = {"algorithm": "mean_shift", "metric": "euclidean", "quantile": 0.2, "reduce": "none"}
    _, _, _, notes = carried_out(vectors.astype(np.float32), **config)
    assert notes[0] == f"bandwidth {theirs:.3g}, estimated from quantile 0.2"
