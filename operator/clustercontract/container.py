"""What the worker's container is given and gives back, whatever its command: shared by runs and checks."""

from __future__ import annotations

from enum import IntEnum

from pydantic import Field

from clustercontract.base import ApiModel
from clustercontract.source import Source

RESULT_LIMIT = 4096
"""Bytes that the kubelet keeps of a termination message."""
RESULTS_MOUNT = "/results"
COLLECTIONS_MOUNT = "/collections"
SECRETS_MOUNT = "/secrets"
IDENTITY_MOUNT = "/identity"
"""Tokens of the Pod's service account, for clouds: aws/token and gcp/token."""
GOOGLE_CREDENTIALS_VARIABLE = "CLUSTERWORKER_GOOGLE_CREDENTIALS"
"""JSON of Google's type external_account: how a token is exchanged."""
SCRATCH_MOUNT = "/tmp"  # noqa: S108 - an emptyDir of the Pod's own


class ExitCode(IntEnum):
    """Of the worker's process."""

    COMPLETED = 0
    FAILED = 1
    """May pass when tried again."""
    MISCONFIGURED = 2
    """Will not pass when tried again: the configuration or the data must change."""


class CollectionInput(ApiModel):
    """One collection, as the worker sees it."""

    collection_id: str
    source: Source
    mount_path: str | None = Field(None, description="Where the collection's volume is mounted; absent for an address.")


class ResultsTarget(ApiModel):
    """Where results go: a run's folder is `<uri>/<namespace>/<trigger>/<run>/`."""

    uri: str = Field(description="Absolute path below RESULTS_MOUNT, or s3://bucket/prefix.")
    secret_name: str | None = None
    endpoint: str | None = None
    region: str | None = None


def shortened(error: str | None) -> str | None:
    """An error of at most a quarter of a termination message."""
    return error and error.encode()[: RESULT_LIMIT // 4].decode(errors="ignore")
