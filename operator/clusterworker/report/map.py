"""Two coordinates per document, so that a person can tell the clusters apart."""

import numpy as np

from clusterworker.algorithms.embedding import FEWEST_ROWS, embed
from clusterworker.arrays import NOISE, Labels, Vectors

MAP_ROWS = 2_500
EPOCHS = 200
PULL = 0.3
"""How far each document is drawn towards its cluster's centroid before the map is made. Without it, the map shows the
documents' own neighbourhoods, across which k-means and others draw borders that then look arbitrary."""


def coordinates(vectors: Vectors, labels: Labels, centroids: Vectors, metric: str, seed: int) -> Vectors:
    """Lay documents out in the plane: UMAP, or the two main directions of a few documents.

    Args:
        vectors: shape (rows, dimensions).
        labels: shape (rows,).
        centroids: shape (clusters, dimensions), in the space of the vectors.
        metric: cosine or euclidean.
        seed: of the layout.

    Returns:
        Shape (rows, 2).
    """
    vectors = vectors.copy()
    inside = labels != NOISE
    vectors[inside] += PULL * (centroids[labels[inside]] - vectors[inside])
    if metric == "cosine":
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    if len(vectors) < FEWEST_ROWS or vectors.shape[1] <= 2:
        return _main_directions(vectors)
    return embed(vectors, 2, metric, seed, min_dist=0.35, epochs=EPOCHS)


def _main_directions(vectors: Vectors) -> Vectors:
    """Project onto the two main directions (PCA)."""
    centred = vectors - vectors.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    plane = np.zeros((len(vectors), 2), np.float32)
    projected = centred @ directions[:2].T
    plane[:, : projected.shape[1]] = projected
    return plane
