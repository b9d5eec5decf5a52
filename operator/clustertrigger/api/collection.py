"""Defines Collection, to which a `collection_id` refers and which describes where its vectors are stored."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from clustercontract.base import ApiId, ApiModel, cel, with_rules
from clustercontract.globs import has_wildcard
from clustercontract.output import Write
from clustercontract.source import ObjectName, Source

VOLUME_GOES_WITH_PATH = (
    "volume is the claim that contains the path source.uri: set volume if uri is a path, remove it if uri is an address"
)


WRITER_IS_REQUIRED = (
    "write.secret_name is required with type postgresql: set it to a Secret of a user with write access; it can be the "
    "same as source.secret_name"
)
WRITER_GOES_WITH_ADDRESS = (
    "write.secret_name is valid only if uri is an address: remove it, because a volume needs no user"
)
TABLE_GOES_WITH_POSTGRESQL = "write.table is valid only with type postgresql: remove it"
WILDCARDS_ARE_READ = (
    "uri must not contain wildcards if write is set: create a second Collection for the output, whose uri is a "
    "directory or a file"
)
_PARQUET = "(!has(self.source.type) || self.source.type == 'parquet')"
_POSTGRESQL = "has(self.source.type) && self.source.type == 'postgresql'"


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
            ),
            cel(
                f"!has(self.write) || !({_POSTGRESQL}) || has(self.write.secret_name)",
                WRITER_IS_REQUIRED,
                field=".write.secret_name",
                reason="FieldValueRequired",
            ),
            cel(
                "!has(self.write) || !has(self.write.secret_name) || self.source.uri.contains('://')",
                WRITER_GOES_WITH_ADDRESS,
                field=".write.secret_name",
                reason="FieldValueForbidden",
            ),
            cel(
                f"!has(self.write) || !has(self.write.table) || ({_POSTGRESQL})",
                TABLE_GOES_WITH_POSTGRESQL,
                field=".write.table",
                reason="FieldValueForbidden",
            ),
            cel(
                f"!has(self.write) || !{_PARQUET} || !self.source.uri.matches('[*?[]')",
                WILDCARDS_ARE_READ,
                field=".source.uri",
            ),
        )
    )

    collection_id: ApiId | None = Field(
        None, description="ID by which triggers refer to this collection. Default: the object's name."
    )
    source: Source = Field(description="Where the vectors are stored.")
    volume: ObjectName | None = Field(
        None,
        description="PersistentVolumeClaim in this namespace that contains source.uri. It is mounted read-only, except "
        "in runs that write into this collection.",
    )
    write: Write | None = Field(
        None,
        description="Allows runs to write each document's cluster into this collection. If absent, runs never write "
        "to it. parquet: they write a separate file. postgresql: they write the columns cluster_id, cluster_name, "
        "cluster_distance and run. qdrant: they write the same keys into the payload.",
    )
    processing: Processing | None = Field(None, description="How triggers process the collection.")
    description: str | None = Field(
        None, max_length=2048, description="Free text for readers; the operator ignores it."
    )

    @model_validator(mode="after")
    def _can_be_written(self) -> Self:
        write, source = self.write, self.source
        if write is None:
            return self
        if source.type == "postgresql" and write.secret_name is None:
            raise ValueError(WRITER_IS_REQUIRED)
        if write.secret_name is not None and not source.is_remote:
            raise ValueError(WRITER_GOES_WITH_ADDRESS)
        if write.table is not None and source.type != "postgresql":
            raise ValueError(TABLE_GOES_WITH_POSTGRESQL)
        if source.type == "parquet" and has_wildcard(source.uri):
            raise ValueError(WILDCARDS_ARE_READ)
        return self

    @model_validator(mode="after")
    def _volume_goes_with_path(self) -> Self:
        if self.source.is_remote == (self.volume is not None):
            raise ValueError(VOLUME_GOES_WITH_PATH)
        return self
