"""Accesses a bucket through pyarrow's own file system; the common part of S3 and Google Cloud Storage."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

from clusterworker.process.errors import MisconfiguredError, UnavailableError
from clusterworker.process.secret import SecretFiles
from clusterworker.process.text import one_line


@dataclass(frozen=True)
class Bucket(ABC):
    """Access to one bucket: with a Secret, or else with the Pod's identity in that cloud, or else anonymously.

    The node's identity is never used.

    Attributes:
        uri: Address of the bucket or of an object in it, as the user wrote it.
        endpoint: Address of a server with the bucket's protocol; None for the cloud's own.
        secret: Contains the credentials, if it has a name.
    """

    uri: str
    endpoint: str | None
    secret: SecretFiles

    scheme: ClassVar[str]
    product: ClassVar[str]
    """Name of the product, for messages."""
    refused: ClassVar[tuple[str, ...]]
    """Errors of Arrow's client when access is denied."""
    found_by: ClassVar[str]
    """What to check if the bucket does not exist."""

    @property
    def path(self) -> str:
        """Bucket and key, as pyarrow names them."""
        return self.uri.removeprefix(self.scheme).rstrip("/")

    @property
    def name(self) -> str:
        """The bucket's name."""
        return self.path.partition("/")[0]

    @abstractmethod
    def connect(self) -> Any:
        """Returns pyarrow's file system.

        Raises:
            MisconfiguredError: the Secret is not mounted, or lacks a key.
        """

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Converts errors of pyarrow about this bucket to one line with a remedy."""
        try:
            yield
        except OSError as error:
            raise self._explained(error) from error

    def no_such_bucket(self) -> MisconfiguredError:
        """Returns the error for a missing bucket."""
        return MisconfiguredError(f"{self.uri}: no such bucket {self.name}: check its {self.found_by}")

    @abstractmethod
    def _remedy(self) -> str:
        """Returns what to do if access is denied."""

    def _lacks_bucket(self, _error: OSError, _reason: str) -> bool:
        """Returns whether an error means that the bucket does not exist."""
        return False

    def _server(self) -> dict[str, str]:
        """Returns the endpoint, as options of pyarrow's file systems."""
        if not self.endpoint:
            return {}
        address = urlsplit(self.endpoint)
        return {"endpoint_override": address.netloc + address.path.rstrip("/"), "scheme": address.scheme}

    def _explained(self, error: OSError) -> MisconfiguredError | UnavailableError:
        reason = one_line(error)
        if any(word in reason for word in self.refused):
            return MisconfiguredError(f"{self.uri}: {self.product} denied access: {self._remedy()}")
        if self._lacks_bucket(error, reason):
            return self.no_such_bucket()
        if isinstance(error, FileNotFoundError):
            return MisconfiguredError(f"{self.uri}: not found in {self.product}: check the key")
        return UnavailableError(f"{self.uri}: {self.product} did not answer as expected: {reason[:300]}")
