"""Defines `run.results`: where the results of a trigger's runs are written."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from clustercontract.base import ApiModel, cel, with_rules
from clustercontract.source import NO_BUCKET, ObjectName, S3Endpoint, S3Region, S3SecretName

RESULTS_VOLUME_GOES_WITH_PATH = "volume is valid only if uri is a path: remove volume, or the s3:// uri"


class Results(ApiModel):
    """Where results are written. Each run gets the folder <namespace>/<trigger>/<run> there."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            cel(
                "!has(self.uri) || !self.uri.contains('://') || self.uri.startsWith('s3://')",
                "uri must be a path on the volume or s3://bucket/prefix: other schemes are not supported for results",
                field=".uri",
            ),
            cel(
                "!has(self.uri) || (!self.uri.startsWith('/') && !self.uri.matches('(^|/)[.][.](/|$)'))",
                "uri must be relative to the volume's root: remove the leading / and any ..",
                field=".uri",
            ),
            cel(
                "!has(self.uri) || !self.uri.startsWith('s3://') || self.uri.matches('^s3://[^/]+')",
                NO_BUCKET,
                field=".uri",
            ),
            cel(
                "!has(self.volume) || !has(self.uri) || !self.uri.startsWith('s3://')",
                RESULTS_VOLUME_GOES_WITH_PATH,
                field=".volume",
                reason="FieldValueForbidden",
            ),
        )
    )

    uri: str | None = Field(
        None, max_length=1024, description="A path relative to the volume's root, or s3://bucket/prefix."
    )
    volume: ObjectName | None = Field(
        None, description="PersistentVolumeClaim in this namespace. Default: the claim in the operator's settings."
    )
    secret_name: S3SecretName = None
    endpoint: S3Endpoint = None
    region: S3Region = None

    @model_validator(mode="after")
    def _uri_is_writable(self) -> Self:
        uri = self.uri or ""
        if "://" in uri and not uri.startswith("s3://"):
            raise ValueError(
                f"uri {uri!r} must be a path on the volume or s3://bucket/prefix: "
                "other schemes are not supported for results"
            )
        if uri.startswith("/") or ".." in uri.split("/"):
            raise ValueError(f"uri {uri!r} must be relative to the volume's root: remove the leading / and any ..")
        if uri.startswith("s3://") and uri.removeprefix("s3://")[:1] in ("", "/"):
            raise ValueError(NO_BUCKET)
        if uri.startswith("s3://") and self.volume is not None:
            raise ValueError(RESULTS_VOLUME_GOES_WITH_PATH)
        return self
