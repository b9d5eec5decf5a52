"""The clustering algorithms and their parameters, under scikit-learn's names.

Each algorithm is one model. `ClusteringConfig` is what a user writes: one flat object, since a structural
schema knows no tagged unions; which parameter belongs to which algorithm is read off the models.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from clustertrigger.api.base import ApiModel, cel
from clustertrigger.api.variants import check_variant, narrow, variant_rules

Metric = Literal["cosine", "euclidean"]
Linkage = Literal["ward", "complete", "average", "single"]
Reduce = Literal["auto", "umap", "none"]


class KMeans(ApiModel):
    """k-means; scikit-learn's `KMeans`."""

    n_clusters: int
    max_iter: int = 300
    random_state: int | None = None


class HDBSCAN(ApiModel):
    """Hierarchical density-based clustering; scikit-learn's `HDBSCAN`."""

    min_cluster_size: int
    min_samples: int | None = None
    reduce: Reduce = "auto"
    n_components: int = 5
    random_state: int | None = None


class Hierarchical(ApiModel):
    """Agglomerative clustering; scikit-learn's `AgglomerativeClustering`."""

    n_clusters: int | None = None
    distance_threshold: float | None = None
    linkage: Linkage | None = None
    random_state: int | None = None


ALGORITHMS: dict[str, type[ApiModel]] = {
    "kmeans": KMeans,
    "hdbscan": HDBSCAN,
    "hierarchical": Hierarchical,
    "agglomerative": Hierarchical,
}
"""By the name that users write. `agglomerative` is another name for `hierarchical`."""

EITHER_COUNT_OR_DISTANCE = "hierarchical takes either n_clusters or distance_threshold: set exactly one"
WARD_METRIC = "linkage ward needs metric euclidean: set metric: euclidean or another linkage"


def _rules(schema: dict[str, Any]) -> None:
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
    ]


class ClusteringConfig(ApiModel):
    """The algorithm and its parameters, under scikit-learn's names."""

    model_config = ConfigDict(json_schema_extra=_rules)

    algorithm: Literal["kmeans", "hdbscan", "hierarchical", "agglomerative"] = Field(
        description="Clustering algorithm. agglomerative is another name for hierarchical."
    )
    metric: Metric = Field(
        "cosine", description="Distance between vectors; cosine normalises them to unit length first."
    )
    n_clusters: int | None = Field(
        None, ge=1, le=100_000, description="kmeans (required), hierarchical: number of clusters."
    )
    max_iter: int | None = Field(None, ge=1, le=10_000, description="kmeans: most iterations. Default 300.")
    min_cluster_size: int | None = Field(
        None, ge=2, le=1_000_000, description="hdbscan (required): the smallest group that counts as a cluster."
    )
    min_samples: int | None = Field(
        None, ge=1, le=1_000_000, description="hdbscan: neighbours that make a core point. Default min_cluster_size."
    )
    reduce: Reduce | None = Field(
        None,
        description="hdbscan: map the vectors to n_components dimensions first. auto (default) uses UMAP above 15 "
        "dimensions; none clusters the raw vectors.",
    )
    n_components: int | None = Field(None, ge=2, le=50, description="hdbscan: dimensions after reduction. Default 5.")
    linkage: Linkage | None = Field(
        None, description="hierarchical: which distance to minimise. Default complete with cosine, ward with euclidean."
    )
    distance_threshold: float | None = Field(
        None, gt=0, description="hierarchical: merge below this distance, in place of n_clusters."
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
        return self

    def parameters(self) -> KMeans | HDBSCAN | Hierarchical:
        """The algorithm's own model, with its defaults filled in."""
        parameters: KMeans | HDBSCAN | Hierarchical = narrow(ALGORITHMS, self.algorithm, self)
        return parameters
