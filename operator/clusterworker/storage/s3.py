"""Accesses Amazon S3, and servers with its protocol."""

from dataclasses import dataclass
from typing import Any

from clusterworker.storage.bucket import Bucket
from clusterworker.storage.cloud_identity import aws_identity, keep_to_the_pod

ACCESS_KEY, SECRET_KEY, SESSION_TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
CONNECT_SECONDS, REQUEST_SECONDS, ATTEMPTS = 5, 30, 4


@dataclass(frozen=True)
class S3Bucket(Bucket):
    """See Bucket.

    Attributes:
        region: Region; None to look it up, which Amazon's own buckets support.
    """

    region: str | None

    scheme = "s3://"
    product = "S3"
    refused = (
        "ACCESS_DENIED",
        "INVALID_ACCESS_KEY_ID",
        "INVALID_CLIENT_TOKEN_ID",
        "INVALID_SIGNATURE",
        "SIGNATURE_DOES_NOT_MATCH",
        "HTTP status 401",
        "HTTP status 403",
    )
    found_by = "name, endpoint and region"

    def connect(self) -> Any:
        """See Bucket."""
        from pyarrow import fs

        options: dict[str, Any] = {
            "connect_timeout": CONNECT_SECONDS,
            "request_timeout": REQUEST_SECONDS,
            "retry_strategy": fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        }
        if self.secret.name is None and aws_identity():
            keep_to_the_pod(self.region)
        elif self.secret.name is None:
            options["anonymous"] = True
        else:
            options["access_key"] = self.secret.value(ACCESS_KEY)
            options["secret_key"] = self.secret.value(SECRET_KEY)
            options["session_token"] = self.secret.value(SESSION_TOKEN, required=False)
        options |= self._server()
        with self.errors():
            options["region"] = self.region or ("us-east-1" if self.endpoint else fs.resolve_s3_region(self.name))
            return fs.S3FileSystem(**options)

    def _lacks_bucket(self, error: OSError, reason: str) -> bool:
        return "NO_SUCH_BUCKET" in reason or (isinstance(error, FileNotFoundError) and "bucket" in reason.lower())

    def _remedy(self) -> str:
        if self.secret.name:
            return f"check the keys in Secret {self.secret.name} and what they may do there"
        if identity := aws_identity():
            return f"check which audience and service account {identity} trusts, and its permissions"
        return "no credentials were given: set secret_name, or run.cloud_identity"
