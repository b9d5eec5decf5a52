"""Story of S3: vectors are read from S3 and results written to S3, with credentials from a Secret and no claim."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from e2e.stories import data
from e2e.stories.conftest import Stage
from e2e.stories.scene import Object, Scene

REGION = "eu-central-1"
KEYS = {"AWS_ACCESS_KEY_ID": "stories", "AWS_SECRET_ACCESS_KEY": "not-secret"}


@pytest.fixture
def server(stage_set: Stage) -> Iterator[ThreadedMotoServer]:
    """A server with the S3 protocol on this machine that Pods can reach."""
    server = ThreadedMotoServer(ip_address=stage_set.cluster.host_address, port=0)
    server.start()
    yield server
    server.stop()


def test_from_bucket_to_bucket(scene: Scene, server: ThreadedMotoServer) -> None:
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = client_of(endpoint)
    for bucket in ("embeddings", "clusters"):
        client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    client.put_object(Bucket="embeddings", Key="today/packages.parquet", Body=data.files()["packages.parquet"])

    scene.kubectl.apply(*manifests(endpoint))
    run = scene.run_ended("s3")
    assert run["status"] == "completed", run["error"]
    assert run["num_documents"] == data.DOCUMENTS
    assert run["results_uri"] == f"s3://clusters/{scene.kubectl.namespace}/s3/{run['job_id']}"
    written = client.list_objects_v2(Bucket="clusters")["Contents"]
    assert {entry["Key"].rpartition("/")[2] for entry in written} >= {"members.parquet", "metrics.json", "report.html"}

    (job,) = scene.jobs("s3")
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in str(job), "the Job names the Secret and holds nothing of it"


def client_of(endpoint: str) -> Any:
    """A client like that of a user's script."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )


def manifests(endpoint: str) -> list[Object]:
    """Return the Secret, the Collection, and a trigger that fires when it is applied."""
    access = {"secret_name": "bucket-reader", "endpoint": endpoint, "region": REGION}
    api = {"apiVersion": "clustertrigger.dev/v1alpha1"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bucket-reader"}, "stringData": KEYS}
    collection = {
        **api,
        "kind": "Collection",
        "metadata": {"name": "in-s3"},
        "spec": {"collection_id": "col_s3", "source": {"uri": "s3://embeddings/today/*.parquet", **access}},
    }
    trigger = {
        **api,
        "kind": "ClusterTrigger",
        "metadata": {"name": "s3"},
        "spec": {
            "trigger_type": "interval",
            "schedule_config": {"interval_seconds": 86400, "start_immediately": True},
            "execution_config": {
                "collection_ids": ["col_s3"],
                "config": {"algorithm": "kmeans", "n_clusters": 4},
            },
            "run": {
                "results": {"uri": "s3://clusters", **access},
                "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
            },
        },
    }
    return [secret, collection, trigger]
