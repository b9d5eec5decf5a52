"""Tests of a Pod's tokens for a cloud: it gets none, unless the trigger requests them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clustertrigger.core.decide import decide
from clustertrigger.core.decision import CreateJob
from tests.core.builders import HOURLY_CHECK, at, observed, spec, trigger

ROLE = "arn:aws:iam::123456789012:role/embeddings"
PROVIDER = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/cluster"
ACCOUNT = "reader@project.iam.gserviceaccount.com"
AWS_VARIABLES = {
    "AWS_ROLE_ARN": ROLE,
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/identity/aws/token",
    "AWS_ROLE_SESSION_NAME": "clustertrigger",
}
GOOGLE = {
    "type": "external_account",
    "audience": PROVIDER,
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "token_url": "https://sts.googleapis.com/v1/token",
    "credential_source": {"file": "/identity/gcp/token"},
}
IMPERSONATED = {
    "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
    f"{ACCOUNT}:generateAccessToken"
}


def pod_of(identity: dict[str, Any] | None) -> dict[str, Any]:
    run = {"service_account_name": "reader"} | ({"cloud_identity": identity} if identity else {})
    (action,) = decide(trigger(spec(HOURLY_CHECK, run=run)), observed(), at(hours=1)).actions
    assert isinstance(action, CreateJob)
    pod: dict[str, Any] = action.manifest["spec"]["template"]["spec"]
    return pod


@pytest.mark.parametrize(
    ("identity", "tokens", "variables"),
    [
        (None, {}, {}),
        ({"aws": {"role_arn": ROLE}}, {"aws/token": "sts.amazonaws.com"}, AWS_VARIABLES),
        (
            {"aws": {"role_arn": ROLE, "audience": "sts.amazonaws.com.cn"}},
            {"aws/token": "sts.amazonaws.com.cn"},
            AWS_VARIABLES,
        ),
        (
            {"gcp": {"audience": PROVIDER}},
            {"gcp/token": f"https:{PROVIDER}"},
            {"CLUSTERWORKER_GOOGLE_CREDENTIALS": GOOGLE},
        ),
        (
            {"gcp": {"audience": PROVIDER, "service_account": ACCOUNT}},
            {"gcp/token": f"https:{PROVIDER}"},
            {"CLUSTERWORKER_GOOGLE_CREDENTIALS": GOOGLE | IMPERSONATED},
        ),
        (
            {"aws": {"role_arn": ROLE}, "gcp": {"audience": PROVIDER}},
            {"aws/token": "sts.amazonaws.com", "gcp/token": f"https:{PROVIDER}"},
            AWS_VARIABLES | {"CLUSTERWORKER_GOOGLE_CREDENTIALS": GOOGLE},
        ),
    ],
)
def test_tokens_and_variables(
    identity: dict[str, Any] | None, tokens: dict[str, str], variables: dict[str, Any]
) -> None:
    pod = pod_of(identity)
    projected = [volume["projected"] for volume in pod["volumes"] if "projected" in volume]
    sources = [source["serviceAccountToken"] for volume in projected for source in volume["sources"]]
    assert {source["path"]: source["audience"] for source in sources} == tokens
    assert {source["expirationSeconds"] for source in sources} <= {3600}
    (worker,) = pod["containers"]
    mounts = [mount for mount in worker["volumeMounts"] if mount["mountPath"] == "/identity"]
    assert len(mounts) == len(projected) == bool(tokens)
    assert all(mount["readOnly"] for mount in mounts)
    assert {
        variable["name"]: json.loads(variable["value"]) if variable["value"].startswith("{") else variable["value"]
        for variable in worker["env"][1:]
    } == variables
    assert (pod["automountServiceAccountToken"], pod["serviceAccountName"]) == (False, "reader")
