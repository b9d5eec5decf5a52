"""Defines the baseline, which a run saves so that later checks can compare with it, and the format of its file.

baseline.npz is an archive of NumPy arrays, without pickles. Only the worker writes and reads it
(`clusterworker.drift.baseline`). A check can read a baseline that another version of the worker wrote.

| array | shape | meaning |
|---|---|---|
| n | () | documents |
| sum, sum_squares | (dimensions,) | Σx and Σx² per dimension, float64 |
| centroids | (clusters, dimensions) | float32 |
| shares | (clusters,) | share of the documents, noise included, whose nearest centroid is this one |
| reservoir | (≤ RESERVOIR_ROWS, dimensions) | uniform sample of the vectors, float32 |
| dimensions | () | number of dimensions of the vectors |
| metric | () | with cosine, all of the above refers to vectors of unit length |
| embedding_model | () | name, or "" |

The file contains no timestamp, so the same documents and the same spec produce the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import AwareDatetime, Field, ValidationError

from clustercontract.base import ApiModel

BASELINE_FILE = "baseline.npz"
RESERVOIR_ROWS = 2_000
"""Number of documents in the baseline's sample; a check draws a sample of the same size."""


class Baseline(ApiModel):
    """The data that a successful run saves so that later checks can compare with it."""

    uri: str
    sha256: str
    run: str
    documents: int
    dimensions: int
    captured_at: AwareDatetime = Field(strict=False)

    @property
    def folder(self) -> str:
        """The folder of the run that saved it."""
        return self.uri.rpartition("/")[0]


def read_baseline(snapshot: Mapping[str, Any]) -> Baseline | None:
    """Returns the baseline that a status describes.

    Args:
        snapshot: baseline_snapshot; other fields are ignored.

    Returns:
        None if there is none, or if it has another format.
    """
    try:
        return Baseline.model_validate({name: snapshot.get(name) for name in Baseline.model_fields})
    except ValidationError:
        return None
