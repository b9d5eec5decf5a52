"""Computes two coordinates for each document, so that the map shows the clusters apart."""

from typing import Literal

import numpy as np

from clusterworker.clustering.algorithms import embedding, node_embedding
from clusterworker.clustering.algorithms.distinct import distinct
from clusterworker.data.arrays import NOISE, Labels, Rows, Vectors
from clusterworker.run.findings import EarlierMap

Layout = Literal["pca", "umap", "evoc"]

MAP_ROWS = 2_500
FEW_CLUSTERS = 5
"""Maximum number of clusters that the two main directions separate. Up to it, nothing needs to be compiled or loaded.
"""
EPOCHS = 200
NEAREST = 3
"""Number of documents of an earlier map between which a document is placed that is assigned later."""
PULL = 0.3
"""How far each document is moved towards its cluster's centroid before the map is computed. Without it, the map shows
the documents' own neighbourhoods, across which k-means and others draw borders that then look arbitrary.
"""


def coordinates(
    vectors: Vectors, labels: Labels, centroids: Vectors, metric: str, seed: int, layout: Layout = "pca"
) -> Vectors:
    """Lays documents out in the plane.

    Args:
        vectors: shape (rows, dimensions).
        labels: shape (rows,).
        centroids: shape (clusters, dimensions), in the space of the vectors.
        metric: cosine or euclidean.
        seed: Seed of the layout.
        layout: Layout. The main directions are also used if there are too few documents for another layout.

    Returns:
        Shape (rows, 2).
    """
    vectors = vectors.copy()
    inside = labels != NOISE
    vectors[inside] += PULL * (centroids[labels[inside]] - vectors[inside])
    if metric == "cosine":
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    layout = _possible(layout, vectors)
    if layout == "umap":
        return embedding.embed(vectors, 2, metric, seed, min_dist=0.35, epochs=EPOCHS)
    if layout == "evoc":
        points = distinct(vectors)
        return points.spread(node_embedding.embed(points.vectors, 2, metric, seed))
    return _main_directions(vectors)


def placed(known: EarlierMap, vectors: Vectors, ids: Rows) -> Vectors:
    """Places documents on an earlier map: each among the most similar documents of its cluster on the map.

    Args:
        known: The map.
        vectors: shape (rows, dimensions), in the space of the map's vectors.
        ids: cluster_id of each, or NOISE, shape (rows,).

    Returns:
        Shape (rows, 2).
    """
    middle = known.vectors.mean(axis=0)
    own, earlier = vectors - middle, known.vectors - middle
    squares = np.vecdot(own, own)[:, None] + np.vecdot(earlier, earlier) - 2 * own @ earlier.T
    elsewhere = ids[:, None] != known.ids[None]
    elsewhere[elsewhere.all(axis=1)] = False  # The map shows no document of that cluster.
    squares[elsewhere] = np.inf
    few = min(NEAREST, len(earlier))
    nearest = np.argpartition(squares, few - 1, axis=1)[:, :few]
    found = np.take_along_axis(squares, nearest, axis=1)
    # Equal documents can differ this much by rounding.
    least = 1e-6 * np.vecdot(earlier, earlier).mean() + np.finfo(np.float32).tiny
    weights = 1 / np.maximum(found, least).astype(np.float64)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("ij,ijk->ik", weights, known.points[nearest]), np.float32)


def layout_of(method: Literal["auto", "pca", "umap"], vectors: Vectors, clusters: int) -> Layout:
    """Returns how to lay documents out.

    Args:
        method: The configured layout.
        vectors: shape (rows, dimensions).
        clusters: Number of clusters of all documents.
    """
    return _possible(method if method != "auto" else "evoc" if clusters > FEW_CLUSTERS else "pca", vectors)


def _possible(layout: Layout, vectors: Vectors) -> Layout:
    """Returns whether the main directions suffice: for few documents, or in two dimensions."""
    if layout == "pca" or vectors.shape[1] <= 2:
        return "pca"
    fewest = embedding.FEWEST_ROWS if layout == "umap" else node_embedding.FEWEST_ROWS
    return "pca" if len(distinct(vectors)) < fewest else layout


def _main_directions(vectors: Vectors) -> Vectors:
    """Projects onto the two main directions (PCA), each oriented so that its largest component is positive."""
    centred = vectors - vectors.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:2]
    strongest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    plane = np.zeros((len(vectors), 2), np.float32)
    plane[:, : len(directions)] = centred @ (directions * np.where(strongest < 0, -1, 1)).T
    return plane
