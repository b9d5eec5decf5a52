"""Defines ClusterDefinition, to which a `cluster_id` refers."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from clustercontract.actions.config import OutputIds
from clustercontract.base import ApiId, ApiModel, each_once, with_rules
from clustercontract.clustering import ClusteringConfig
from clustercontract.filters import Filter, check_filters
from clustercontract.mode import Moded, check_mode, mode_rules

CollectionIds = Annotated[
    list[ApiId],
    AfterValidator(each_once),
    Field(
        min_length=1,
        max_length=64,
        description="Collections to cluster together, each by its collection_id or its name.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    ),
]


class Clustering(ApiModel):
    """What to cluster, and how."""

    collection_ids: CollectionIds
    config: ClusteringConfig
    outputs: OutputIds = Field(
        default_factory=list,
        description="Collections that each document's cluster is written into, by collection_id or name; each needs "
        "spec.write. Default: none.",
    )


class ExecutionConfig(Moded, Clustering):
    """What to cluster and how, and the mode of a run."""

    model_config = ConfigDict(json_schema_extra=with_rules(*mode_rules()))

    @model_validator(mode="after")
    def _mode_fits(self) -> Self:
        check_mode(self)
        return self


class ClusterDefinitionSpec(Clustering):
    """A clustering to which several triggers can refer by cluster_id."""

    cluster_id: ApiId | None = Field(
        None, description="ID by which triggers refer to this definition. Default: the object's name."
    )
    filters: Filter | None = Field(
        None,
        description="Which documents to select, in addition to the Collections' own filters: field, operator and "
        "value, or AND, OR, NOT with lists of filters. See docs/reference/sources.md. Default: all documents.",
    )
    description: str | None = Field(
        None, max_length=2048, description="Free text for readers; the operator ignores it."
    )

    @model_validator(mode="after")
    def _filters_are_bounded(self) -> Self:
        check_filters(self.filters)
        return self

    def execution_config(self, how: Moded) -> ExecutionConfig:
        """Returns what a trigger with this cluster_id clusters, and how.

        Args:
            how: The trigger's own fields.
        """
        own = {name: getattr(how, name) for name in Moded.model_fields}
        return ExecutionConfig(collection_ids=self.collection_ids, config=self.config, outputs=self.outputs, **own)
