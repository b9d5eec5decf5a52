"""Tests of buckets without a Secret, accessed with the Pod's identity in a cloud."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from clustertrigger.api.cloud_identity import GcpIdentity
from clustertrigger.core.jobs.cloud_tokens import google_credentials
from clusterworker.storage.cloud_identity import aws_identity
from tests.clusterworker.storage.clouds import GOOGLE_IAM, GOOGLE_STORAGE, GOOGLE_STS, ROLE, STS, SYSTEM_CAS

PROVIDER = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/cluster"
TOKEN = "a.token.of-the-cluster"


def in_the_cloud(case: str, folder: Path) -> dict[str, Any]:
    """Runs a case of `clouds` where the clouds' host names are this machine."""
    if os.geteuid() != 0 or not SYSTEM_CAS.exists():
        pytest.skip(f"host names and {SYSTEM_CAS} are replaced in a namespace of mounts: root on Debian")
    done = subprocess.run(
        ["unshare", "--mount", "--net", sys.executable, "-m", "tests.clusterworker.storage.clouds", case, str(folder)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads((folder / "outcome.json").read_text())
    return outcome


def test_a_role_is_assumed_with_the_pods_token(tmp_path: Path) -> None:
    outcome = in_the_cloud("aws", tmp_path)
    assert outcome["documents"] == 90, outcome
    exchange = parse_qs(outcome["seen"][0]["body"])
    assert outcome["seen"][0]["host"] == STS
    assert exchange["Action"] == ["AssumeRoleWithWebIdentity"]
    assert (exchange["RoleArn"], exchange["WebIdentityToken"]) == ([ROLE], [TOKEN])


def test_a_role_that_may_not_read_the_bucket(tmp_path: Path) -> None:
    assert in_the_cloud("aws-denied", tmp_path)["error"] == (
        "s3://vectors/results/search/nightly/nightly-1a2b: S3 denied access: check which audience "
        f"and service account the role {ROLE} trusts, and its permissions"
    )


@pytest.mark.parametrize(
    ("account", "hosts", "bearer"),
    [
        (None, [GOOGLE_STS], "Bearer federated"),
        ("reader@project.iam.gserviceaccount.com", [GOOGLE_STS, GOOGLE_IAM], "Bearer impersonated"),
    ],
)
def test_a_token_is_exchanged_with_google(tmp_path: Path, account: str | None, hosts: list[str], bearer: str) -> None:
    given = google_credentials(GcpIdentity(audience=PROVIDER, service_account=account))
    (tmp_path / "credentials.json").write_text(json.dumps(given))
    outcome = in_the_cloud("google", tmp_path)
    exchange, *rest = outcome["seen"]
    assert outcome["error"].startswith("gs://vectors/data.parquet: no such bucket vectors"), outcome
    assert TOKEN in exchange["body"]
    assert PROVIDER.rpartition("/")[2] in exchange["body"]
    asked = [request for request in rest if request["host"] == GOOGLE_STORAGE]
    assert list(dict.fromkeys(request["host"] for request in (exchange, *rest) if request not in asked)) == hosts
    assert asked
    assert {request["by"] for request in asked} == {bearer}


@pytest.mark.parametrize(
    ("environment", "identity"),
    [
        ({}, None),
        ({"AWS_ROLE_ARN": ROLE}, None),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/identity/aws/token"}, None),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/identity/aws/token", "AWS_ROLE_ARN": ROLE}, f"the role {ROLE}"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1"}, "the Pod's identity (EKS Pod Identity)"),
        ({"AWS_ACCESS_KEY_ID": "somebody's"}, None),
    ],
)
def test_what_the_pod_is_in_aws(environment: dict[str, str], identity: str | None) -> None:
    assert aws_identity(environment) == identity
