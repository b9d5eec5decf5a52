"""Determines the Pod's identity in a cloud if there is no Secret.

It is an identity of the Pod itself, never the node's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from clustercontract.container import GOOGLE_CREDENTIALS_VARIABLE

_AWS_ROLE = "AWS_ROLE_ARN"
_AWS_TOKEN_FILE = "AWS_WEB_IDENTITY_TOKEN_FILE"  # noqa: S105 - the name of a variable
_AWS_AGENT = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_AWS_NO_NODE = "AWS_EC2_METADATA_DISABLED"
_AWS_REGION = "AWS_REGION"
_GOOGLE_FILE = "GOOGLE_APPLICATION_CREDENTIALS"


def aws_identity(environment: Mapping[str, str] = os.environ) -> str | None:
    """Describe, for people, the Pod's identity in AWS: by run.cloud_identity, IRSA's webhook or EKS Pod Identity.

    It is None if the Pod has no identity.
    """
    if environment.get(_AWS_TOKEN_FILE) and (role := environment.get(_AWS_ROLE)):
        return f"the role {role}"
    return "the Pod's identity (EKS Pod Identity)" if environment.get(_AWS_AGENT) else None


def keep_to_the_pod(region: str | None) -> None:
    """Keeps AWS's SDK from using the node's identity, and makes it exchange tokens in the region of the bucket."""
    os.environ[_AWS_NO_NODE] = "true"
    if region:
        os.environ.setdefault(_AWS_REGION, region)


def google_identity(environment: Mapping[str, str] = os.environ) -> str | None:
    """Returns how a token is exchanged with Google, as JSON of the type external_account; None if none is."""
    return environment.get(GOOGLE_CREDENTIALS_VARIABLE) or None


@contextmanager
def google_file(credentials: str | Path) -> Iterator[None]:
    """Sets credentials for Google's client, which takes them only from the environment, while it is created.

    Args:
        credentials: A file, or its content.
    """
    before = os.environ.get(_GOOGLE_FILE)
    with NamedTemporaryFile("w", suffix=".json") as written:
        if isinstance(credentials, str):
            written.write(credentials)
            written.flush()
        os.environ[_GOOGLE_FILE] = written.name if isinstance(credentials, str) else str(credentials)
        try:
            yield
        finally:
            del os.environ[_GOOGLE_FILE]
            if before is not None:
                os.environ[_GOOGLE_FILE] = before
