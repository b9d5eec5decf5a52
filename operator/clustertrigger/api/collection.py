"""Collection: what a `collection_id` refers to, and where its vectors lie."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from clustercontract.base import ApiId, ApiModel, cel, with_rules
from clustercontract.source import ObjectName, Source

VOLUME_GOES_WITH_PATH = (
    "volume names the claim that holds a path, and goes with a path only: set it for a path, remove it for an address"
)


class CollectionSpec(ApiModel):
    """Says where a collection's vectors lie."""

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
        None, description="The id by which triggers refer to this collection; default: the object's name."
    )
    source: Source = Field(description="Where the vectors lie.")
    volume: ObjectName | None = Field(
        None, description="PersistentVolumeClaim in this namespace that holds source.uri; mounted read-only."
    )
    description: str | None = Field(None, max_length=2048, description="For people.")

    @model_validator(mode="after")
    def _volume_goes_with_path(self) -> Self:
        if self.source.is_remote == (self.volume is not None):
            raise ValueError(VOLUME_GOES_WITH_PATH)
        return self
