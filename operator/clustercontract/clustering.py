"""What a user writes as `config`: one flat object, since a structural schema knows no tagged unions.

Which parameter belongs to which algorithm is read off the algorithms' models.
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

EITHER_COUNT_OR_DISTANCE = "hierarchical takes either n_clusters or distance_threshold: set exactly one"
WARD_METRIC = "linkage ward needs metric euclidean: set metric: euclidean or another linkage"
REDUCED_DIMENSIONS = (
    f"n_components is a number of dimensions with reduce: set 2 to {MOST_DIMENSIONS}, or use gaussian_mixture"
)
BANDWIDTH_OR_QUANTILE = "quantile estimates the bandwidth: remove it, or remove bandwidth"
BASE_OR_FINAL_COUNT = "approx_n_clusters asks for one layer alone: remove it, or remove base_n_clusters and layer"
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
    """The algorithm and its parameters, under scikit-learn's names."""

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
    ] = Field(description="Clustering algorithm. agglomerative is another name for hierarchical.")
    metric: Metric = Field(
        "cosine", description="Distance between vectors; cosine normalises them to unit length first."
    )
    ids: Ids = Field(
        "lasting",
        description="lasting: a cluster that the trigger's last completed run knew, by its centroid, keeps its "
        "cluster_id, and a new one gets a number that was never used. by_size, and always evoc: 0 is the largest, in "
        "every run anew.",
    )
    n_clusters: int | None = Field(
        None, ge=1, le=100_000, description="kmeans, spectral (required), hierarchical: number of clusters."
    )
    max_iter: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="kmeans, mean_shift, gaussian_mixture: most iterations. Default 300; 100 with gaussian_mixture.",
    )
    min_cluster_size: int | None = Field(
        None,
        ge=2,
        le=1_000_000,
        description="hdbscan (required), optics: the smallest group that counts as a cluster. "
        "Default min_samples with optics.",
    )
    min_samples: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="hdbscan, evoc, dbscan, optics: neighbours that make a core point, itself included. "
        "Default min_cluster_size with hdbscan, 5 with the others.",
    )
    allow_single_cluster: bool | None = Field(
        None,
        description="hdbscan: whether all documents may be one cluster, outliers aside, where nothing splits them. "
        "Default false: then all are noise.",
    )
    eps: float | None = Field(
        None,
        gt=0,
        description="dbscan (required): how far apart neighbours are. With metric cosine a cosine distance (1 - cos: 0 "
        "to 2), after a reduction a Euclidean one between reduced vectors. scikit-learn's default, 0.5, puts most "
        "text embeddings into one cluster.",
    )
    max_eps: float | None = Field(
        None,
        gt=0,
        description="optics: look for neighbours up to this distance, measured as eps is. Default: any distance.",
    )
    xi: float | None = Field(
        None,
        gt=0,
        le=1,
        description="optics: how steeply density must fall at the border of a cluster. Default 0.05.",
    )
    bandwidth: float | None = Field(
        None,
        gt=0,
        description="mean_shift: radius of the window, a Euclidean distance; with metric cosine between unit vectors, "
        "after a reduction between reduced ones. Default: estimated from quantile.",
    )
    quantile: float | None = Field(
        None,
        gt=0,
        le=1,
        description="mean_shift without bandwidth: the share of all documents that a window holds on average, as in "
        "scikit-learn's estimate_bandwidth. Default 0.05: scikit-learn's, 0.3, makes nearly all text embeddings one "
        "cluster.",
    )
    cluster_all: bool | None = Field(
        None, description="mean_shift: false leaves documents outside of all windows as noise. Default true."
    )
    reduce: Reduce | None = Field(
        None,
        description="hdbscan, dbscan, mean_shift, optics: map the vectors to n_components dimensions first. auto (the "
        "default, except with dbscan) takes EVōC's node embedding above 15 dimensions, umap takes UMAP; none (the "
        "default with dbscan) clusters the raw vectors.",
    )
    n_components: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="gaussian_mixture (required): number of normal distributions. hdbscan, dbscan, mean_shift, optics: "
        "dimensions after reduction, 2 to 50, default 5.",
    )
    base_min_cluster_size: int | None = Field(
        None,
        ge=2,
        le=1_000_000,
        description="evoc: the smallest group that counts as a cluster in the finest layer. Default 5.",
    )
    base_n_clusters: int | None = Field(
        None,
        ge=2,
        le=100_000,
        description="evoc: about how many clusters the finest layer has, in place of base_min_cluster_size.",
    )
    approx_n_clusters: int | None = Field(
        None, ge=2, le=100_000, description="evoc: about how many clusters there are, in one layer alone."
    )
    noise_level: float | None = Field(
        None,
        ge=0,
        le=1,
        description="evoc: 0 draws more documents into clusters, 1 leaves more of them as noise. Default 0.5.",
    )
    n_epochs: int | None = Field(None, ge=1, le=255, description="evoc: passes of the node embedding. Default 50.")
    node_embedding_dim: int | None = Field(
        None,
        ge=2,
        le=50,
        description="evoc: dimensions of the node embedding. Default a quarter of n_neighbors, 4 to 15.",
    )
    neighbor_scale: float | None = Field(
        None, gt=0, le=10, description="evoc: scale of the effective number of neighbours. Default 1."
    )
    min_similarity_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="evoc: of two layers that have a greater share of their clusters in common, the less persistent "
        "one is left out. Default 0.2.",
    )
    max_layers: int | None = Field(None, ge=1, le=20, description="evoc: most layers. Default 10.")
    layer: int | None = Field(
        None,
        ge=0,
        le=19,
        description="evoc: which layer is the run's clustering, in members.parquet and the status: 0 is the finest. "
        "Default: the most persistent one.",
    )
    linkage: Linkage | None = Field(
        None, description="hierarchical: which distance to minimise. Default complete with cosine, ward with euclidean."
    )
    distance_threshold: float | None = Field(
        None, gt=0, description="hierarchical: merge below this distance, in place of n_clusters."
    )
    affinity: Affinity | None = Field(
        None,
        description="spectral: what makes documents similar; rbf (default) is exp(-gamma * squared Euclidean "
        "distance), nearest_neighbors counts the n_neighbors nearest only.",
    )
    gamma: float | None = Field(None, gt=0, description="spectral with affinity rbf: how fast it falls. Default 1.")
    n_neighbors: int | None = Field(
        None,
        ge=1,
        le=1_000,
        description="spectral with affinity nearest_neighbors, evoc: neighbours per document. Default 10, and 15 with "
        "evoc.",
    )
    covariance_type: CovarianceType | None = Field(
        None,
        description="gaussian_mixture: shape of each distribution. Default diag: scikit-learn's, full, fits as many "
        "numbers per distribution as the square of the dimensions, which hundreds of dimensions do not bear.",
    )
    n_init: int | None = Field(
        None, ge=1, le=100, description="gaussian_mixture: starts, of which the likeliest is kept. Default 1."
    )
    tol: float | None = Field(
        None, gt=0, description="gaussian_mixture: stop when the likelihood gains less than this. Default 0.001."
    )
    reg_covar: float | None = Field(
        None, gt=0, description="gaussian_mixture: added to all variances, so that none becomes 0. Default 0.000001."
    )
    random_state: int | None = Field(
        None, ge=0, le=2**31 - 1, description="Seed. Default: derived from the trigger, the same for all its runs."
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
        """The algorithm's own model, with its defaults filled in."""
        parameters: Parameters = narrow(ALGORITHMS, self.algorithm, self)
        return parameters
