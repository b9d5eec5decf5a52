"""Spark on this machine: one Java process for all tests of a worker of pytest."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from clustercontract.engine import Engine
from clusterworker.process.progress import Progress
from clusterworker.run import parts
from clusterworker.spark import executors
from clusterworker.spark.executors import Executors, started

ENGINE: dict[str, Any] = {
    "type": "spark",
    "image": "clustertrigger/spark",
    "executors": 2,
    "executor_memory": 1024,
    "partition_rows": 300,
}


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executors]:
    if shutil.which("java") is None:
        pytest.skip("there is no Java: `python3 -m harness.java prepare` installs Debian's")
    engine = Engine.model_validate(ENGINE)
    scratch = tmp_path_factory.mktemp("spark")
    with started(engine, "tests", scratch, 1 << 30, Progress(io.StringIO())) as running:
        yield running


@pytest.fixture
def on_spark(spark: Executors, monkeypatch: pytest.MonkeyPatch) -> Executors:
    """Runs with an engine use the executors that are there, and divide few documents."""

    @contextmanager
    def there(*_given: object) -> Iterator[Executors]:
        yield spark

    monkeypatch.setattr(executors, "started", there)
    monkeypatch.setattr(parts, "LEAST_ROWS", 100)
    return spark
