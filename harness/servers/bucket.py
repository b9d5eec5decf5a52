"""Serves a bucket with S3's protocol, as the tutorial's first lines use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from moto.server import ThreadedMotoServer


@contextmanager
def empty_bucket(ip_address: str = "127.0.0.1") -> Iterator[dict[str, str]]:
    """Serve an empty bucket for as long as the context lasts.

    Args:
        ip_address: where the server listens.

    Yields:
        BUCKET, ENDPOINT, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    """
    server = ThreadedMotoServer(ip_address=ip_address, port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        named = {
            "BUCKET": "articles-of-somebody",
            "ENDPOINT": f"http://{host}:{port}",
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "not-secret",
        }
        client = boto3.client(
            "s3", endpoint_url=named["ENDPOINT"], region_name=named["AWS_REGION"],
            aws_access_key_id=named["AWS_ACCESS_KEY_ID"], aws_secret_access_key=named["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip
        location = {"LocationConstraint": named["AWS_REGION"]}
        client.create_bucket(Bucket=named["BUCKET"], CreateBucketConfiguration=location)
        yield named
    finally:
        server.stop()
