"""Tests of very few documents, with evoc and with the algorithms that reduce by default."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clusterworker.data.arrays import NOISE, Vectors
from clusterworker.process.errors import MisconfiguredError
from tests.clusterworker.clustering.carried_out import carried_out

HDBSCAN = {"algorithm": "hdbscan", "min_cluster_size": 5}
OPTICS = {"algorithm": "optics"}
MEAN_SHIFT = {"algorithm": "mean_shift"}
EVOC = {"algorithm": "evoc"}
TOO_FEW = "12 documents are too few for EVōC's node embedding, which needs 40"
ONE_ALONE = np.ones((1, 64), np.float32)
FEWER_THAN_NEIGHBOURS = np.random.default_rng(0).normal(size=(12, 64)).astype(np.float32)
ALL_EQUAL = np.ones((300, 64), np.float32)
NOTHING_IN_COMMON = np.random.default_rng(1).normal(size=(300, 64)).astype(np.float32)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (HDBSCAN, "min_cluster_size 5 is more than the 1 document: lower min_cluster_size, or add documents"),
        (OPTICS, "min_samples 5 is more than the 1 document: lower min_samples, or add documents"),
        (EVOC, "base_min_cluster_size 5 is more than the 1 document: lower base_min_cluster_size, or add documents"),
    ],
    ids=lambda value: value["algorithm"] if isinstance(value, dict) else "",
)
def test_one_document_cannot_be_a_cluster_of_several(config: dict[str, Any], message: str) -> None:
    with pytest.raises(MisconfiguredError) as raised:
        carried_out(ONE_ALONE, **config)
    assert str(raised.value) == message


def test_one_document_is_a_cluster_of_mean_shift() -> None:
    labels, _, _, notes = carried_out(ONE_ALONE, **MEAN_SHIFT)
    assert labels.tolist() == [0]
    assert notes[0] == "not reduced: 1 document is too few for EVōC's node embedding, which needs 40"


@pytest.mark.parametrize(
    ("vectors", "config", "clusters", "said"),
    [
        (FEWER_THAN_NEIGHBOURS, HDBSCAN, 0, f"not reduced: {TOO_FEW}"),
        (FEWER_THAN_NEIGHBOURS, OPTICS, 1, f"not reduced: {TOO_FEW}"),
        (FEWER_THAN_NEIGHBOURS, MEAN_SHIFT, None, f"not reduced: {TOO_FEW}"),
        (FEWER_THAN_NEIGHBOURS, EVOC, 0, f"not reduced: {TOO_FEW}"),
        (ALL_EQUAL, HDBSCAN, 0, "no cluster found, all documents are noise: set allow_single_cluster: true"),
        (ALL_EQUAL, HDBSCAN | {"allow_single_cluster": True}, 1, "not reduced: 1 distinct vector is too few"),
        (ALL_EQUAL, OPTICS, None, "not reduced: 1 distinct vector is too few"),
        (ALL_EQUAL, MEAN_SHIFT, 1, "not reduced: 1 distinct vector is too few"),
        (ALL_EQUAL, EVOC, 0, "no cluster found, all documents are noise: nothing splits them into two groups of "),
        (NOTHING_IN_COMMON, HDBSCAN | {"min_cluster_size": 200}, 0, "no cluster found, all documents are noise: set "),
        (NOTHING_IN_COMMON, OPTICS | {"max_eps": 1e-6}, 0, "no cluster found, all documents are noise: "),
        (NOTHING_IN_COMMON, EVOC | {"base_min_cluster_size": 200}, 0, "no cluster found, all documents are noise: "),
    ],
    ids=lambda value: (
        f"{len(value)} rows"
        if isinstance(value, np.ndarray)
        else value.get("algorithm", "")
        if isinstance(value, dict)
        else ""
    ),
)
def test_next_to_nothing_to_cluster(vectors: Vectors, config: dict[str, Any], clusters: int | None, said: str) -> None:
    labels, _, _, notes = carried_out(vectors, **config)
    assert len(labels) == len(vectors)
    assert any(note.startswith(said) for note in notes), notes
    found = len(set(labels.tolist()) - {NOISE})
    assert clusters is None or found == clusters
    if vectors is ALL_EQUAL:
        assert len(set(labels.tolist())) == 1, "copies stay together"
    again, _, _, told = carried_out(vectors, **config)
    assert (again == labels).all()
    assert told == notes


@pytest.mark.parametrize("algorithm", ["kmeans", "hierarchical", "spectral"])
def test_one_cluster_instead_of_several_is_in_the_singular(algorithm: str) -> None:
    _, _, _, notes = carried_out(ALL_EQUAL, algorithm=algorithm, n_clusters=3)
    assert "1 cluster instead of 3: the documents have only that many distinct vectors" in notes


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"algorithm": "hdbscan", "min_cluster_size": 3, "min_samples": 13}, "min_samples is 12 instead of 13"),
        ({"algorithm": "evoc", "min_samples": 99}, "min_samples is 12 instead of 99"),
        (
            {"algorithm": "spectral", "n_clusters": 2, "affinity": "nearest_neighbors", "n_neighbors": 13},
            "n_neighbors is 12 instead of 13",
        ),
    ],
    ids=lambda value: value["algorithm"] if isinstance(value, dict) else "",
)
def test_more_neighbours_than_documents_are_reported(config: dict[str, Any], said: str) -> None:
    _, _, _, notes = carried_out(FEWER_THAN_NEIGHBOURS, **config)
    assert f"{said}, because there are 12 documents" in notes


def test_advice_of_hdbscan_tries_a_size_of_2() -> None:
    """With min_cluster_size 3, it tried no other size."""
    pairs = np.repeat(np.eye(8, dtype=np.float32) * 9, 2, axis=0)
    pairs[1::2, 0] += 0.1
    config = {"algorithm": "hdbscan", "metric": "euclidean", "reduce": "none", "min_samples": 2}
    _, _, _, notes = carried_out(pairs, min_cluster_size=3, **config)
    assert notes[0].endswith("or min_cluster_size: 2 with min_samples: 2, which finds 8")
    labels, *_ = carried_out(pairs, min_cluster_size=2, **config)
    assert len(set(labels.tolist()) - {NOISE}) == 8
