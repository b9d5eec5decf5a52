"""Tests of Gaussian mixtures, compared with scikit-learn's."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture as Theirs

from clustercontract.algorithms import GaussianMixture
from clusterworker.clustering.algorithms import mixture
from clusterworker.clustering.algorithms.mixture import training_limit
from clusterworker.data.arrays import Labels
from clusterworker.process.errors import MisconfiguredError
from tests.clusterworker.clustering.carried_out import carried_out
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write


def labels_of(pod: Pod, **config: Any) -> tuple[Labels, list[str]]:
    spec = pod.spec({"algorithm": "gaussian_mixture", "n_components": 6, **config})
    result = pod.run(spec)
    assert "inertia" not in result.metrics
    return pq.read_table(pod.folder(spec) / "members.parquet")["cluster_id"].to_numpy(), result.notes


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_as_good_as_scikit_learn(pod: Pod, covariance_type: str, metric: str) -> None:
    data = planted(1_500, 6, spread=0.15)
    vectors = data.vectors if metric == "cosine" else data.vectors * 3
    write(pod.volume / "data.parquet", vectors)
    labels, notes = labels_of(pod, covariance_type=covariance_type, metric=metric, random_state=0)
    theirs = Theirs(6, covariance_type=covariance_type, random_state=0).fit_predict(vectors)
    assert adjusted_rand_score(data.labels, labels) >= adjusted_rand_score(data.labels, theirs) - 0.02
    assert notes == []


def test_trained_on_a_sample_above_the_limit(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    data = planted(5_000, 6, spread=0.1)
    write(pod.volume / "data.parquet", data.vectors)
    monkeypatch.setattr(mixture, "MOST_ROWS", 1_000)
    labels, notes = labels_of(pod)
    assert notes == ["trained on a sample of 1000 of 5000 documents, then all were assigned"]
    assert adjusted_rand_score(data.labels, labels) > 0.98
    assert (labels_of(pod)[0] == labels).all()


def test_not_converged_says_so(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(800, 6, spread=0.5).vectors)
    _, notes = labels_of(pod, max_iter=1, tol=1e-9)
    assert "not converged after 1 iterations: raise max_iter or tol" in notes


@pytest.mark.parametrize(
    ("covariance_type", "dimensions", "memory", "rows"),
    [
        ("diag", 384, 4 << 30, 50_000),
        ("diag", 384, 512 << 20, 28_000),
        ("full", 384, 2 << 30, 50_000),
        ("full", 768, 1 << 30, 21_000),
    ],
)
def test_training_rows_follow_memory(covariance_type: str, dimensions: int, memory: int, rows: int) -> None:
    parameters = GaussianMixture.model_validate({"n_components": 10, "covariance_type": covariance_type})
    assert training_limit(parameters, dimensions, memory) == pytest.approx(rows, rel=0.05)


def test_covariances_that_do_not_fit_are_refused() -> None:
    parameters = GaussianMixture(n_components=500, covariance_type="full")
    with pytest.raises(MisconfiguredError, match="does not fit into 2048 MiB: set covariance_type: diag"):
        training_limit(parameters, 768, 2 << 30)


def test_equal_documents(pod: Pod) -> None:
    write(pod.volume / "data.parquet", np.repeat(planted(3, 3).vectors, 10, axis=0))
    labels, notes = labels_of(pod, n_components=5)
    assert len(set(labels)) == 3
    assert "3 clusters instead of 5: no document is most likely to belong to the others" in notes


def test_more_components_than_documents(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(5, 3).vectors)
    with pytest.raises(MisconfiguredError, match="n_components 6 is more than the 5 documents: lower n_components"):
        labels_of(pod)


def test_one_document(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(1, 1).vectors)
    assert labels_of(pod, n_components=1)[0].tolist() == [0]


@pytest.mark.parametrize("scale", [1e-5, 1e-6, 1e-30])
def test_advice_on_small_vectors_helps(scale: float) -> None:
    """reg_covar exceeds their variances, so that all distributions are one."""
    data = planted(200, 4, dimensions=6, spread=0.05)
    vectors = (data.vectors * scale).astype(np.float32)
    config: dict[str, Any] = {"algorithm": "gaussian_mixture", "metric": "euclidean", "n_components": 4}
    _, _, _, notes = carried_out(vectors, **config)
    found = re.match(
        r"1 cluster instead of 4: reg_covar 1e-06 is more than .*: set reg_covar: (\S+), which finds 4$", notes[0]
    )
    assert found, notes
    labels, *_ = carried_out(vectors, **config, reg_covar=float(found[1]))
    assert adjusted_rand_score(data.labels, labels) > 0.9


def test_advice_that_does_not_help_is_not_given() -> None:
    """Three groups cannot become six; the note named a reg_covar with which there are three, too."""
    generator = np.random.default_rng(3)
    centres, groups = generator.normal(size=(3, 64)), generator.integers(3, size=60)
    vectors = ((centres[groups] + 1e-4 * generator.normal(size=(60, 64))) * 1e-3).astype(np.float32)
    config: dict[str, Any] = {"algorithm": "gaussian_mixture", "metric": "euclidean", "covariance_type": "full"}
    labels, _, _, notes = carried_out(vectors, **config, n_components=6)
    assert adjusted_rand_score(groups, labels) == 1
    assert notes[0] == (
        "3 clusters instead of 6: no more groups are separate, also with a lower reg_covar: lower n_components to 3"
    )
    _, _, _, notes = carried_out(vectors, **config, n_components=3)
    assert not any("n_components" in note or "reg_covar" in note for note in notes)
