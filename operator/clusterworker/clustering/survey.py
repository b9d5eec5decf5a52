"""A run's pass over all documents after clustering: everything that the results need of every document."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clusterworker.clustering.algorithms.clustering import Clustering
from clusterworker.clustering.central import CentralDocuments
from clusterworker.clustering.quality import ClusterSums
from clusterworker.clustering.reservoir import Reservoir
from clusterworker.clustering.tally import Tally
from clusterworker.data.arrays import NOISE, Doubles, Labels, Rows, Vectors
from clusterworker.data.dataset import Dataset
from clusterworker.data.sources.batch import Batch
from clusterworker.process.progress import Progress

SAMPLE_ROWS = 4_000
"""Documents kept for the picture, the silhouette and the baseline."""

Distances = npt.NDArray[np.float32]
MemberWriter = Callable[[Batch, Labels, Distances], None]


@dataclass
class Survey:
    """What one pass found.

    Attributes:
        sizes: documents per cluster.
        noise: documents in no cluster.
        sums: for the quality measures.
        central: most central documents per cluster.
        reservoir: uniform sample with labels.
        nearest: documents per nearest centroid, noise included: what a later check can count again.
        total: sum of all vectors, shape (dimensions,).
        total_squares: sum of their squares, shape (dimensions,).
    """

    sizes: Rows
    noise: int
    sums: ClusterSums
    central: CentralDocuments
    reservoir: Reservoir
    nearest: Rows
    total: Doubles
    total_squares: Doubles

    @property
    def documents(self) -> int:
        """All documents, noise included."""
        return int(self.sizes.sum()) + self.noise


def survey(
    dataset: Dataset, clustering: Clustering, metric: str, seed: int, write: MemberWriter, progress: Progress
) -> Survey:
    """Pass over the documents once.

    Args:
        dataset: what was clustered.
        clustering: its clusters.
        metric: of the distance to the centroid: 1 - cos, or Euclidean.
        seed: of the reservoir.
        write: called with every batch, its labels, and its distances (NaN for noise).
        progress: told how far the pass is.
    """
    sums, central = ClusterSums(clustering.means), CentralDocuments()
    tally = Tally(clustering.centroids, SAMPLE_ROWS, seed)
    row = noise = 0
    for batch in dataset.batches():
        vectors = np.asarray(batch.vectors)
        nearest = tally.add(vectors)
        labels = nearest if clustering.labels is None else clustering.labels[row : row + len(vectors)]
        distances = distances_to_centroid(vectors, labels, clustering.centroids, metric)
        write(batch, labels, distances)
        sums.add(vectors, labels)
        central.add(row, batch.ids, labels, distances)
        tally.offer(vectors, labels)
        noise += int((labels == NOISE).sum())
        row += len(vectors)
        progress.advance(row / dataset.rows)
    assert row == dataset.rows  # noqa: S101 - every pass yields all documents, see sources.collection.whole_pass
    return Survey(sums.counts, noise, sums, central, tally.reservoir, tally.counts, tally.total, tally.total_squares)


def distances_to_centroid(vectors: Vectors, labels: Labels, centroids: Vectors, metric: str) -> Distances:
    """Distance of each document to its own cluster's centroid, shape (rows,); NaN for noise."""
    distances = np.full(len(labels), np.nan, np.float32)
    inside = labels != NOISE
    apart = vectors[inside] - centroids[labels[inside]]
    squares = np.einsum("ij,ij->i", apart, apart, dtype=np.float64)
    # Of unit vectors, 1 - cos is half of the squared distance, which keeps its digits.
    distances[inside] = squares / 2 if metric == "cosine" else np.sqrt(squares)
    return distances
