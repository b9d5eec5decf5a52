"""Converts the findings of a run to a baseline."""

import hashlib
from pathlib import Path

from clustercontract.baseline import RESERVOIR_ROWS, Baseline
from clusterworker.clustering.survey import Survey
from clusterworker.data.arrays import Vectors
from clusterworker.drift.baseline import StoredBaseline
from clusterworker.run.findings import Findings


def baseline_of(survey: Survey, centroids: Vectors, metric: str, embedding_model: str) -> StoredBaseline:
    """Returns the baseline that later checks compare with."""
    counted = max(int(survey.nearest.sum()), 1)
    return StoredBaseline(
        documents=survey.documents,
        total=survey.total,
        total_squares=survey.total_squares,
        centroids=centroids,
        shares=survey.nearest / counted,
        reservoir=survey.reservoir.vectors[:RESERVOIR_ROWS],
        metric=metric,
        embedding_model=embedding_model,
    )


def describe_baseline(file: Path, uri: str, findings: Findings) -> Baseline:
    """Returns the baseline's entry in the trigger's status.

    Args:
        file: Current path of the file.
        uri: Address at which it will be published.
        findings: Findings of the run.
    """
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return Baseline(
        uri=uri,
        sha256=digest,
        run=findings.spec.run,
        documents=findings.survey.documents,
        dimensions=findings.survey.dimensions,
        captured_at=findings.finished_at,
    )
