"""A run's baseline, and checks against it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from clustercontract.check import CheckResult, CheckSpec, Measurement
from clustercontract.run import RunResult, RunSpec
from clusterworker.clustering.algorithms.nearest import NearestCentroid
from clusterworker.data.arrays import Vectors
from clusterworker.drift.baseline import StoredBaseline
from clusterworker.drift.check import check
from clusterworker.drift.profile import Profile
from clusterworker.process.progress import Progress
from tests.clusterworker.conftest import Pod

KMEANS = {"algorithm": "kmeans", "n_clusters": 3}


def check_spec(spec: RunSpec, result: RunResult, **fields: Any) -> CheckSpec:
    """A check of the collections of a run against its baseline."""
    assert result.baseline is not None
    document = {
        "namespace": spec.namespace,
        "trigger": spec.trigger,
        "check": "nightly-1a2b-c3",
        "slot": "2026-11-21T03:00:00Z",
        "collections": [json.loads(given.model_dump_json(exclude_none=True)) for given in spec.collections],
        "metric": "cosine_drift",
        "baseline": json.loads(result.baseline.model_dump_json()),
        "results": json.loads(spec.results.model_dump_json(exclude_none=True)),
        "threshold": 0.3,
        "seed": 11,
    }
    return CheckSpec.model_validate_json(json.dumps(document | fields))


def perform(pod: Pod, spec: CheckSpec) -> CheckResult:
    return check(spec, Progress(pod.log), pod.mounts)


def measured(pod: Pod, spec: CheckSpec) -> Measurement:
    result = perform(pod, spec)
    assert result.status == "completed"
    assert result.measurement is not None, result
    return result.measurement


def baseline_of(vectors: Vectors, centroids: Vectors, metric: str = "cosine") -> StoredBaseline:
    """The baseline that a run over these vectors writes."""
    found = profile_of(vectors, centroids)
    return StoredBaseline(
        documents=found.documents,
        total=found.total,
        total_squares=found.total_squares,
        centroids=centroids,
        shares=found.counts / found.documents,
        reservoir=found.reservoir,
        metric=metric,
        embedding_model="",
    )


def profile_of(vectors: Vectors, centroids: Vectors) -> Profile:
    """The profile of a pass over these vectors; their order is assumed to be random."""
    counts = np.bincount(NearestCentroid(centroids)(vectors), minlength=len(centroids))
    total, squares = vectors.sum(axis=0, dtype=np.float64), np.square(vectors).sum(axis=0, dtype=np.float64)
    return Profile(len(vectors), total, squares, counts, vectors[:2_000])
