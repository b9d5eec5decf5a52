"""Two coordinates per document, so that a person can tell the clusters apart."""

from typing import Literal

import numpy as np

from clusterworker.clustering.algorithms import embedding, node_embedding
from clusterworker.clustering.algorithms.distinct import distinct
from clusterworker.data.arrays import NOISE, Labels, Rows, Vectors
from clusterworker.run.findings import EarlierMap

Layout = Literal["pca", "umap", "evoc"]

MAP_ROWS = 2_500
FEW_CLUSTERS = 5
"""Up to so many clusters lie apart in the two main directions, and nothing need be compiled or loaded for them."""
EPOCHS = 200
NEAREST = 3
"""Documents of an earlier map between which one is placed that is assigned later."""
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
        seed: of the layout.
        layout: how; the main directions also where there are too few documents for another one.

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
    """Place documents on an earlier map: each among the documents of its cluster there to which it is most similar.

    Args:
        known: the map.
        vectors: shape (rows, dimensions), in the space of the map's vectors.
        ids: cluster_id of each, or NOISE, shape (rows,).

    Returns:
        Shape (rows, 2).
    """
    middle = known.vectors.mean(axis=0)
    here, there = vectors - middle, known.vectors - middle
    squares = np.vecdot(here, here)[:, None] + np.vecdot(there, there) - 2 * here @ there.T
    elsewhere = ids[:, None] != known.ids[None]
    elsewhere[elsewhere.all(axis=1)] = False  # the map shows no document of that cluster
    squares[elsewhere] = np.inf
    few = min(NEAREST, len(there))
    nearest = np.argpartition(squares, few - 1, axis=1)[:, :few]
    found = np.take_along_axis(squares, nearest, axis=1)
    least = 1e-6 * np.vecdot(there, there).mean() + np.finfo(np.float32).tiny  # rounding leaves so much of equal ones
    weights = 1 / np.maximum(found, least).astype(np.float64)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("ij,ijk->ik", weights, known.points[nearest]), np.float32)


def layout_of(wanted: Literal["auto", "pca", "umap"], vectors: Vectors, clusters: int) -> Layout:
    """Return how to lay documents out.

    Args:
        wanted: by the configuration.
        vectors: shape (rows, dimensions).
        clusters: of all documents.
    """
    return _possible(wanted if wanted != "auto" else "evoc" if clusters > FEW_CLUSTERS else "pca", vectors)


def _possible(layout: Layout, vectors: Vectors) -> Layout:
    """Of a few documents, or in two dimensions, no layout says more than the main directions."""
    if layout == "pca" or vectors.shape[1] <= 2:
        return "pca"
    fewest = embedding.FEWEST_ROWS if layout == "umap" else node_embedding.FEWEST_ROWS
    return "pca" if len(distinct(vectors)) < fewest else layout


def _main_directions(vectors: Vectors) -> Vectors:
    """Project onto the two main directions (PCA), each pointing to where its largest component is positive."""
    centred = vectors - vectors.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:2]
    strongest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    plane = np.zeros((len(vectors), 2), np.float32)
    plane[:, : len(directions)] = centred @ (directions * np.where(strongest < 0, -1, 1)).T
    return plane
