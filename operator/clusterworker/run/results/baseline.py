"""What a run's findings are as a baseline."""

import hashlib
from pathlib import Path

from clustercontract.baseline import RESERVOIR_ROWS, Baseline
from clusterworker.clustering.survey import Survey
from clusterworker.data.arrays import Vectors
from clusterworker.drift.baseline import StoredBaseline
from clusterworker.run.findings import Findings


def baseline_of(survey: Survey, centroids: Vectors, metric: str, embedding_model: str) -> StoredBaseline:
    """Return what later checks compare the collection with."""
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
    """Return what the status of the trigger says of the baseline.

    Args:
        file: where it lies now.
        uri: where it will be found.
        findings: of the run that made it.
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
