"""Tests of S3 over real HTTP with moto's server, which checks signatures and permissions after it was switched on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow.parquet as pq
import pytest
import requests
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from clusterworker.process.errors import MisconfiguredError, UnavailableError
from harness.cluster.debian.ports import free_ports
from harness.specs.results import RESULT_FILES
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write
from tests.clusterworker.storage.s3_server import BUCKET, Bucket

KMEANS = {"algorithm": "kmeans", "n_clusters": 3}


@pytest.mark.parametrize("uri", ["docs/part-0.parquet", "docs/part-*.parquet", "docs", "docs/", "**/*.parquet"])
def test_reads_and_writes_s3(pod: Pod, bucket: Bucket, keys: Path, uri: str) -> None:
    data = planted(90, 3)
    bucket.upload("docs/part-0.parquet", write(pod.root / "0.parquet", data.vectors[:60]))
    if uri != "docs/part-0.parquet":
        bucket.upload("docs/part-1.parquet", write(pod.root / "1.parquet", data.vectors[60:]))
        bucket.upload("docs/_SUCCESS", write(pod.root / "2.parquet", data.vectors[:9]))
    spec = pod.spec(KMEANS, bucket.source(uri), results=bucket.results())
    result = pod.run(spec)
    assert result.results_uri == f"s3://{BUCKET}/results/search/nightly/nightly-1a2b"
    assert result.baseline is not None
    assert result.baseline.uri == f"{result.results_uri}/baseline.npz"
    folder = "results/search/nightly/nightly-1a2b"
    assert bucket.keys("results/") == [
        "results/search/nightly/latest.json",
        *(f"{folder}/{name}" for name in RESULT_FILES),
    ]
    assert result.num_documents == (60 if uri == "docs/part-0.parquet" else 90)
    bucket.client.download_file(BUCKET, "results/search/nightly/nightly-1a2b/members.parquet", pod.root / "members")
    assert pq.read_table(pod.root / "members").num_rows == result.num_documents
    assert list(pod.mounts.scratch.iterdir()) == []


def test_s3_and_a_volume_give_the_same_clusters(pod: Pod, bucket: Bucket, keys: Path) -> None:
    file = write(pod.volume / "data.parquet", planted(90, 3, spread=0.5).vectors)
    bucket.upload("data.parquet", file)
    local = pod.run(pod.spec(KMEANS))
    remote = pod.run(pod.spec(KMEANS, bucket.source("data.parquet")))
    assert remote.metrics == local.metrics
    assert remote.baseline is not None
    assert local.baseline is not None
    assert remote.baseline.sha256 == local.baseline.sha256


def test_the_marker_comes_last_and_goes_first(
    pod: Pod, bucket: Bucket, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    spec = pod.spec(KMEANS, results=bucket.results())
    pod.run(spec)
    written: list[str] = []
    called = DomainDispatcherApplication.__call__

    def watched(self: Any, environ: dict[str, Any], start: Any) -> Any:
        name = environ["PATH_INFO"].rpartition("/")[2]
        if environ["REQUEST_METHOD"] not in ("HEAD", "GET") and name and written[-1:] != [name]:
            written.append(name)
        return called(self, environ, start)

    monkeypatch.setattr(DomainDispatcherApplication, "__call__", watched)
    pod.run(spec)
    last = ["run.json", "metrics.json"]
    assert written[:2] == last[::-1]
    assert written[2 : len(RESULT_FILES) + 3] == [
        *(name for name in RESULT_FILES if name not in last),
        *last,
        "latest.json",
    ]


def refused(pod: Pod, *sources: dict[str, Any], **fields: Any) -> str:
    with pytest.raises(MisconfiguredError) as raised:
        pod.run(pod.spec(KMEANS, *sources, **fields))
    return str(raised.value)


def test_missing_object(pod: Pod, bucket: Bucket, keys: Path) -> None:
    line = refused(pod, bucket.source("nowhere.parquet"))
    assert line == "s3://vectors/nowhere.parquet: no such object in S3: check source.uri"


def test_missing_bucket(pod: Pod, bucket: Bucket, keys: Path) -> None:
    source = bucket.source("") | {"uri": "s3://vectros/data.parquet"}
    expected = "no such bucket vectros: check its name, endpoint and region"
    assert refused(pod, source) == f"s3://vectros/data.parquet: {expected}"
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    line = refused(pod, results=bucket.results() | {"uri": "s3://vectros/out"})
    assert line == f"s3://vectros/out/search/nightly/nightly-1a2b: {expected}"


def test_object_that_is_no_parquet_file(pod: Pod, bucket: Bucket, keys: Path) -> None:
    bucket.client.put_object(Bucket=BUCKET, Key="data.parquet", Body=b"document_id,embedding")
    assert refused(pod, bucket.source("data.parquet")) == (
        "s3://vectors/data.parquet: not a Parquet file: write the collection as Parquet, or correct source.uri"
    )


def test_secret_without_a_key(pod: Pod, bucket: Bucket, keys: Path) -> None:
    (keys / "AWS_SECRET_ACCESS_KEY").unlink()
    assert refused(pod, bucket.source("a.parquet")) == "Secret s3-keys has no key AWS_SECRET_ACCESS_KEY: add it"


@pytest.fixture
def checking(bucket: Bucket) -> Iterator[Bucket]:
    """From here on, the server checks the caller's signature, as S3 does."""
    requests.post(f"{bucket.endpoint}/moto-api/reset-auth", data=b"0", timeout=60).raise_for_status()
    yield bucket
    requests.post(f"{bucket.endpoint}/moto-api/reset-auth", data=b"inf", timeout=60)


def test_keys_that_are_not_known(pod: Pod, checking: Bucket, keys: Path) -> None:
    line = refused(pod, checking.source("data.parquet"))
    assert line == (
        "s3://vectors/data.parquet: S3 denied access: check the keys in Secret s3-keys and what they may do there"
    )


class Refusing(BaseHTTPRequestHandler):
    """Answers requests without a signature as S3 does; moto's server fails on them."""

    def do_HEAD(self) -> None:
        assert "Authorization" not in self.headers
        self.send_response(403)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


def test_no_credentials(pod: Pod) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        source = {"uri": "s3://vectors/data.parquet", "endpoint": f"http://127.0.0.1:{server.server_port}"}
        line = refused(pod, source)
        server.shutdown()
    assert line == (
        "s3://vectors/data.parquet: S3 denied access: no credentials were given: set secret_name, or run.cloud_identity"
    )


def test_nothing_answers(pod: Pod, keys: Path) -> None:
    (port,) = free_ports(1)
    endpoint = f"http://127.0.0.1:{port}"
    source = {
        "uri": "s3://vectors/data.parquet",
        "endpoint": endpoint,
        "secret_name": "s3-keys",
        "region": "eu-central-1",
    }
    with pytest.raises(UnavailableError, match=r"s3://vectors/data\.parquet: S3 did not answer as expected"):
        pod.run(pod.spec(KMEANS, source))


def test_secrets_are_in_no_log_and_no_error(pod: Pod, bucket: Bucket, keys: Path) -> None:
    (keys / "AWS_SECRET_ACCESS_KEY").write_text("hunter2-hunter2")
    line = refused(pod, bucket.source("nowhere.parquet"))
    assert "hunter2" not in line + json.dumps(pod.messages)
