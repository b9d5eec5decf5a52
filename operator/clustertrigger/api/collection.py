"""Collection: what a `collection_id` refers to, and where its vectors lie."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from clustertrigger.api.base import ApiModel, cel, with_rules

ApiId = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
"""An id of the API, such as col_abc123; ids may hold underscores, object names may not."""

ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")]
"""The name of a Kubernetes object in the same namespace."""

S3SecretName = Annotated[
    ObjectName | None,
    Field(
        description="For s3:// only: the Secret that holds AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where used, "
        "AWS_SESSION_TOKEN."
    ),
]
S3Endpoint = Annotated[
    str | None,
    Field(max_length=1024, pattern=r"^https?://", description="Address of an S3-compatible server; default: Amazon's."),
]
S3Region = Annotated[str | None, Field(max_length=64, description="S3 region.")]

_REMOTE = "s3://"

VOLUME_GOES_WITH_PATH = (
    "volume names the claim that holds a path, and goes with a path only: set it for a path, remove it for s3://"
)
NO_BUCKET = "uri names no bucket: write s3://bucket/key"
_S3_ONLY = ("secret_name", "endpoint", "region")


def _goes_with_s3(field: str) -> str:
    return f"{field} goes with s3:// only: remove it"


class Source(ApiModel):
    """Where the vectors lie and how to read them."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            cel(
                "!self.uri.contains('://') || self.uri.startsWith('s3://')",
                "uri is a path on the volume or s3://bucket/key: other schemes are not read",
                field=".uri",
            ),
            cel(
                "!self.uri.startsWith('/') && !self.uri.split('/').exists(part, part == '..')",
                "uri is relative to the volume's root: remove the leading / and any ..",
                field=".uri",
            ),
            cel("!self.uri.startsWith('s3://') || self.uri.matches('^s3://[^/]+')", NO_BUCKET, field=".uri"),
            *(
                cel(
                    f"!has(self.{field}) || self.uri.startsWith('s3://')",
                    _goes_with_s3(field),
                    field=f".{field}",
                    reason="FieldValueForbidden",
                )
                for field in _S3_ONLY
            ),
        )
    )

    type: Literal["parquet"] = Field("parquet", description="Format of the vectors.")
    uri: str = Field(
        min_length=1,
        max_length=1024,
        description="A Parquet file, a glob or a directory: a path relative to the volume's root, or s3://bucket/key.",
    )
    document_id_column: str = Field(
        "document_id", min_length=1, max_length=253, description="Column that identifies a document."
    )
    vector_column: str = Field(
        "embedding", min_length=1, max_length=253, description="Column of float lists, all of one length."
    )
    text_column: str | None = Field(
        None, min_length=1, max_length=253, description="Column shown beside document ids in the report, if any."
    )
    secret_name: S3SecretName = None
    endpoint: S3Endpoint = None
    region: S3Region = None

    @property
    def is_remote(self) -> bool:
        """Whether the vectors are read over the network rather than from a volume."""
        return self.uri.startswith(_REMOTE)

    @model_validator(mode="after")
    def _uri_is_readable(self) -> Self:
        if "://" in self.uri and not self.is_remote:
            raise ValueError(f"uri {self.uri!r} is a path on the volume or s3://bucket/key: other schemes are not read")
        if self.uri.startswith("/") or ".." in self.uri.split("/"):
            raise ValueError(f"uri {self.uri!r} is relative to the volume's root: remove the leading / and any ..")
        if self.is_remote and self.uri.removeprefix(_REMOTE)[:1] in ("", "/"):
            raise ValueError(NO_BUCKET)
        for field in _S3_ONLY:
            if getattr(self, field) is not None and not self.is_remote:
                raise ValueError(_goes_with_s3(field))
        return self


class CollectionSpec(ApiModel):
    """Says where a collection's vectors lie."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            cel(
                "self.source.uri.startsWith('s3://') != has(self.volume)",
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
