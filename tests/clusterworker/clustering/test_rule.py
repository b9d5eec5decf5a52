"""Tests of the rules that tell the cluster of a document."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from clusterworker.clustering.algorithms.rule import ByLikelihood, ByNearest, Rule, arrays_of, rule_of
from clusterworker.data.arrays import NOISE
from tests.clusterworker.planted import planted

DATA = planted(500, 4, spread=0.3)
CENTRE = DATA.vectors.astype(np.float64).mean(axis=0)


def mixture(covariance_type: str) -> GaussianMixture:
    return GaussianMixture(4, covariance_type=covariance_type, random_state=0).fit(DATA.vectors - CENTRE)


RULES: list[Rule] = [
    ByNearest.of(DATA.vectors[:5], np.array([1, 0, NOISE, 1, 2], np.int32)),
    ByNearest.of(DATA.vectors[::100], np.arange(5, dtype=np.int32), np.array([0.1, 0.3, 0.5, np.inf, 0.0])),
    *(ByLikelihood.of(mixture(shape), CENTRE, np.array([2, 0, 3])) for shape in ("full", "tied", "diag", "spherical")),
]


@pytest.mark.parametrize("rule", RULES)
def test_it_finds_the_same_in_another_process(rule: Rule) -> None:
    file = io.BytesIO()
    np.savez(file, **arrays_of(rule))
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        stored = rule_of({name: arrays[name] for name in arrays.files})
    assert stored is not None
    expected = rule.finder()(DATA.vectors)
    assert len(set(expected.tolist())) > 1
    for other in (stored, pickle.loads(pickle.dumps(rule))):  # noqa: S301 - its own
        assert (other.finder()(DATA.vectors) == expected).all()


def test_no_rule() -> None:
    assert rule_of(arrays_of(None)) is None


def test_a_document_is_noise_beyond_the_reach_of_its_nearest_point() -> None:
    points = np.array([[0, 0], [10, 0], [5, 5]], np.float32)
    rule = ByNearest.of(points, np.array([1, 0, NOISE], np.int32), np.array([1.0, 3.0, np.inf]))
    asked = np.array([[1, 0], [1.1, 0], [7, 0], [7.1, 0], [6.9, 0], [5, 4]], np.float32)
    assert rule.finder()(asked).tolist() == [1, NOISE, 0, 0, NOISE, NOISE]


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_the_likeliest_distribution_is_that_of_scikit_learn(covariance_type: str) -> None:
    model = mixture(covariance_type)
    order = np.array([3, 1, 0, 2])
    found = ByLikelihood.of(model, CENTRE, order).finder()(DATA.vectors)
    assert (order[found] == model.predict(DATA.vectors - CENTRE)).all()
