"""Resolves an address to its bucket."""

from pathlib import Path
from typing import Protocol

from clusterworker.process.secret import SecretFiles
from clusterworker.storage.bucket import Bucket
from clusterworker.storage.gcs import GcsBucket
from clusterworker.storage.s3 import S3Bucket


class Access(Protocol):
    """The fields of a Source and a ResultsTarget that specify access to a bucket."""

    @property
    def secret_name(self) -> str | None:
        """The Secret with the credentials."""

    @property
    def endpoint(self) -> str | None:
        """The server's address; None for the cloud's own."""

    @property
    def region(self) -> str | None:
        """S3's region."""


def bucket_at(uri: str, access: Access, secrets: Path) -> Bucket | None:
    """Returns the bucket of an address; None if it is a path on a volume.

    Args:
        uri: s3://bucket/key, gs://bucket/key, or a path.
        access: Access to the bucket.
        secrets: Directory with one directory per mounted Secret.
    """
    secret = SecretFiles(access.secret_name, secrets)
    if uri.startswith(S3Bucket.scheme):
        return S3Bucket(uri, access.endpoint, secret, access.region)
    if uri.startswith(GcsBucket.scheme):
        return GcsBucket(uri, access.endpoint, secret)
    return None
