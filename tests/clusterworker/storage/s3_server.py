"""An S3 server for tests: moto's, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from tests.clusterworker.conftest import Pod

BUCKET = "vectors"


class Bucket:
    """One server with one bucket, and a client with all rights."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id="admin",
            aws_secret_access_key="admin",
            region_name="us-east-1",
        )
        self.client.create_bucket(Bucket=BUCKET)

    def upload(self, key: str, file: Path) -> None:
        self.client.upload_file(str(file), BUCKET, key)

    def keys(self, prefix: str = "") -> list[str]:
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return [item["Key"] for item in found]

    def source(self, key: str, **fields: Any) -> dict[str, Any]:
        return {"uri": f"s3://{BUCKET}/{key}", "endpoint": self.endpoint, "secret_name": "s3-keys", **fields}

    def results(self, prefix: str = "results", **fields: Any) -> dict[str, Any]:
        return {"uri": f"s3://{BUCKET}/{prefix}", "endpoint": self.endpoint, "secret_name": "s3-keys", **fields}


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield Bucket(f"http://{host}:{port}")
    finally:
        requests.post(f"http://{host}:{port}/moto-api/reset", timeout=60)
        server.stop()


@pytest.fixture
def keys(pod: Pod) -> Path:
    """A Secret as the kubelet mounts it."""
    secret = pod.mounts.secrets / "s3-keys"
    secret.mkdir()
    (secret / "AWS_ACCESS_KEY_ID").write_text("admin\n")
    (secret / "AWS_SECRET_ACCESS_KEY").write_text("admin\n")
    return secret
