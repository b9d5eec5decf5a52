"""Tests of agglomerative clustering, compared with scikit-learn's."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from clustercontract.algorithms import Hierarchical
from clusterworker.clustering.algorithms.hierarchical import BYTES_PER_PAIR, MOST_DOCUMENTS, agglomerate
from clusterworker.clustering.algorithms.limits import pair_limit
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write


@pytest.mark.parametrize(
    ("metric", "linkage", "default"),
    [
        ("cosine", None, "complete"),
        ("cosine", "complete", None),
        ("cosine", "average", None),
        ("cosine", "single", None),
        ("euclidean", None, "ward"),
        ("euclidean", "ward", None),
        ("euclidean", "average", None),
        ("euclidean", "complete", None),
    ],
)
@pytest.mark.parametrize("stop", [{"n_clusters": 7}, {"distance_threshold": 0.5}])
def test_equals_scikit_learn(metric: str, linkage: str | None, default: str | None, stop: dict[str, float]) -> None:
    vectors = planted(400, 9, spread=0.3).vectors
    ours = agglomerate(vectors, Hierarchical.model_validate({"linkage": linkage, **stop}), metric)
    stopping = {"n_clusters": None, "distance_threshold": None} | stop
    theirs = AgglomerativeClustering(metric=metric, linkage=linkage or default, **stopping).fit_predict(vectors)
    assert adjusted_rand_score(theirs, ours) == 1


def test_large_offset_does_not_blur_euclidean_distances() -> None:
    vectors = planted(300, 5, spread=0.2).vectors
    parameters = Hierarchical(n_clusters=5, linkage="ward")
    near, far = (agglomerate(vectors + shift, parameters, "euclidean") for shift in (0, 100))
    assert adjusted_rand_score(near, far) > 0.98


def test_micro_clusters_above_the_limit(pod: Pod) -> None:
    data = planted(6_000, 8, spread=0.1)
    write(pod.volume / "data.parquet", data.vectors)
    spec = pod.spec({"algorithm": "hierarchical", "n_clusters": 8})
    result = pod.run(spec, memory=16 * 3_000**2)
    labels = pq.read_table(pod.folder(spec) / "members.parquet")["cluster_id"].to_pylist()
    assert adjusted_rand_score(data.labels, labels) > 0.98
    assert len(result.notes) == 1
    assert result.notes[0].startswith(
        "6000 documents are more than the limit of 3000 for comparing all pairs: clustered"
    )


@pytest.mark.parametrize(("memory", "limit"), [(2 << 30, 11_585), (512 << 20, 5_792), (1 << 40, 20_000)])
def test_limit_follows_memory(memory: int, limit: int) -> None:
    assert pair_limit(memory, BYTES_PER_PAIR, MOST_DOCUMENTS) == limit


def test_agglomerative_is_another_name(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(30, 3).vectors)
    assert pod.run(pod.spec({"algorithm": "agglomerative", "n_clusters": 3})).num_clusters == 3


def test_one_document(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(1, 1).vectors)
    assert pod.run(pod.spec({"algorithm": "hierarchical", "distance_threshold": 0.5})).num_clusters == 1
