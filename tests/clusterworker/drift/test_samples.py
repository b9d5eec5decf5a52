"""Tests of mmd_rbf and domain_auc against scikit-learn and the formulas."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel

from clustercontract.counted import counted
from clusterworker.data.arrays import Vectors
from clusterworker.drift.domain import FOLDS, SHRINKAGE, areas, assign_folds, domain_auc
from clusterworker.drift.measure import measure
from clusterworker.drift.mmd import mmd_rbf
from tests.clusterworker.drift.drifting import baseline_of, profile_of
from tests.clusterworker.planted import planted


def pair(then: int, now: int, shift: float = 0.0, seed: int = 0, dimensions: int = 12) -> tuple[Vectors, Vectors]:
    drawn = np.random.default_rng(seed).normal(size=(then + now, dimensions)).astype(np.float32)
    drawn[then:, 0] += shift
    return drawn[:then], drawn[then:]


def brute_force_mmd(one: Vectors, other: Vectors) -> float:
    """Gretton et al. 2012, lemma 6, sum by sum."""
    gamma = 1 / np.median(pdist(np.concatenate([one, other]).astype(np.float64))) ** 2
    n, m = len(one), len(other)
    same = [
        sum(rbf_kernel(side[i : i + 1], side[j : j + 1], gamma)[0, 0] for i, j in itertools.permutations(range(k), 2))
        for side, k in ((one.astype(np.float64), n), (other.astype(np.float64), m))
    ]
    across = rbf_kernel(one.astype(np.float64), other.astype(np.float64), gamma).sum()
    return float(same[0] / (n * (n - 1)) + same[1] / (m * (m - 1)) - 2 * across / (n * m))


@pytest.mark.parametrize(("then", "now", "shift"), [(9, 9, 0.0), (12, 7, 1.0), (2, 15, 3.0)])
def test_mmd_by_brute_force(then: int, now: int, shift: float) -> None:
    one, other = pair(then, now, shift)
    assert mmd_rbf(one, other, 0).value == pytest.approx(brute_force_mmd(one, other), abs=1e-6)


def test_mmd_far_from_the_origin() -> None:
    """Distances do not depend on an offset of all documents, so the result in float32 must not, either."""
    one, other = pair(40, 40, 1.0)
    far = mmd_rbf(one + np.float32(300), other + np.float32(300), 0).value
    assert far == pytest.approx(mmd_rbf(one, other, 0).value, abs=1e-4)


def test_mmd_permutations_are_what_they_say() -> None:
    """Enumerates all choices of 4 of 8 documents: p is the share with at least the same distance."""
    one, other = pair(4, 4, 1.2, seed=3)
    pooled = np.concatenate([one, other])
    null = []
    for chosen in itertools.combinations(range(8), 4):
        rest = [row for row in range(8) if row not in chosen]
        null.append(brute_force_mmd(pooled[list(chosen)], pooled[rest]))
    exact = np.mean(np.array(null) >= mmd_rbf(one, other, 0).value - 1e-6)
    assert mmd_rbf(one, other, 0, permutations=4000).p_value == pytest.approx(exact, abs=0.02)


def test_mmd_tells_a_change_from_none() -> None:
    same, changed = mmd_rbf(*pair(300, 300), 0), mmd_rbf(*pair(300, 300, 1.0), 0)
    assert same.value <= 2 * same.noise_floor
    assert same.p_value > 0.01
    assert changed.value > 2 * changed.noise_floor
    assert changed.p_value == pytest.approx(1 / 501)


@pytest.mark.parametrize("copies", [0, 200, 310, 440, 560])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_mmd_sees_past_copies(copies: int, scale: float) -> None:
    """440 of 600 documents are equal, all others are replaced: most distances are 0, and so was the median."""
    generator = np.random.default_rng(0)
    then, now = (np.ones((600, 32)) for _ in range(2))
    then[copies:], now[copies:] = generator.normal(size=(600 - copies, 32)), generator.normal(2, 1, (600 - copies, 32))
    again = np.concatenate([then[:copies], generator.normal(size=(600 - copies, 32))])
    found, same = (
        mmd_rbf((then * scale).astype(np.float32), (new * scale).astype(np.float32), 0) for new in (now, again)
    )
    assert found.p_value < 0.01
    assert found.value > 2 * found.noise_floor
    assert same.value <= 2 * same.noise_floor


def test_mmd_sees_past_copies_that_differ_by_rounding() -> None:
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, 9, size=(600, 1))
    then, now = (generator.normal(size=32) * lengths for _ in range(2))
    now = then.copy()
    then[440:], now[440:] = generator.normal(size=(160, 32)), generator.normal(1, 1, size=(160, 32))
    unit = [side.astype(np.float32) for side in (then, now)]
    unit = [(side / np.linalg.norm(side, axis=1, keepdims=True)).astype(np.float32) for side in unit]
    assert mmd_rbf(unit[0], unit[1], 0).p_value < 0.01


@pytest.mark.parametrize("noise", [1e-4, 1e-2, 0.1, 0.3])
@pytest.mark.parametrize("near", [440, 540])
def test_mmd_sees_past_near_duplicates(noise: float, near: int) -> None:
    """Most pairs are nearly equal, so their median distance made all others equally far apart: p was 0.9."""
    generator = np.random.default_rng(0)
    middle = generator.normal(size=64)

    def side(mean: float) -> Vectors:
        alike = middle + noise * generator.normal(size=(near, 64))
        others = generator.normal(mean, 1, size=(600 - near, 64))
        return np.concatenate([alike, others]).astype(np.float32)

    then, now, again = side(0), side(1), side(0)
    found, same = mmd_rbf(then, now, 0), mmd_rbf(then, again, 0)
    assert found.p_value < 0.01
    assert found.value > 2 * found.noise_floor
    assert same.value <= 2 * same.noise_floor


@pytest.mark.parametrize("far", [12, 36, 120])
def test_mmd_sees_past_far_documents(far: int) -> None:
    """A tenth of the pairs and more are far apart; the change is among the others."""
    generator = np.random.default_rng(0)
    then, now = generator.normal(size=(600, 64)), generator.normal(0.5, 1, size=(600, 64))
    then[:far] *= 1e3
    now[:far] = 1e3 * generator.normal(size=(far, 64))
    found = mmd_rbf(then.astype(np.float32), now.astype(np.float32), 0)
    assert found.p_value < 0.01
    assert found.value > 2 * found.noise_floor


@pytest.mark.parametrize("far", [1, 12, 36])
@pytest.mark.parametrize("length", [1e2, 1e6, 1e14])
def test_domain_auc_sees_past_far_documents(far: int, length: float) -> None:
    """The scatter was theirs, and the value was 0.1 where each of the others had changed."""
    generator = np.random.default_rng(0)
    then, now, again = (generator.normal(mean, 1, size=(600, 16)) for mean in (0, 1, 0))
    for side in (then, now, again):
        side[:far] = length * generator.normal(size=(far, 16))
    before = then.astype(np.float32)
    found, same = (domain_auc(before, side.astype(np.float32), 0) for side in (now, again))
    assert found.value > 2 * found.noise_floor
    assert same.value <= 2 * same.noise_floor


@pytest.mark.parametrize(("offset", "spread"), [(1e6, 0.3), (1e8, 20), (1e8, 10), (1e12, 1e5)])
def test_mmd_of_documents_far_from_the_origin(offset: float, spread: float) -> None:
    """All of them differ by little more than rounding, and counted as equal: the value was 0."""
    generator = np.random.default_rng(0)
    then, now, again = (
        (offset + spread * generator.normal(mean, 1, size=(300, 16))).astype(np.float32) for mean in (0, 1, 0)
    )
    found, same = mmd_rbf(then, now, 0), mmd_rbf(then, again, 0)
    assert found.value > 2 * found.noise_floor
    assert found.value > 0.15
    assert same.value <= 2 * same.noise_floor


def test_mmd_sees_past_one_far_document() -> None:
    one, other = pair(300, 300, 1.0)
    one[0] = 1e6
    found = mmd_rbf(one, other, 0)
    assert found.value > 2 * found.noise_floor


@pytest.mark.parametrize(("then", "now"), [(1, 50), (50, 1)])
def test_one_document_is_no_sample(then: int, now: int) -> None:
    one, other = pair(then, now)
    assert mmd_rbf(one, other, 0).value == 0
    assert domain_auc(one, other, 0).value == 0.5
    left = baseline_of(one, one[:1], "euclidean")
    # The advice of cosine_drift leads to mmd_rbf, which said nothing although it cannot fire either.
    assert measure("mmd_rbf", left, profile_of(other, one[:1]), 0).advice == (
        f"with {counted(then, 'document')} in the baseline and {now} now, mmd_rbf can never fire: add documents"
        + (", or set metric to centroid_euclidean" if then > 1 else "")
    )
    far = measure("centroid_euclidean", left, profile_of(other + 100, one[:1]), 0)
    assert (far.value > 2 * far.noise_floor) == (then > 1)


def test_documents_that_are_all_alike() -> None:
    alike = np.ones((20, 4), np.float32)
    found = mmd_rbf(alike, alike, 0)
    assert (found.value, found.noise_floor, found.p_value) == (0, 0, 1)
    separation = domain_auc(alike, alike, 0)
    assert (separation.value, separation.p_value) == (0.5, 1)


@pytest.mark.parametrize(("then", "now", "shift"), [(60, 60, 0.0), (80, 40, 0.7), (31, 77, 2.0)])
def test_auc_as_scikit_learn_computes_it(then: int, now: int, shift: float) -> None:
    one, other = pair(then, now, shift)
    vectors, labels = np.concatenate([one, other]).astype(np.float64), np.repeat([0.0, 1.0], [then, now])
    fold = assign_folds(then, now, FOLDS, np.random.default_rng(7))
    scores = []
    for number in range(FOLDS):
        train = vectors[fold != number]
        centred = train - train.mean(axis=0)
        model = Ridge(alpha=SHRINKAGE * np.trace(centred.T @ centred) / vectors.shape[1])
        model.fit(train, labels[fold != number])
        scores.append(roc_auc_score(labels[fold == number], model.predict(vectors[fold == number])))
    assert domain_auc(one, other, 7).value == pytest.approx(np.mean(scores), abs=1e-6)


def test_folds_are_stratified() -> None:
    fold = assign_folds(52, 33, 5, np.random.default_rng(0))
    assert sorted(np.bincount(fold[:52])) == [10, 10, 10, 11, 11]
    assert sorted(np.bincount(fold[52:])) == [6, 6, 7, 7, 7]


def test_areas_with_ties_as_scikit_learn_computes_them() -> None:
    generator = np.random.default_rng(0)
    scores = generator.integers(6, size=(40, 3)).astype(np.float64)
    labels = np.stack([generator.permutation(np.repeat([0.0, 1.0], [25, 15])) for _ in range(3)], axis=1)
    expected = [roc_auc_score(labels[:, column], scores[:, column]) for column in range(3)]
    assert areas(scores, labels) == pytest.approx(expected)


def test_auc_tells_a_change_from_none() -> None:
    same, changed = domain_auc(*pair(300, 300), 0), domain_auc(*pair(300, 300, 1.0), 0)
    assert same.value <= 2 * same.noise_floor
    assert changed.value > 2 * changed.noise_floor
    assert changed.value == pytest.approx(0.76, abs=0.04)  # two normal distributions one deviation apart
    assert changed.p_value == pytest.approx(1 / 201)


def test_auc_does_not_depend_on_the_scale() -> None:
    one, other = pair(100, 100, 1.0)
    small = domain_auc(one * np.float32(1e-4), other * np.float32(1e-4), 0)
    assert small.value == pytest.approx(domain_auc(one, other, 0).value, abs=1e-6)


@pytest.mark.parametrize("metric", [mmd_rbf, domain_auc])
def test_the_same_documents_again_are_no_drift(metric: object) -> None:
    vectors = planted(400, 5, spread=0.3).vectors
    found = metric(vectors[::2], np.random.default_rng(0).permutation(vectors)[::2], 0)  # type: ignore[operator]
    assert found.value <= 2 * found.noise_floor
