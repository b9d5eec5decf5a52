"""Tests that a run's result fits into the termination message, whatever its content."""

from __future__ import annotations

from clustercontract.brief import ClusterBrief
from clustercontract.run import RunResult


def test_a_result_never_exceeds_the_termination_message() -> None:
    result = RunResult(
        status="failed", error="é" * 5000, notes=["n" * 3000], metrics={f"metric_{i}": 0.123456789 for i in range(200)}
    )
    message = result.to_message()
    assert len(message.encode()) <= 4096
    assert RunResult.model_validate_json(message).status == "failed"


def test_the_smallest_clusters_give_way_first() -> None:
    clusters = [ClusterBrief(cluster_id=number, name="n" * 200, num_documents=1) for number in range(50)]
    result = RunResult(status="completed", clusters=clusters, notes=["reduced by UMAP"], metrics={"inertia": 1.5})
    message = result.to_message()
    assert 3700 < len(message.encode()) <= 4096
    told = RunResult.model_validate_json(message)
    assert told.clusters == clusters[: len(told.clusters)]
    assert (told.notes, told.metrics) == (result.notes, result.metrics)
