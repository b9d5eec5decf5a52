"""baseline.npz: what later checks compare the collection with.

| array | shape | meaning |
|---|---|---|
| n | () | documents |
| sum, sum_squares | (dimensions,) | Σx and Σx² per dimension, float64 |
| centroids | (clusters, dimensions) | float32 |
| shares | (clusters,) | documents whose nearest centroid it is, noise included, as a share: a check can recount it |
| reservoir | (≤ 2000, dimensions) | uniform sample of the vectors, float32 |
| dimensions | () | |
| metric | () | cosine: all of the above refers to vectors of unit length |
| embedding_model | () | name, or "" |

The file holds no time stamp: the same documents and the same spec give the same bytes.
"""

import hashlib
from pathlib import Path

import numpy as np

from clustertrigger.api.run import Baseline
from clusterworker.clustering.survey import Survey
from clusterworker.data.arrays import Vectors
from clusterworker.run.findings import Findings

RESERVOIR_ROWS = 2_000
FILE = "baseline.npz"


def write_baseline(file: Path, survey: Survey, centroids: Vectors, metric: str, embedding_model: str) -> None:
    """Write the arrays above."""
    counted = max(int(survey.nearest.sum()), 1)
    np.savez(
        file,
        n=np.int64(survey.documents),
        sum=survey.total,
        sum_squares=survey.total_squares,
        centroids=centroids,
        shares=survey.nearest / counted,
        reservoir=survey.reservoir.vectors[:RESERVOIR_ROWS],
        dimensions=np.int64(len(survey.total)),
        metric=np.str_(metric),
        embedding_model=np.str_(embedding_model),
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
        dimensions=len(findings.survey.total),
        captured_at=findings.finished_at,
    )
