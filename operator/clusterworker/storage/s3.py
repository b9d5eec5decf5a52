"""S3 through pyarrow's own file system: credentials from files, errors in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clusterworker.process.errors import MisconfiguredError, UnavailableError
from clusterworker.process.secret import SecretFiles
from clusterworker.process.text import one_line
from clusterworker.storage.cloud_identity import aws_identity, keep_to_the_pod

SCHEME = "s3://"
ACCESS_KEY, SECRET_KEY, SESSION_TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
CONNECT_SECONDS, REQUEST_SECONDS, ATTEMPTS = 5, 30, 4
_REFUSED = (
    "ACCESS_DENIED",
    "INVALID_ACCESS_KEY_ID",
    "INVALID_CLIENT_TOKEN_ID",
    "INVALID_SIGNATURE",
    "SIGNATURE_DOES_NOT_MATCH",
    "HTTP status 401",
    "HTTP status 403",
)
"""How Arrow's S3 client names a refusal."""


@dataclass(frozen=True)
class S3Access:
    """How to reach one bucket: by a Secret, else as what the Pod is in AWS, else anonymously; never as the node."""

    uri: str
    secret_name: str | None
    endpoint: str | None
    region: str | None
    secrets: Path
    product: str = "S3"

    @property
    def path(self) -> str:
        """Bucket and key, as pyarrow names them."""
        return self.uri.removeprefix(SCHEME).rstrip("/")

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.path.partition("/")[0]

    def connect(self) -> Any:
        """Return pyarrow's S3FileSystem.

        Raises:
            MisconfiguredError: the Secret is not mounted, or lacks a key.
        """
        from pyarrow import fs

        options: dict[str, Any] = {
            "connect_timeout": CONNECT_SECONDS,
            "request_timeout": REQUEST_SECONDS,
            "retry_strategy": fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        }
        if self.secret_name is None and aws_identity():
            keep_to_the_pod(self.region)
        elif self.secret_name is None:
            options["anonymous"] = True
        else:
            secret = SecretFiles(self.secret_name, self.secrets)
            options["access_key"] = secret.value(ACCESS_KEY)
            options["secret_key"] = secret.value(SECRET_KEY)
            options["session_token"] = secret.value(SESSION_TOKEN, required=False)
        if self.endpoint:
            address = urlsplit(self.endpoint)
            options["endpoint_override"] = address.netloc + address.path.rstrip("/")
            options["scheme"] = address.scheme
        with self.errors():
            options["region"] = self.region or ("us-east-1" if self.endpoint else fs.resolve_s3_region(self.bucket))
            return fs.S3FileSystem(**options)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what pyarrow raises about this bucket into one line with a remedy."""
        try:
            yield
        except OSError as error:
            raise self._explain(error) from error

    def _explain(self, error: OSError) -> MisconfiguredError | UnavailableError:
        reason = one_line(error)
        if any(word in reason for word in _REFUSED):
            return MisconfiguredError(f"{self.uri}: S3 denied access: {self._remedy()}")
        if "NO_SUCH_BUCKET" in reason or (isinstance(error, FileNotFoundError) and "bucket" in reason.lower()):
            return self.no_such_bucket()
        if isinstance(error, FileNotFoundError):
            return MisconfiguredError(f"{self.uri}: not found in S3: check the key")
        return UnavailableError(f"{self.uri}: S3 did not answer as expected: {reason[:300]}")

    def _remedy(self) -> str:
        if self.secret_name:
            return f"check the keys in Secret {self.secret_name} and what they may do there"
        if identity := aws_identity():
            return f"check whom {identity} trusts (the audience and the service account) and what it may do there"
        return "no credentials were given: set secret_name, or run.cloud_identity"

    def no_such_bucket(self) -> MisconfiguredError:
        """The error for a bucket that is not there."""
        return MisconfiguredError(f"{self.uri}: no such bucket {self.bucket}: check its name, endpoint and region")
