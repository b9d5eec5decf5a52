"""Defines Collection, to which a `collection_id` refers and which describes where its vectors are stored."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from clustercontract.base import ApiId, ApiModel, cel, with_rules
from clustercontract.source import ObjectName, Source

VOLUME_GOES_WITH_PATH = (
    "volume is the claim that contains the path source.uri: set volume if uri is a path, remove it if uri is an address"
)


class Processing(ApiModel):
    """How triggers process the collection."""

    pod_template: ObjectName = Field(
        description="PodTemplate of this namespace that runs when a trigger with action_type collection_trigger "
        'processes the collection. It requires the label clustertrigger.dev/runnable: "true".'
    )


class CollectionSpec(ApiModel):
    """Describes where a collection's vectors are stored."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            cel(
                "self.source.uri.contains('://') != has(self.volume)",
                VOLUME_GOES_WITH_PATH,
                field=".volume",
            )
        )
    )

    collection_id: ApiId | None = Field(
        None, description="ID by which triggers refer to this collection. Default: the object's name."
    )
    source: Source = Field(description="Where the vectors are stored.")
    volume: ObjectName | None = Field(
        None, description="PersistentVolumeClaim in this namespace that contains source.uri. It is mounted read-only."
    )
    processing: Processing | None = Field(None, description="How triggers process the collection.")
    description: str | None = Field(
        None, max_length=2048, description="Free text for readers; the operator ignores it."
    )

    @model_validator(mode="after")
    def _volume_goes_with_path(self) -> Self:
        if self.source.is_remote == (self.volume is not None):
            raise ValueError(VOLUME_GOES_WITH_PATH)
        return self
