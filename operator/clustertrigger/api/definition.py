"""ClusterDefinition: what a `cluster_id` refers to."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from clustercontract.base import ApiModel
from clustercontract.clustering import ClusteringConfig
from clustertrigger.api.collection import ApiId


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
    description: str | None = Field(None, max_length=2048, description="For people.")

    def execution_config(self) -> ExecutionConfig:
        """What a trigger with this cluster_id inherits."""
        return ExecutionConfig(collection_ids=self.collection_ids, config=self.config)
