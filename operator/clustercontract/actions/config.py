"""Defines what a user writes as `action_type` and `action_config`.

`action_config` is one flat object, because a structural schema does not support unions. The actions' models define
which field belongs to which action.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from clustercontract.actions.batch_rerun import BatchId, BatchRerun
from clustercontract.actions.cluster import Cluster
from clustercontract.actions.collection_trigger import CollectionTrigger, Ids, read_report
from clustercontract.actions.taxonomy_enrichment import BatchSize, Parallelism, TaxonomyEnrichment
from clustercontract.base import ApiId, ApiModel, each_once
from clustercontract.filters import Filter, check_filters
from clustercontract.mode import Moded
from clustercontract.run import RunResult

ActionType = Literal["cluster", "taxonomy_enrichment", "batch_rerun", "collection_trigger"]
ACTIONS: dict[str, type[ApiModel]] = {
    "cluster": Cluster,
    "taxonomy_enrichment": TaxonomyEnrichment,
    "batch_rerun": BatchRerun,
    "collection_trigger": CollectionTrigger,
}
"""Maps each action_type to its model."""

READERS: dict[str, Callable[[str, bool], RunResult]] = {"collection_trigger": read_report}
"""Maps an action_type to the function that reads its container's termination message, if that is not a RunResult."""
Action = Cluster | TaxonomyEnrichment | BatchRerun | CollectionTrigger

OutputIds = Annotated[
    list[ApiId],
    AfterValidator(each_once),
    Field(max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"}),
]
"""Collections to write, by collection_id or name."""


class ActionConfig(Moded):
    """Fields of the action. action_type selects the fields that apply."""

    cluster_id: ApiId | None = Field(
        None, description="cluster (required): the cluster_id or the name of a ClusterDefinition."
    )
    filters: Filter | None = Field(
        None,
        description="cluster, taxonomy_enrichment: which documents to select, in addition to the Collections' own "
        "filters. With cluster they are merged with the definition's filters; if both name a field, these take "
        "precedence. batch_rerun: which of the batch's documents to select. See docs/reference/actions.md.",
    )
    taxonomy_id: ApiId | None = Field(
        None, description="taxonomy_enrichment (required): the taxonomy_id or the name of a Taxonomy."
    )
    collection_id: ApiId | None = Field(
        None,
        description="taxonomy_enrichment, collection_trigger (required): collection_id or name of a Collection. "
        "taxonomy_enrichment assigns nodes to its documents. collection_trigger processes it with the PodTemplate that "
        "its spec.processing names.",
    )
    target_collection_id: ApiId | None = Field(
        None,
        description="taxonomy_enrichment: collection_id or name of a Collection with spec.write. The run writes each "
        "document's nodes into it, and into the run's folder. With PostgreSQL and Qdrant, it can be the same "
        "Collection as collection_id. Default: none.",
    )
    incremental: bool | None = Field(
        None,
        description="taxonomy_enrichment: whether to reuse the results of the last completed enrichment with the same "
        "nodes, so that only new documents are searched. Default false.",
    )
    batch_size: BatchSize | None = Field(
        None, description="taxonomy_enrichment: number of documents per search. Default 1000."
    )
    parallelism: Parallelism | None = Field(
        None,
        description="taxonomy_enrichment: number of concurrent searches, at most one per CPU of the container. "
        "Default 4.",
    )
    batch_id: BatchId | None = Field(
        None,
        description="batch_rerun (required): the run to repeat, as history[].job_id in the status of any trigger of "
        "the namespace.",
    )
    include_buckets: Ids | None = Field(
        None, description="collection_trigger: buckets to read. By default, the PodTemplate's program decides."
    )
    include_collections: Ids | None = Field(
        None, description="collection_trigger: collections to read. By default, the PodTemplate's program decides."
    )
    source_filters: Filter | None = Field(
        None,
        description="collection_trigger: which documents of the sources to process: field, operator and value, or AND, "
        "OR, NOT with lists of filters.",
    )
    retry_failed_only: bool | None = Field(
        None, description="batch_rerun: whether to skip a batch that completed. Default false."
    )

    output_collection_ids: OutputIds | None = Field(
        None,
        description="cluster: collection_id or name of Collections with spec.write. The run writes each document's "
        "cluster into them, instead of the definition's outputs. If empty, it writes into none.",
    )

    @model_validator(mode="after")
    def _filters_are_bounded(self) -> Self:
        check_filters(self.filters)
        check_filters(self.source_filters)
        return self
