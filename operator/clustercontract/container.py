"""Defines the environment of the worker's container, and the parts of input and output that runs and checks share."""

from __future__ import annotations

from enum import IntEnum

from pydantic import Field

from clustercontract.base import ApiModel
from clustercontract.source import Source

RESULT_LIMIT = 4096
"""Maximum number of bytes that the kubelet keeps of a termination message."""
_LONGEST_ERROR = RESULT_LIMIT // 4
_OMITTED = " … "
RESULTS_MOUNT = "/results"
COLLECTIONS_MOUNT = "/collections"
OUTPUTS_MOUNT = "/outputs"
"""Volumes of collections that are written."""
SECRETS_MOUNT = "/secrets"
IDENTITY_MOUNT = "/identity"
"""Directory of the service account's tokens for clouds: aws/token and gcp/token."""
GOOGLE_CREDENTIALS_VARIABLE = "CLUSTERWORKER_GOOGLE_CREDENTIALS"
"""Environment variable with Google's JSON of type external_account, which describes how to exchange a token."""
SCRATCH_MOUNT = "/tmp"  # noqa: S108 - the Pod's own emptyDir


class ExitCode(IntEnum):
    """The exit code of the worker's process."""

    COMPLETED = 0
    FAILED = 1
    """Another attempt can succeed."""
    MISCONFIGURED = 2
    """Another attempt cannot succeed: the configuration or the data must change first."""


class CollectionInput(ApiModel):
    """One collection, as the worker reads it."""

    collection_id: str
    source: Source
    mount_path: str | None = Field(
        None, description="Path where the collection's volume is mounted. Absent if the source is an address."
    )


class ResultsTarget(ApiModel):
    """Where results are written: the folder of a run is `<uri>/<namespace>/<trigger>/<run>/`."""

    uri: str = Field(description="Absolute path below RESULTS_MOUNT, or s3://bucket/prefix.")
    secret_name: str | None = None
    endpoint: str | None = None
    region: str | None = None


def shortened(error: str | None) -> str | None:
    """Returns the error in a quarter of a termination message: its beginning names the place, its end the remedy."""
    if error is None or len(error.encode()) <= _LONGEST_ERROR:
        return error
    encoded, remedy = error.encode(), _LONGEST_ERROR // 3
    begin = encoded[: _LONGEST_ERROR - remedy - len(_OMITTED.encode())]
    return begin.decode(errors="ignore") + _OMITTED + encoded[-remedy:].decode(errors="ignore")
