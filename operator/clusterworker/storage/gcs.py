"""Accesses Google Cloud Storage."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from clusterworker.process.errors import MisconfiguredError
from clusterworker.storage.bucket import Bucket
from clusterworker.storage.cloud_identity import google_file, google_identity

SERVICE_ACCOUNT = "service-account.json"
RETRY_SECONDS = 30


@dataclass(frozen=True)
class GcsBucket(Bucket):
    """See Bucket."""

    scheme = "gs://"
    product = "Google Cloud Storage"
    refused = ("PERMISSION_DENIED", "UNAUTHENTICATED", "invalid_grant", "HTTP status code 401", "HTTP status code 403")
    found_by = "name and endpoint"

    def connect(self) -> Any:
        """See Bucket. A key that does not belong to a service account is reported as a wrong configuration."""
        from pyarrow import fs

        options: dict[str, Any] = {"retry_time_limit": timedelta(seconds=RETRY_SECONDS), **self._server()}
        credentials = self.secret.file(SERVICE_ACCOUNT) if self.secret.name else self._identity()
        if credentials is None:
            return fs.GcsFileSystem(anonymous=True, **options)
        with google_file(credentials):
            try:
                return fs.GcsFileSystem(**options)
            except (OSError, ValueError):
                raise self._unusable_key() from None

    @contextmanager
    def errors(self) -> Iterator[None]:
        """See Bucket."""
        try:
            with super().errors():
                yield
        except ValueError as error:  # This is pyarrow's ArrowInvalid, which a damaged file also raises.
            if "OAuth2 access token" not in str(error):
                raise
            raise self._unusable_key() from None

    def _identity(self) -> str | None:
        # Access tokens are for Google only, and must not be sent to the endpoint of a Collection.
        return None if self.endpoint else google_identity()

    def _remedy(self) -> str:
        if self.secret.name:
            return f"check the key in Secret {self.secret.name} and the permissions of its account"
        if self._identity():
            return "check which principals the provider of run.cloud_identity.gcp trusts, and their permissions there"
        return "no credentials were given: set secret_name, or run.cloud_identity"

    def _unusable_key(self) -> MisconfiguredError:
        if not self.secret.name:
            return MisconfiguredError(
                f"{self.uri}: the token of the service account was not exchanged: check run.cloud_identity.gcp"
            )
        return MisconfiguredError(
            f"Secret {self.secret.name}: its key {SERVICE_ACCOUNT} is not a service account key in JSON: download it "
            "again"
        )
