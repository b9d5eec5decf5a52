"""Defines the clustering algorithms, their parameters, and the parameters' defaults.

Parameters have the names that scikit-learn or the algorithm's own library uses. Their ranges and descriptions are in
`clustercontract.clustering`, which models what a user writes.
"""

from __future__ import annotations

from typing import Literal

from clustercontract.base import ApiModel

Metric = Literal["cosine", "euclidean"]
Linkage = Literal["ward", "complete", "average", "single"]
Reduce = Literal["auto", "umap", "none"]
Affinity = Literal["rbf", "nearest_neighbors"]
CovarianceType = Literal["full", "tied", "diag", "spherical"]


class KMeans(ApiModel):
    """k-means; scikit-learn's `KMeans`."""

    n_clusters: int
    max_iter: int = 300
    random_state: int | None = None


class HDBSCAN(ApiModel):
    """Hierarchical density-based clustering; scikit-learn's `HDBSCAN`."""

    min_cluster_size: int
    min_samples: int | None = None
    allow_single_cluster: bool = False
    reduce: Reduce = "auto"
    n_components: int = 5
    random_state: int | None = None


class EVoC(ApiModel):
    """Clusters at several granularities, found in the node embedding of the neighbour graph; `EVoC` of evoc."""

    base_min_cluster_size: int = 5
    base_n_clusters: int | None = None
    approx_n_clusters: int | None = None
    noise_level: float = 0.5
    n_neighbors: int = 15
    min_samples: int = 5
    n_epochs: int = 50
    node_embedding_dim: int | None = None
    neighbor_scale: float = 1.0
    min_similarity_threshold: float = 0.2
    max_layers: int = 10
    layer: int | None = None
    random_state: int | None = None


class Hierarchical(ApiModel):
    """Agglomerative clustering; scikit-learn's `AgglomerativeClustering`."""

    n_clusters: int | None = None
    distance_threshold: float | None = None
    linkage: Linkage | None = None
    random_state: int | None = None


class DBSCAN(ApiModel):
    """Density-based clustering at one distance; scikit-learn's `DBSCAN`."""

    eps: float
    min_samples: int = 5
    reduce: Reduce = "none"
    n_components: int = 5
    random_state: int | None = None


class OPTICS(ApiModel):
    """Density-based clustering at all distances; scikit-learn's `OPTICS` with `cluster_method="xi"`."""

    min_samples: int = 5
    max_eps: float | None = None
    xi: float = 0.05
    min_cluster_size: int | None = None
    reduce: Reduce = "auto"
    n_components: int = 5
    random_state: int | None = None


class MeanShift(ApiModel):
    """Clusters around the modes of the density; scikit-learn's `MeanShift`."""

    bandwidth: float | None = None
    quantile: float = 0.05
    max_iter: int = 300
    cluster_all: bool = True
    reduce: Reduce = "auto"
    n_components: int = 5
    random_state: int | None = None


class Spectral(ApiModel):
    """k-means on the eigenvectors of a similarity graph; scikit-learn's `SpectralClustering`."""

    n_clusters: int
    affinity: Affinity = "rbf"
    gamma: float = 1.0
    n_neighbors: int = 10
    random_state: int | None = None


class GaussianMixture(ApiModel):
    """A mixture of normal distributions, fitted by expectation maximisation; scikit-learn's `GaussianMixture`."""

    n_components: int
    covariance_type: CovarianceType = "diag"
    max_iter: int = 100
    n_init: int = 1
    tol: float = 1e-3
    reg_covar: float = 1e-6
    random_state: int | None = None


Parameters = KMeans | HDBSCAN | EVoC | Hierarchical | DBSCAN | OPTICS | MeanShift | Spectral | GaussianMixture

ALGORITHMS: dict[str, type[ApiModel]] = {
    "kmeans": KMeans,
    "hdbscan": HDBSCAN,
    "evoc": EVoC,
    "hierarchical": Hierarchical,
    "agglomerative": Hierarchical,
    "dbscan": DBSCAN,
    "spectral": Spectral,
    "gaussian_mixture": GaussianMixture,
    "mean_shift": MeanShift,
    "optics": OPTICS,
}
"""Maps the name that a user writes to the algorithm. `agglomerative` is an alias of `hierarchical`."""
