"""Two coordinates per document, so that a person can tell the clusters apart."""

from typing import Literal

import numpy as np

from clusterworker.clustering.algorithms.embedding import FEWEST_ROWS, embed
from clusterworker.data.arrays import NOISE, Labels, Vectors

Layout = Literal["pca", "umap"]

MAP_ROWS = 2_500
EPOCHS = 200
PULL = 0.3
"""How far each document is drawn towards its cluster's centroid before the map is made. Without it, the map shows the
documents' own neighbourhoods, across which k-means and others draw borders that then look arbitrary."""


def coordinates(
    vectors: Vectors, labels: Labels, centroids: Vectors, metric: str, seed: int, layout: Layout = "pca"
) -> Vectors:
    """Lay documents out in the plane.

    Args:
        vectors: shape (rows, dimensions).
        labels: shape (rows,).
        centroids: shape (clusters, dimensions), in the space of the vectors.
        metric: cosine or euclidean.
        seed: of UMAP.
        layout: the two main directions, or UMAP, which for a few documents is replaced by the main directions.

    Returns:
        Shape (rows, 2).
    """
    vectors = vectors.copy()
    inside = labels != NOISE
    vectors[inside] += PULL * (centroids[labels[inside]] - vectors[inside])
    if metric == "cosine":
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    if layout == "pca" or is_too_small_for_umap(vectors):
        return _main_directions(vectors)
    return embed(vectors, 2, metric, seed, min_dist=0.35, epochs=EPOCHS)


def is_too_small_for_umap(vectors: Vectors) -> bool:
    """Whether there are too few documents or dimensions for UMAP to do better than the main directions."""
    return len(vectors) < FEWEST_ROWS or vectors.shape[1] <= 2


def _main_directions(vectors: Vectors) -> Vectors:
    """Project onto the two main directions (PCA), each pointing to where its largest component is positive."""
    centred = vectors - vectors.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:2]
    strongest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    plane = np.zeros((len(vectors), 2), np.float32)
    plane[:, : len(directions)] = centred @ (directions * np.where(strongest < 0, -1, 1)).T
    return plane
