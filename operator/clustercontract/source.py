"""Defines where a collection's vectors are stored, how to read them, and which of them to select."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from clustercontract.base import ApiModel, cel
from clustercontract.filters import Filter, check_filters, within
from clustercontract.globs import DOUBLE_STAR, glob_problem

ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")]
"""The name of a Kubernetes object in the same namespace."""

S3SecretName = Annotated[
    ObjectName | None,
    Field(
        description="For s3:// only: Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if used, "
        "AWS_SESSION_TOKEN."
    ),
]
SourceSecretName = Annotated[
    ObjectName | None,
    Field(
        description="Secret with the credentials. s3://: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if used, "
        "AWS_SESSION_TOKEN. gs://: service-account.json. postgresql (required): username and, if used, password and "
        "ca.crt. qdrant: api-key. Without a Secret, buckets and Qdrant are read anonymously."
    ),
]
S3Endpoint = Annotated[
    str | None,
    Field(max_length=1024, pattern=r"^https?://", description="URL of an S3-compatible server. Default: Amazon S3."),
]
BucketEndpoint = Annotated[
    str | None,
    Field(
        max_length=1024,
        pattern=r"^https?://",
        description="URL of a server that is compatible with the bucket's protocol. Default: Amazon S3 for s3://, "
        "Google Cloud Storage for gs://.",
    ),
]
S3Region = Annotated[str | None, Field(max_length=64, description="S3 region.")]

SourceType = Literal["parquet", "postgresql", "qdrant"]

NO_BUCKET = "uri does not name a bucket: write s3://bucket/key"
NO_BUCKET_TO_READ = "uri does not name a bucket: write s3://bucket/key or gs://bucket/key"
OTHER_SCHEME = (
    "uri must be a path on the volume, s3://bucket/key or gs://bucket/key with type parquet: change it, or set the type"
)
OUTSIDE = "uri must be relative to the volume's root: remove the leading / and any .."
MALFORMED = f"uri contains {DOUBLE_STAR}"
NO_DATABASE = (
    "uri must be postgresql://host:port/database, optionally with ?sslmode=..., with type postgresql: "
    "change it, and put user and password into the Secret"
)
NO_SERVER = (
    "uri must be the address of Qdrant's HTTP API, http(s)://host:port, with type qdrant: "
    "change it, and put the key into the Secret"
)

_BUCKET = r"^(s3|gs)://[^/*?\[\]]+(/|$)"
_DATABASE = (
    r"^postgresql://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/[^/?#@:]+"
    r"([?]sslmode=(disable|prefer|require|verify-ca|verify-full))?$"
)
_SERVER = r"^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[^?#@]*)?$"


def _is(kind: SourceType) -> str:
    return f"has(self.type) && self.type == '{kind}'"


def _required(kind: str, field: str) -> str:
    return f"{field} is required with type {kind}: set it"


def _foreign(field: str, owner: str) -> str:
    return f"{field} is valid only with {owner}: remove it"


_REQUIRED = (("postgresql", "table"), ("postgresql", "secret_name"), ("qdrant", "collection"))
_OWNERS: dict[str, tuple[str, str, Callable[[Source], bool]]] = {
    "table": ("type postgresql", _is("postgresql"), lambda source: source.type == "postgresql"),
    "collection": ("type qdrant", _is("qdrant"), lambda source: source.type == "qdrant"),
    "secret_name": ("an address", "self.uri.contains('://')", lambda source: source.is_remote),
    "endpoint": (
        "s3:// and gs://",
        "(self.uri.startsWith('s3://') || self.uri.startsWith('gs://'))",
        lambda source: source.uri.startswith(("s3://", "gs://")),
    ),
    "region": ("s3://", "self.uri.startsWith('s3://')", lambda source: source.uri.startswith("s3://")),
}
"""What each field is valid with: as text, in CEL, in Python."""


def _rules(schema: dict[str, Any]) -> None:
    parquet = "(!has(self.type) || self.type == 'parquet')"
    schema["x-kubernetes-validations"] = [
        cel(
            f"!{parquet} || !self.uri.contains('://') || self.uri.startsWith('s3://') || self.uri.startsWith('gs://')",
            OTHER_SCHEME,
            field=".uri",
        ),
        cel("!self.uri.startsWith('/') && !self.uri.matches('(^|/)[.][.](/|$)')", OUTSIDE, field=".uri"),
        cel(
            f"!(self.uri.startsWith('s3://') || self.uri.startsWith('gs://')) || self.uri.matches(r'{_BUCKET}')",
            NO_BUCKET_TO_READ,
            field=".uri",
        ),
        cel(
            f"!{parquet} || !self.uri.matches('[^/][*][*]|[*][*][^/]')",
            MALFORMED,
            field=".uri",
        ),
        *(
            cel(
                f"!has(self.type) || self.type != '{kind}' || self.uri.matches(r'{pattern}')",
                message,
                field=".uri",
            )
            for kind, pattern, message in (("postgresql", _DATABASE, NO_DATABASE), ("qdrant", _SERVER, NO_SERVER))
        ),
        *(
            cel(
                f"!has(self.type) || self.type != '{kind}' || has(self.{field})",
                _required(kind, field),
                field=f".{field}",
                reason="FieldValueRequired",
            )
            for kind, field in _REQUIRED
        ),
        *(
            cel(
                f"!has(self.{field}) || {rule}",
                _foreign(field, owner),
                field=f".{field}",
                reason="FieldValueForbidden",
            )
            for field, (owner, rule, _) in _OWNERS.items()
        ),
    ]


class Source(ApiModel):
    """Where the vectors are stored, how to read them, and which of them to select."""

    model_config = ConfigDict(json_schema_extra=_rules)

    type: SourceType = Field("parquet", description="Type of the store that contains the vectors.")
    uri: str = Field(
        min_length=1,
        max_length=1024,
        description="parquet: a file, a glob or a directory, as a path relative to the volume's root, "
        "s3://bucket/key or gs://bucket/key. postgresql: postgresql://host:port/database, optionally with a "
        "parameter such as ?sslmode=verify-full. qdrant: the address of its HTTP API, http(s)://host:port.",
    )
    table: str | None = Field(
        None,
        min_length=1,
        max_length=127,
        description="postgresql (required): a table or view, qualified with its schema if necessary.",
    )
    collection: str | None = Field(
        None, min_length=1, max_length=255, description="qdrant (required): name of the collection in Qdrant."
    )
    document_id_column: str | None = Field(
        None,
        min_length=1,
        max_length=253,
        description="Column with the ID of a document. With qdrant, a key of the payload. Default document_id; with "
        "qdrant, the ID of the point.",
    )
    vector_column: str | None = Field(
        None,
        min_length=1,
        max_length=253,
        description="Column with the vectors, which must all have the same length. With qdrant, the name of a named "
        "vector. Default embedding; with qdrant, the unnamed vector.",
    )
    text_column: str | None = Field(
        None,
        min_length=1,
        max_length=253,
        description="Column with the text that the report shows beside document IDs. With qdrant, a key of the "
        "payload.",
    )
    filters: Filter | None = Field(
        None,
        description="Which documents to select: field, operator and value, or AND, OR, NOT with lists of filters. "
        "See docs/reference/sources.md. Default: all documents.",
    )
    secret_name: SourceSecretName = None
    endpoint: BucketEndpoint = None
    region: S3Region = None

    @property
    def is_remote(self) -> bool:
        """Whether the vectors are read over the network instead of from a volume."""
        return "://" in self.uri

    @model_validator(mode="after")
    def _uri_is_readable(self) -> Self:
        uri = self.uri
        in_bucket = uri.startswith(("s3://", "gs://"))
        if self.type == "parquet" and self.is_remote and not in_bucket:
            raise ValueError(OTHER_SCHEME)
        if uri.startswith("/") or ".." in uri.split("/"):
            raise ValueError(OUTSIDE)
        if in_bucket and not re.match(_BUCKET, uri):
            raise ValueError(NO_BUCKET_TO_READ)
        if self.type == "parquet" and (problem := glob_problem(uri)) is not None:
            # A CEL rule that finds a reversed range would exceed the API server's cost limit.
            raise ValueError(f"uri contains {problem}")
        if self.type == "postgresql" and not re.fullmatch(_DATABASE.removesuffix("$"), uri, re.ASCII):
            raise ValueError(NO_DATABASE)
        if self.type == "qdrant" and not re.fullmatch(_SERVER.removesuffix("$"), uri, re.ASCII):
            raise ValueError(NO_SERVER)
        return self

    @model_validator(mode="after")
    def _fields_go_with_type(self) -> Self:
        for kind, field in _REQUIRED:
            if self.type == kind and getattr(self, field) is None:
                raise ValueError(_required(kind, field))
        for field, (owner, _, holds) in _OWNERS.items():
            if getattr(self, field) is not None and not holds(self):
                raise ValueError(_foreign(field, owner))
        return self

    @model_validator(mode="after")
    def _filters_are_bounded(self) -> Self:
        check_filters(self.filters)
        return self

    def narrowed(self, filters: Filter) -> Self:
        """Returns the source with both its own filters and others.

        Raises:
            ValueError: together they exceed the limits of a filter.
        """
        return self.model_copy(update={"filters": within(self.filters, filters)})
