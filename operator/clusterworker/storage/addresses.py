"""From an address to its bucket."""

from pathlib import Path
from typing import Protocol

from clusterworker.process.secret import SecretFiles
from clusterworker.storage.bucket import Bucket
from clusterworker.storage.gcs import GcsBucket
from clusterworker.storage.s3 import S3Bucket


class Access(Protocol):
    """What a Source and a ResultsTarget say of how to reach a bucket."""

    @property
    def secret_name(self) -> str | None:
        """The Secret with the credentials."""

    @property
    def endpoint(self) -> str | None:
        """The server's address; None: the cloud's own."""

    @property
    def region(self) -> str | None:
        """S3's region."""


def bucket_at(uri: str, access: Access, secrets: Path) -> Bucket | None:
    """Return the bucket that an address leads to; None: it is a path on a volume.

    Args:
        uri: s3://bucket/key, gs://bucket/key, or a path.
        access: how to reach it.
        secrets: directory with one directory per mounted Secret.
    """
    secret = SecretFiles(access.secret_name, secrets)
    if uri.startswith(S3Bucket.scheme):
        return S3Bucket(uri, access.endpoint, secret, access.region)
    if uri.startswith(GcsBucket.scheme):
        return GcsBucket(uri, access.endpoint, secret)
    return None
