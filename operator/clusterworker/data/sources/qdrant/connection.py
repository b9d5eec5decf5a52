"""Connects with Qdrant's own client, and converts errors to one line without credentials."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from clustercontract.source import Source
from clusterworker.data.sources.address import address_of
from clusterworker.process.errors import MisconfiguredError, RunError, UnavailableError
from clusterworker.process.secret import SecretFiles

API_KEY = "api-key"
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """Access to the server of a source.

    Attributes:
        source: Source of type qdrant.
        secret: Its Secret.
    """

    source: Source
    secret: SecretFiles

    def connect(self) -> QdrantClient:
        """Returns a client that uses HTTP.

        Raises:
            MisconfiguredError: the Secret lacks the key.
        """
        address = address_of(self.source.uri)
        host = f"[{address.host}]" if ":" in address.host else address.host
        key = self.secret.value(API_KEY) if self.secret.name else None
        return QdrantClient(
            url=f"{address.scheme}://{host}",
            port=address.port or (443 if address.scheme == "https" else 6333),
            prefix=address.path.strip("/") or None,
            api_key=key,
            timeout=TIMEOUT_SECONDS,
            check_compatibility=False,
        )

    @property
    def shown(self) -> str:
        """The collection, for messages."""
        return f"{self.source.uri}: collection {self.source.collection}"

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Converts errors of the client to one line with a remedy.

        The cause is dropped, because it can contain credentials.
        """
        try:
            yield
        except (ApiException, httpx.HTTPError, OSError) as error:
            raise self._explained(error) from None

    def _explained(self, error: Exception) -> RunError:
        if isinstance(error, UnexpectedResponse):
            status = error.status_code or 0
            if status in (401, 403):
                remedy = (
                    f"check the key in Secret {self.secret.name} and what it may read"
                    if self.secret.name
                    else "no key was given: set secret_name"
                )
                return MisconfiguredError(f"{self.shown}: Qdrant denied access: {remedy}")
            if status == 404:
                return self.no_such_collection()
            message = self.secret.without(error.content.decode(errors="replace"))[:300]
            kind = MisconfiguredError if 400 <= status < 500 and status != 429 else UnavailableError
            return kind(f"{self.shown}: Qdrant answered {status}: {message}")
        cause = error.source if isinstance(error, ResponseHandlingException) else error
        message = self.secret.without(f"{type(cause).__name__}: {cause}")[:300]
        return UnavailableError(f"{self.shown}: Qdrant does not answer: {message}")

    def no_such_collection(self) -> MisconfiguredError:
        """Returns the error for a missing collection."""
        return MisconfiguredError(f"{self.source.uri}: no such collection {self.source.collection} in Qdrant: "
                                  "check source.collection")  # fmt: skip
