"""Tests of Google Cloud Storage with an emulator in a separate process, because pyarrow's reads hold the GIL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyarrow import fs

from clusterworker.process.errors import MisconfiguredError, UnavailableError
from clusterworker.storage import gcs
from harness.cluster.debian.ports import free_ports, listening
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write

KMEANS = {"algorithm": "kmeans", "n_clusters": 3}
DATA = planted(90, 3)


class Bucket:
    """One emulator with one bucket, `vectors`."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.files: Any = fs.GcsFileSystem(
            anonymous=True, scheme="http", endpoint_override=f"127.0.0.1:{port}", retry_time_limit=timedelta(seconds=5)
        )

    def upload(self, key: str, file: Path) -> None:
        with self.files.open_output_stream(f"vectors/{key}") as stream:
            stream.write(file.read_bytes())

    def source(self, key: str, **fields: Any) -> dict[str, Any]:
        return {"uri": f"gs://vectors/{key}", "endpoint": self.endpoint, **fields}


@pytest.fixture
def google() -> Iterator[Bucket]:
    [port] = free_ports(1)
    words = ["start", "--in-memory", "--host=127.0.0.1", f"--port={port}", "--default-bucket=vectors"]
    command = [sys.executable, "-c", "from gcp_storage_emulator.__main__ import main; main()", *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not listening(port):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield Bucket(port)
    process.kill()
    process.wait()


def refused(pod: Pod, source: dict[str, Any]) -> str:
    with pytest.raises(MisconfiguredError) as raised:
        pod.run(pod.spec(KMEANS, source))
    return str(raised.value)


@pytest.mark.parametrize("uri", ["docs/part-*.parquet", "docs", "**/*.parquet"])
def test_same_clusters_as_from_a_volume(pod: Pod, google: Bucket, uri: str) -> None:
    for part in range(2):
        file = write(pod.volume / f"docs/part-{part}.parquet", DATA.vectors[part * 45 : part * 45 + 45])
        google.upload(f"docs/part-{part}.parquet", file)
    local = pod.run(pod.spec(KMEANS, {"uri": "docs"}))
    remote = pod.run(pod.spec(KMEANS, google.source(uri)))
    assert remote.metrics == local.metrics
    assert remote.baseline
    assert local.baseline
    assert remote.baseline.sha256 == local.baseline.sha256


def test_missing_object_and_bucket(pod: Pod, google: Bucket) -> None:
    assert refused(pod, google.source("none.parquet")) == (
        "gs://vectors/none.parquet: no such object in Google Cloud Storage: check source.uri"
    )
    assert refused(pod, google.source("") | {"uri": "gs://vectros/a.parquet"}) == (
        "gs://vectros/a.parquet: no such bucket vectros: check its name and endpoint"
    )


def test_bad_data_names_the_object(pod: Pod, google: Bucket) -> None:
    spoiled = DATA.vectors.copy()
    spoiled[7, 0] = float("nan")
    google.upload("a.parquet", write(pod.root / "a.parquet", spoiled))
    assert refused(pod, google.source("a.parquet")).startswith("gs://vectors/a.parquet, row 7 (the first row is 0): ")
    file = pod.root / "b.parquet"
    file.write_text("document_id,embedding")
    google.upload("b.parquet", file)
    assert refused(pod, google.source("b.parquet")) == (
        "gs://vectors/b.parquet: not a Parquet file: write the collection as Parquet, or correct source.uri"
    )


def test_nothing_answers(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcs, "RETRY_SECONDS", 1)
    with pytest.raises(UnavailableError, match="Google Cloud Storage did not answer as expected"):
        pod.run(pod.spec(KMEANS, {"uri": "gs://vectors/a.parquet", "endpoint": "http://127.0.0.1:1"}))


@pytest.mark.parametrize("content", [None, "", "{}", json.dumps({"type": "service_account", "private_key": "hunter2"})])
def test_a_secret_without_a_usable_key(pod: Pod, content: str | None) -> None:
    directory = pod.mounts.secrets / "reader"
    directory.mkdir()
    if content is not None:
        (directory / gcs.SERVICE_ACCOUNT).write_text(content)
    line = refused(pod, {"uri": "gs://vectors/a.parquet", "secret_name": "reader"})
    assert line.startswith("Secret reader")
    assert gcs.SERVICE_ACCOUNT in line
    assert "hunter2" not in line + json.dumps(pod.messages)
    assert "GOOGLE_APPLICATION_CREDENTIALS" not in os.environ
