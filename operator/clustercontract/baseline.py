"""The baseline: what a run leaves behind for checks to compare with, and the format of its file.

baseline.npz is an archive of numpy arrays, without pickles. The worker alone writes and reads it
(`clusterworker.drift.baseline`); but a run of one version writes what a check of another one reads.

| array | shape | meaning |
|---|---|---|
| n | () | documents |
| sum, sum_squares | (dimensions,) | Σx and Σx² per dimension, float64 |
| centroids | (clusters, dimensions) | float32 |
| shares | (clusters,) | documents whose nearest centroid it is, noise included, as a share: a check can recount it |
| reservoir | (≤ RESERVOIR_ROWS, dimensions) | uniform sample of the vectors, float32 |
| dimensions | () | |
| metric | () | cosine: all of the above refers to vectors of unit length |
| embedding_model | () | name, or "" |

The file holds no time stamp: the same documents and the same spec give the same bytes.
"""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from clustercontract.base import ApiModel

BASELINE_FILE = "baseline.npz"
RESERVOIR_ROWS = 2_000
"""Documents of the sample; a check draws as many."""


class Baseline(ApiModel):
    """What a successful run leaves behind for later checks to compare with."""

    uri: str
    sha256: str
    run: str
    documents: int
    dimensions: int
    captured_at: AwareDatetime = Field(strict=False)
