"""ClusterDefinition: what a `cluster_id` refers to."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from clustercontract.base import ApiId, ApiModel
from clustercontract.clustering import ClusteringConfig
from clustercontract.filters import Filter, check_filters


def _each_once(ids: list[str]) -> list[str]:
    twice = next((name for index, name in enumerate(ids) if name in ids[:index]), None)
    if twice is not None:
        raise ValueError(f"{twice!r} is listed twice: remove one of them")
    return ids


CollectionIds = Annotated[
    list[ApiId],
    AfterValidator(_each_once),
    Field(
        min_length=1,
        max_length=64,
        description="Collections to cluster together, by collection_id or name.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    ),
]


class ExecutionConfig(ApiModel):
    """What to cluster, and how."""

    collection_ids: CollectionIds
    config: ClusteringConfig


class ClusterDefinitionSpec(ExecutionConfig):
    """A clustering that several triggers can refer to by cluster_id."""

    cluster_id: ApiId | None = Field(
        None, description="The id by which triggers refer to this definition; default: the object's name."
    )
    filters: Filter | None = Field(
        None,
        description="Which documents count, beside the Collections' own filters: field, operator and value, or AND, "
        "OR, NOT with lists of these. See docs/reference/sources.md. Default: all.",
    )
    description: str | None = Field(None, max_length=2048, description="For people.")

    @model_validator(mode="after")
    def _filters_are_bounded(self) -> Self:
        check_filters(self.filters)
        return self

    def execution_config(self) -> ExecutionConfig:
        """What a trigger with this cluster_id inherits."""
        return ExecutionConfig(collection_ids=self.collection_ids, config=self.config)
