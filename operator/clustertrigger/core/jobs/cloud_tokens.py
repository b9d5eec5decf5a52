"""Adds tokens of the run's service account to the Pod, which clouds exchange for their credentials.

Each token is for the audience of one cloud and is valid for an hour; the kubelet renews it. The API server accepts none
of them.
"""

from __future__ import annotations

import json
from typing import Any

from clustercontract.container import GOOGLE_CREDENTIALS_VARIABLE, IDENTITY_MOUNT
from clustertrigger.api.cloud_identity import CloudIdentity, GcpIdentity

TOKEN_SECONDS = 3600
_VOLUME = "cloud-identity"
_SESSION = "clustertrigger"


def token_volumes(identity: CloudIdentity | None) -> list[dict[str, Any]]:
    """Returns the volume that contains a token for each cloud."""
    if identity is None:
        return []
    audiences = {
        **({"aws": identity.aws.audience} if identity.aws else {}),
        **({"gcp": f"https:{identity.gcp.audience}"} if identity.gcp else {}),
    }
    sources = [
        {"serviceAccountToken": {"path": f"{cloud}/token", "audience": audience, "expirationSeconds": TOKEN_SECONDS}}
        for cloud, audience in audiences.items()
    ]
    return [{"name": _VOLUME, "projected": {"sources": sources, "defaultMode": 0o440}}]


def token_mounts(identity: CloudIdentity | None) -> list[dict[str, Any]]:
    """Returns where it is mounted."""
    return [] if identity is None else [{"name": _VOLUME, "mountPath": IDENTITY_MOUNT, "readOnly": True}]


def token_variables(identity: CloudIdentity | None) -> list[dict[str, str]]:
    """Returns the variables that AWS's SDK and the worker read.

    No value contains a $, which the kubelet would expand.
    """
    values: dict[str, str] = {}
    if identity and identity.aws:
        values["AWS_ROLE_ARN"] = identity.aws.role_arn
        values["AWS_WEB_IDENTITY_TOKEN_FILE"] = f"{IDENTITY_MOUNT}/aws/token"
        values["AWS_ROLE_SESSION_NAME"] = _SESSION
    if identity and identity.gcp:
        values[GOOGLE_CREDENTIALS_VARIABLE] = json.dumps(google_credentials(identity.gcp))
    return [{"name": name, "value": value} for name, value in values.items()]


def google_credentials(identity: GcpIdentity) -> dict[str, Any]:
    """Returns the configuration that Google's libraries read (AIP-4117). It contains no secret."""
    impersonation = (
        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
        f"{identity.service_account}:generateAccessToken"
    )
    return {
        "type": "external_account",
        "audience": identity.audience,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"file": f"{IDENTITY_MOUNT}/gcp/token"},
        **({"service_account_impersonation_url": impersonation} if identity.service_account else {}),
    }
