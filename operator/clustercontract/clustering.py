"""Defines what a user writes as `config`: one flat object, because a structural schema does not support tagged unions.

The algorithms' models define which parameter belongs to which algorithm.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from clustercontract.algorithms import (
    ALGORITHMS,
    Affinity,
    CovarianceType,
    Hierarchical,
    Linkage,
    Metric,
    Parameters,
    Reduce,
)
from clustercontract.base import ApiModel, cel
from clustercontract.variants import check_variant, narrow, variant_rules

Ids = Literal["lasting", "by_size"]

REDUCING = [name for name, model in ALGORITHMS.items() if "reduce" in model.model_fields]
MOST_DIMENSIONS = 50

EITHER_COUNT_OR_DISTANCE = "hierarchical requires either n_clusters or distance_threshold: set exactly one of them"
WARD_METRIC = "linkage ward requires metric euclidean: set metric: euclidean or another linkage"
REDUCED_DIMENSIONS = (
    f"n_components is the number of dimensions after reduction: set 2 to {MOST_DIMENSIONS}, or use gaussian_mixture"
)
BANDWIDTH_OR_QUANTILE = "quantile estimates the bandwidth: remove it, or remove bandwidth"
BASE_OR_FINAL_COUNT = "approx_n_clusters produces a single layer: remove it, or remove base_n_clusters and layer"
EVOC_NEIGHBOURS = "n_neighbors must be at least 2 with evoc: raise it"
OPTICS_SAMPLES = "min_samples must be at least 2 with optics: raise it"


def _rules(schema: dict[str, Any]) -> None:
    reducing = ", ".join(f"'{name}'" for name in REDUCING)
    schema["x-kubernetes-validations"] = [
        *variant_rules(ALGORITHMS, discriminator="self.algorithm", parent="self", fields=schema["properties"]),
        cel(
            "!(self.algorithm in ['hierarchical', 'agglomerative']) || "
            "has(self.n_clusters) != has(self.distance_threshold)",
            EITHER_COUNT_OR_DISTANCE,
            field=".n_clusters",
        ),
        cel(
            "!has(self.linkage) || self.linkage != 'ward' || (has(self.metric) && self.metric == 'euclidean')",
            WARD_METRIC,
            field=".linkage",
        ),
        cel(
            f"!has(self.n_components) || !(self.algorithm in [{reducing}]) || "
            f"(self.n_components >= 2 && self.n_components <= {MOST_DIMENSIONS})",
            REDUCED_DIMENSIONS,
            field=".n_components",
        ),
        cel("!has(self.quantile) || !has(self.bandwidth)", BANDWIDTH_OR_QUANTILE, field=".quantile"),
        cel(
            "!has(self.min_samples) || self.algorithm != 'optics' || self.min_samples >= 2",
            OPTICS_SAMPLES,
            field=".min_samples",
        ),
        cel(
            "!has(self.approx_n_clusters) || (!has(self.base_n_clusters) && !has(self.layer))",
            BASE_OR_FINAL_COUNT,
            field=".approx_n_clusters",
        ),
        cel(
            "!has(self.n_neighbors) || self.algorithm != 'evoc' || self.n_neighbors >= 2",
            EVOC_NEIGHBOURS,
            field=".n_neighbors",
        ),
    ]


class ClusteringConfig(ApiModel):
    """The algorithm and its parameters, which have scikit-learn's names."""

    model_config = ConfigDict(json_schema_extra=_rules)

    algorithm: Literal[
        "kmeans",
        "hdbscan",
        "evoc",
        "hierarchical",
        "agglomerative",
        "dbscan",
        "spectral",
        "gaussian_mixture",
        "mean_shift",
        "optics",
    ] = Field(description="Clustering algorithm. agglomerative is an alias of hierarchical.")
    metric: Metric = Field(
        "cosine", description="Distance between vectors. cosine normalizes the vectors to unit length first."
    )
    ids: Ids = Field(
        "lasting",
        description="lasting: a cluster keeps its cluster_id if its centroid matches a cluster of the trigger's last "
        "completed run; a new cluster gets a number that was never used. The clustering starts from that run, or "
        "from scratch if that is better by more than 1 %. by_size: each run starts from scratch and numbers its "
        "clusters by size, and 0 is the largest. With evoc, it applies to the clusters of every layer.",
    )
    n_clusters: int | None = Field(
        None, ge=1, le=100_000, description="kmeans, spectral (required), hierarchical: number of clusters."
    )
    max_iter: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="kmeans, mean_shift, gaussian_mixture: maximum number of iterations. Default 300; 100 with "
        "gaussian_mixture.",
    )
    min_cluster_size: int | None = Field(
        None,
        ge=2,
        le=1_000_000,
        description="hdbscan (required), optics: minimum number of documents in a cluster. With optics, the default "
        "is min_samples.",
    )
    min_samples: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="hdbscan, evoc, dbscan, optics: number of neighbours that make a document a core point, "
        "including the document itself. Default min_cluster_size with hdbscan, 5 with the others.",
    )
    allow_single_cluster: bool | None = Field(
        None,
        description="hdbscan: whether all documents except outliers can form one cluster if no split is found. "
        "Default false: all documents are then noise.",
    )
    eps: float | None = Field(
        None,
        gt=0,
        description="dbscan (required): maximum distance between neighbours. It is a cosine distance (1 - cos, from "
        "0 to 2) with metric cosine, and a Euclidean distance between reduced vectors after a reduction. "
        "scikit-learn's default, 0.5, puts most text embeddings into one cluster.",
    )
    max_eps: float | None = Field(
        None,
        gt=0,
        description="optics: maximum distance between neighbours, measured like eps. Default: unlimited.",
    )
    xi: float | None = Field(
        None,
        gt=0,
        le=1,
        description="optics: minimum relative drop in density at the border of a cluster. Default 0.05.",
    )
    bandwidth: float | None = Field(
        None,
        gt=0,
        description="mean_shift: radius of the window, as a Euclidean distance between unit vectors (metric cosine) "
        "or between reduced vectors (after a reduction). Default: estimated from quantile.",
    )
    quantile: float | None = Field(
        None,
        gt=0,
        le=1,
        description="mean_shift without bandwidth: average share of all documents in a window, as in scikit-learn's "
        "estimate_bandwidth. Default 0.05, because scikit-learn's default of 0.3 puts nearly all text embeddings "
        "into one cluster.",
    )
    cluster_all: bool | None = Field(
        None,
        description="mean_shift: whether documents outside all windows join the nearest cluster. If false, they "
        "are noise. Default true.",
    )
    reduce: Reduce | None = Field(
        None,
        description="hdbscan, dbscan, mean_shift, optics: whether to reduce the vectors to n_components dimensions "
        "first. auto (the default, except with dbscan) uses EVōC's node embedding for vectors of more than 15 "
        "dimensions. umap uses UMAP. none (the default with dbscan) clusters the original vectors.",
    )
    n_components: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="gaussian_mixture (required): number of normal distributions. hdbscan, dbscan, mean_shift, "
        "optics: number of dimensions after reduction, 2 to 50, default 5.",
    )
    base_min_cluster_size: int | None = Field(
        None,
        ge=2,
        le=1_000_000,
        description="evoc: minimum number of documents in a cluster of the finest layer. Default 5.",
    )
    base_n_clusters: int | None = Field(
        None,
        ge=2,
        le=100_000,
        description="evoc: approximate number of clusters in the finest layer; replaces base_min_cluster_size.",
    )
    approx_n_clusters: int | None = Field(
        None, ge=2, le=100_000, description="evoc: approximate number of clusters; produces a single layer."
    )
    noise_level: float | None = Field(
        None,
        ge=0,
        le=1,
        description="evoc: 0 assigns more documents to clusters, 1 leaves more documents as noise. Default 0.5.",
    )
    n_epochs: int | None = Field(
        None, ge=1, le=255, description="evoc: number of epochs of the node embedding. Default 50."
    )
    node_embedding_dim: int | None = Field(
        None,
        ge=2,
        le=50,
        description="evoc: number of dimensions of the node embedding. Default: a quarter of n_neighbors, at least 4 "
        "and at most 15.",
    )
    neighbor_scale: float | None = Field(
        None, gt=0, le=10, description="evoc: factor for the effective number of neighbours. Default 1."
    )
    min_similarity_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="evoc: if two layers share more than this proportion of their clusters, the less persistent "
        "layer is dropped. Default 0.2.",
    )
    max_layers: int | None = Field(None, ge=1, le=20, description="evoc: maximum number of layers. Default 10.")
    layer: int | None = Field(
        None,
        ge=0,
        le=19,
        description="evoc: the layer that becomes the run's clustering, in members.parquet and in the status. 0 is "
        "the finest. Default: the most persistent layer.",
    )
    linkage: Linkage | None = Field(
        None,
        description="hierarchical: distance between clusters to minimize. Default complete with cosine, ward "
        "with euclidean.",
    )
    distance_threshold: float | None = Field(
        None, gt=0, description="hierarchical: clusters closer than this distance are merged; replaces n_clusters."
    )
    affinity: Affinity | None = Field(
        None,
        description="spectral: similarity of two documents. rbf (default) is exp(-gamma * squared Euclidean "
        "distance). nearest_neighbors counts only the n_neighbors nearest documents.",
    )
    gamma: float | None = Field(
        None,
        gt=0,
        description="spectral with affinity rbf: how fast the similarity decreases with the distance. Default 1.",
    )
    n_neighbors: int | None = Field(
        None,
        ge=1,
        le=1_000,
        description="spectral with affinity nearest_neighbors, evoc: number of neighbours per document. Default 10; "
        "15 with evoc.",
    )
    covariance_type: CovarianceType | None = Field(
        None,
        description="gaussian_mixture: shape of each distribution. Default diag. scikit-learn's default, full, "
        "estimates a number of parameters per distribution that grows with the square of the dimensions, which is "
        "too many for hundreds of dimensions.",
    )
    n_init: int | None = Field(
        None,
        ge=1,
        le=100,
        description="gaussian_mixture: number of initializations; the result with the highest "
        "likelihood is kept. Default 1.",
    )
    tol: float | None = Field(
        None,
        gt=0,
        description="gaussian_mixture: fitting stops when the likelihood improves by less than this. Default 0.001.",
    )
    reg_covar: float | None = Field(
        None,
        gt=0,
        description="gaussian_mixture: value added to all variances, which keeps them above 0. Default 0.000001.",
    )
    random_state: int | None = Field(
        None,
        ge=0,
        le=2**31 - 1,
        description="Random seed. By default, it is derived from the trigger and is the "
        "same for all runs of the trigger.",
    )

    @model_validator(mode="after")
    def _parameters_fit_algorithm(self) -> Self:
        check_variant(ALGORITHMS, self.algorithm, self)
        if ALGORITHMS[self.algorithm] is Hierarchical and (self.n_clusters is None) == (
            self.distance_threshold is None
        ):
            raise ValueError(EITHER_COUNT_OR_DISTANCE)
        if self.linkage == "ward" and self.metric != "euclidean":
            raise ValueError(WARD_METRIC)
        if self.algorithm in REDUCING and not 2 <= (self.n_components or 2) <= MOST_DIMENSIONS:
            raise ValueError(REDUCED_DIMENSIONS)
        if self.quantile is not None and self.bandwidth is not None:
            raise ValueError(BANDWIDTH_OR_QUANTILE)
        if self.algorithm == "optics" and self.min_samples == 1:
            raise ValueError(OPTICS_SAMPLES)
        if self.approx_n_clusters is not None and not (self.base_n_clusters is None and self.layer is None):
            raise ValueError(BASE_OR_FINAL_COUNT)
        if self.algorithm == "evoc" and self.n_neighbors == 1:
            raise ValueError(EVOC_NEIGHBOURS)
        return self

    def parameters(self) -> Parameters:
        """Returns the algorithm's own model, with its defaults filled in."""
        parameters: Parameters = narrow(ALGORITHMS, self.algorithm, self)
        return parameters
