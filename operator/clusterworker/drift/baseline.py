"""Writes and reads the baseline's file; clustercontract.baseline defines its content."""

import io
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from clusterworker.data.arrays import Doubles, Rows, Vectors


@dataclass(frozen=True)
class StoredBaseline:
    """The data of a baseline. With metric cosine, all of it refers to vectors of unit length.

    Attributes:
        documents: Number of documents, at least 1.
        total: Σx, shape (dimensions,).
        total_squares: Σx² per dimension, shape (dimensions,).
        centroids: Centroids, shape (clusters, dimensions).
        shares: Share of the documents per nearest centroid.
        reservoir: Uniform sample, shape (≤ RESERVOIR_ROWS, dimensions).
        metric: cosine or euclidean.
        embedding_model: Name, or "".
    """

    documents: int
    total: Doubles
    total_squares: Doubles
    centroids: Vectors
    shares: Doubles
    reservoir: Vectors
    metric: str
    embedding_model: str

    @property
    def dimensions(self) -> int:
        """Length of the vectors."""
        return len(self.total)

    @cached_property
    def counts(self) -> Rows:
        """Number of documents per nearest centroid, shape (clusters,).

        Shares are exact fractions of the number of documents.
        """
        return np.rint(self.shares * self.documents).astype(np.int64)

    def write(self, file: Path) -> None:
        """Writes the file."""
        np.savez(
            file,
            n=np.int64(self.documents),
            sum=self.total,
            sum_squares=self.total_squares,
            centroids=self.centroids,
            shares=self.shares,
            reservoir=self.reservoir,
            dimensions=np.int64(self.dimensions),
            metric=np.str_(self.metric),
            embedding_model=np.str_(self.embedding_model),
        )


def parse(content: bytes) -> StoredBaseline:
    """Returns the baseline in a file.

    Raises:
        ValueError: it is not such a file, or its arrays do not fit together.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            baseline = StoredBaseline(
                documents=int(arrays["n"]),
                total=np.asarray(arrays["sum"], np.float64),
                total_squares=np.asarray(arrays["sum_squares"], np.float64),
                centroids=np.ascontiguousarray(arrays["centroids"], np.float32),
                shares=np.asarray(arrays["shares"], np.float64),
                reservoir=np.ascontiguousarray(arrays["reservoir"], np.float32),
                metric=str(arrays["metric"]),
                embedding_model=str(arrays["embedding_model"]),
            )
    except (KeyError, TypeError, EOFError, zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"not a valid baseline: {error}") from error
    _check(baseline)
    return baseline


def _check(baseline: StoredBaseline) -> None:
    dimensions, clusters = baseline.dimensions, len(baseline.shares)
    shapes = {
        "sum_squares": (baseline.total_squares.shape, (dimensions,)),
        "centroids": (baseline.centroids.shape, (clusters, dimensions)),
        "reservoir": (baseline.reservoir.shape[1:], (dimensions,)),
    }
    for name, (found, expected) in shapes.items():
        if found != expected:
            raise ValueError(f"not a valid baseline: {name} has the shape {found} instead of {expected}")
    if baseline.documents < 1 or not len(baseline.reservoir):
        raise ValueError("not a valid baseline: it covers no documents")
