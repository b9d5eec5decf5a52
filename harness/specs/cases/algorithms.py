"""Cases of the algorithms and their parameters."""

from __future__ import annotations

from harness.specs.case import Accepted, Refused
from harness.specs.valid import (
    ABSENT,
    DBSCAN,
    EVOC,
    GAUSSIAN_MIXTURE,
    HDBSCAN,
    HIERARCHICAL,
    KMEANS,
    MEAN_SHIFT,
    OPTICS,
    SPECTRAL,
    clustering,
)

_CONFIG = "spec.execution_config.config"

REFUSED = [
    *(
        Refused(
            f"{config['algorithm']} without {field}",
            clustering(config, {field: ABSENT}),
            f"{_CONFIG}.{field}",
            f"{field} is required with {config['algorithm']}: set it",
        )
        for config, field in [
            (KMEANS, "n_clusters"),
            (HDBSCAN, "min_cluster_size"),
            (DBSCAN, "eps"),
            (SPECTRAL, "n_clusters"),
            (GAUSSIAN_MIXTURE, "n_components"),
        ]
    ),
    *(
        Refused(
            f"{config['algorithm']} with {field}",
            clustering(config, {field: value}),
            f"{_CONFIG}.{field}",
            f"{field} is valid only with {owners}: remove it",
        )
        for config, field, value, owners in [
            (HDBSCAN, "n_clusters", 3, "kmeans, hierarchical, agglomerative, spectral"),
            (HDBSCAN, "max_iter", 10, "kmeans, gaussian_mixture, mean_shift"),
            (KMEANS, "min_cluster_size", 10, "hdbscan, optics"),
            (MEAN_SHIFT, "min_samples", 5, "hdbscan, evoc, dbscan, optics"),
            (HIERARCHICAL, "reduce", "umap", "hdbscan, dbscan, mean_shift, optics"),
            (KMEANS, "n_components", 5, "hdbscan, dbscan, gaussian_mixture, mean_shift, optics"),
            (HDBSCAN, "linkage", "average", "hierarchical, agglomerative"),
            (KMEANS, "distance_threshold", 0.5, "hierarchical, agglomerative"),
            (HDBSCAN, "eps", 0.5, "dbscan"),
            (DBSCAN, "max_eps", 0.5, "optics"),
            (HDBSCAN, "xi", 0.1, "optics"),
            (DBSCAN, "bandwidth", 0.5, "mean_shift"),
            (OPTICS, "quantile", 0.1, "mean_shift"),
            (KMEANS, "cluster_all", False, "mean_shift"),
            (KMEANS, "affinity", "rbf", "spectral"),
            (GAUSSIAN_MIXTURE, "gamma", 2.0, "spectral"),
            (HDBSCAN, "n_neighbors", 10, "evoc, spectral"),
            (EVOC, "min_cluster_size", 10, "hdbscan, optics"),
            (EVOC, "n_components", 5, "hdbscan, dbscan, gaussian_mixture, mean_shift, optics"),
            *(
                (HDBSCAN, field, value, "evoc")
                for field, value in [
                    ("base_min_cluster_size", 5),
                    ("base_n_clusters", 20),
                    ("approx_n_clusters", 20),
                    ("noise_level", 0.3),
                    ("n_epochs", 60),
                    ("node_embedding_dim", 6),
                    ("neighbor_scale", 1.5),
                    ("min_similarity_threshold", 0.3),
                    ("max_layers", 4),
                    ("layer", 1),
                ]
            ),
            (KMEANS, "covariance_type", "full", "gaussian_mixture"),
            (KMEANS, "n_init", 3, "gaussian_mixture"),
            (MEAN_SHIFT, "tol", 0.1, "gaussian_mixture"),
            (SPECTRAL, "reg_covar", 0.1, "gaussian_mixture"),
            (KMEANS, "allow_single_cluster", True, "hdbscan"),
        ]
    ),
    *(
        Refused(
            f"{algorithm}: {name}",
            clustering({"algorithm": algorithm, **fields}),
            f"{_CONFIG}.n_clusters",
            "hierarchical requires either n_clusters or distance_threshold: set exactly one of them",
            python_field=_CONFIG,
        )
        for algorithm in ("hierarchical", "agglomerative")
        for name, fields in [("neither", {}), ("both", {"n_clusters": 3, "distance_threshold": 0.5})]
    ),
    *(
        Refused(
            f"ward, metric {metric}",
            clustering(HIERARCHICAL, {"linkage": "ward", **fields}),
            f"{_CONFIG}.linkage",
            "linkage ward requires metric euclidean: set metric: euclidean or another linkage",
        )
        for metric, fields in [("by default", {}), ("cosine", {"metric": "cosine"})]
    ),
    *(
        Refused(
            f"{config['algorithm']} reduced to {dimensions}",
            clustering(config, {"n_components": dimensions}),
            f"{_CONFIG}.n_components",
            "n_components is the number of dimensions after reduction: set 2 to 50, or use gaussian_mixture",
        )
        for config in (HDBSCAN, DBSCAN, MEAN_SHIFT, OPTICS)
        for dimensions in (1, 51)
    ),
    Refused(
        "mean_shift, bandwidth given and estimated",
        clustering(MEAN_SHIFT, {"bandwidth": 0.5, "quantile": 0.1}),
        f"{_CONFIG}.quantile",
        "quantile estimates the bandwidth: remove it, or remove bandwidth",
    ),
    Refused(
        "optics, every document a core point",
        clustering(OPTICS, {"min_samples": 1}),
        f"{_CONFIG}.min_samples",
        "min_samples must be at least 2 with optics: raise it",
    ),
    Refused(
        "evoc, no neighbour but itself",
        clustering(EVOC, {"n_neighbors": 1}),
        f"{_CONFIG}.n_neighbors",
        "n_neighbors must be at least 2 with evoc: raise it",
    ),
    *(
        Refused(
            f"evoc, approx_n_clusters and {field}",
            clustering(EVOC, {"approx_n_clusters": 20, field: value}),
            f"{_CONFIG}.approx_n_clusters",
            "approx_n_clusters produces a single layer: remove it, or remove base_n_clusters and layer",
        )
        for field, value in [("base_n_clusters", 40), ("layer", 0)]
    ),
    Refused(
        "unknown parameter",
        clustering(KMEANS, {"n_cluster": 3}),
        f"{_CONFIG}.n_cluster",
        "unknown field",
        rule=False,
    ),
    Refused(
        "unknown algorithm",
        clustering({"algorithm": "kmedoids"}),
        f"{_CONFIG}.algorithm",
        "kmedoids",
        rule=False,
    ),
    Refused("number as text", clustering(KMEANS, {"n_clusters": "5"}), f"{_CONFIG}.n_clusters", "must be",
            rule=False),
    Refused("distance of zero", clustering({"algorithm": "hierarchical", "distance_threshold": 0}),
            f"{_CONFIG}.distance_threshold", "greater than 0", rule=False),
    *(
        Refused(f"{field} out of range", clustering(config, {field: value}), f"{_CONFIG}.{field}", says, rule=False)
        for config, field, value, says in [
            (DBSCAN, "eps", 0, "greater than 0"),
            (OPTICS, "max_eps", 0, "greater than 0"),
            (OPTICS, "xi", 1.1, "1"),
            (MEAN_SHIFT, "bandwidth", 0, "greater than 0"),
            (MEAN_SHIFT, "quantile", 1.5, "1"),
            (MEAN_SHIFT, "max_iter", 0, "1"),
            (SPECTRAL, "affinity", "cosine", "cosine"),
            (SPECTRAL, "gamma", 0, "greater than 0"),
            (SPECTRAL, "n_neighbors", 0, "1"),
            (GAUSSIAN_MIXTURE, "n_components", 0, "1"),
            (GAUSSIAN_MIXTURE, "covariance_type", "round", "round"),
            (GAUSSIAN_MIXTURE, "n_init", 101, "100"),
            (GAUSSIAN_MIXTURE, "tol", 0, "greater than 0"),
            (GAUSSIAN_MIXTURE, "reg_covar", -1, "greater than 0"),
        ]
    ),
]  # fmt: skip

ACCEPTED = [
    Accepted("kmeans, every parameter", clustering(KMEANS, {"max_iter": 50, "metric": "euclidean", "random_state": 7})),
    Accepted("hdbscan, every parameter",
             clustering(HDBSCAN, {"min_samples": 4, "reduce": "auto", "n_components": 8, "metric": "cosine"})),
    Accepted("hierarchical by distance",
             clustering({"algorithm": "agglomerative", "distance_threshold": 0.4, "linkage": "complete"})),
    Accepted("ward", clustering(HIERARCHICAL, {"linkage": "ward", "metric": "euclidean"})),
    *(
        Accepted(f"{config['algorithm']}, required fields", clustering(config))
        for config in (KMEANS, HDBSCAN, HIERARCHICAL, DBSCAN, SPECTRAL, GAUSSIAN_MIXTURE, MEAN_SHIFT, OPTICS, EVOC)
    ),
    Accepted("evoc, every parameter", clustering(EVOC, {
        "base_min_cluster_size": 10, "base_n_clusters": 50, "noise_level": 0.2, "n_neighbors": 20, "min_samples": 8,
        "n_epochs": 80, "node_embedding_dim": 6, "neighbor_scale": 1.5, "min_similarity_threshold": 0.4,
        "max_layers": 5, "layer": 1, "metric": "euclidean", "random_state": 3})),
    Accepted("evoc, about as many clusters", clustering(EVOC, {"approx_n_clusters": 20})),
    Accepted("dbscan, every parameter",
             clustering(DBSCAN, {"min_samples": 1, "reduce": "umap", "n_components": 2, "random_state": 1})),
    Accepted("spectral, every parameter",
             clustering(SPECTRAL, {"affinity": "nearest_neighbors", "n_neighbors": 12, "gamma": 2.5})),
    Accepted("gaussian_mixture, every parameter", clustering(GAUSSIAN_MIXTURE, {
        "n_components": 500, "covariance_type": "tied", "max_iter": 20, "n_init": 2, "tol": 0.01, "reg_covar": 1e-3})),
    Accepted("mean_shift by share", clustering(MEAN_SHIFT, {"quantile": 0.02})),
    Accepted("mean_shift, every parameter", clustering(MEAN_SHIFT, {
        "bandwidth": 0.8, "max_iter": 100, "cluster_all": False, "reduce": "none", "n_components": 50})),
    Accepted("optics, every parameter", clustering(OPTICS, {
        "min_samples": 2, "max_eps": 1.5, "xi": 1.0, "min_cluster_size": 10, "reduce": "none", "n_components": 8})),
]  # fmt: skip
