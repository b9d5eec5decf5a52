"""Google Cloud Storage through pyarrow's own file system: credentials from a file, errors in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from clusterworker.process.errors import MisconfiguredError, UnavailableError
from clusterworker.process.secret import SecretFiles
from clusterworker.process.text import one_line
from clusterworker.storage.cloud_identity import google_file, google_identity

SCHEME = "gs://"
SERVICE_ACCOUNT = "service-account.json"
RETRY_SECONDS = 30
_REFUSED = ("PERMISSION_DENIED", "UNAUTHENTICATED", "invalid_grant", "HTTP status code 401", "HTTP status code 403")


@dataclass(frozen=True)
class GcsAccess:
    """How to reach one bucket: by a Secret, else as what the Pod is in Google Cloud, else anonymously."""

    uri: str
    endpoint: str | None
    secret: SecretFiles
    product: str = "Google Cloud Storage"

    @property
    def path(self) -> str:
        """Bucket and key, as pyarrow names them."""
        return self.uri.removeprefix(SCHEME).rstrip("/")

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.path.partition("/")[0]

    def connect(self) -> Any:
        """Return pyarrow's GcsFileSystem.

        Raises:
            MisconfiguredError: the Secret is not mounted, or lacks the key, or that is no service account's key.
        """
        from pyarrow import fs

        options: dict[str, Any] = {"retry_time_limit": timedelta(seconds=RETRY_SECONDS)}
        if self.endpoint:
            address = urlsplit(self.endpoint)
            options |= {"endpoint_override": address.netloc + address.path.rstrip("/"), "scheme": address.scheme}
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
        """Turn what pyarrow raises about this bucket into one line with a remedy."""
        try:
            yield
        except OSError as error:
            raise self._explained(error) from None
        except ValueError as error:  # pyarrow's ArrowInvalid, which a damaged file raises too
            if "OAuth2 access token" not in str(error):
                raise
            raise self._unusable_key() from None

    def no_such_bucket(self) -> MisconfiguredError:
        """The error for a bucket that is not there."""
        return MisconfiguredError(f"{self.uri}: no such bucket {self.bucket}: check its name and endpoint")

    def _identity(self) -> str | None:
        # Its access tokens are for Google alone, not for whatever address a Collection names.
        return None if self.endpoint else google_identity()

    def _remedy(self) -> str:
        if self.secret.name:
            return f"check the key in Secret {self.secret.name} and what its account may do there"
        if self._identity():
            return "check whom the provider of run.cloud_identity.gcp trusts, and what that principal may do there"
        return "no credentials were given: set secret_name, or run.cloud_identity"

    def _unusable_key(self) -> MisconfiguredError:
        if not self.secret.name:
            return MisconfiguredError(
                f"{self.uri}: the token of the service account was not exchanged: check run.cloud_identity.gcp"
            )
        return MisconfiguredError(
            f"Secret {self.secret.name}: its key {SERVICE_ACCOUNT} is no service account's key in JSON: "
            "download it again"
        )

    def _explained(self, error: OSError) -> MisconfiguredError | UnavailableError:
        reason = one_line(error)
        if any(word in reason for word in _REFUSED):
            return MisconfiguredError(f"{self.uri}: {self.product} denied access: {self._remedy()}")
        if isinstance(error, FileNotFoundError):
            return MisconfiguredError(f"{self.uri}: not found in {self.product}: check the key")
        return UnavailableError(f"{self.uri}: {self.product} did not answer as expected: {reason[:300]}")
