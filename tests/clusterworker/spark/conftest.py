"""Spark on this machine: one Java process for all tests of a pytest worker."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from clustercontract.actions.taxonomy_enrichment import EnrichmentSpec
from clustercontract.check import CheckSpec
from clustercontract.engine import Engine
from clustercontract.run import RunSpec
from clusterworker.process.progress import Progress
from clusterworker.run import parts
from clusterworker.spark import executors
from clusterworker.spark.executors import Executors, started
from tests.clusterworker.conftest import Pod
from tests.clusterworker.process.worker_process import finish_worker, start_worker

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
    """Runs with an engine use the running executors, and divide small numbers of documents."""

    @contextmanager
    def there(*_given: object) -> Iterator[Executors]:
        yield spark

    monkeypatch.setattr(executors, "started", there)
    monkeypatch.setattr(parts, "LEAST_ROWS", 100)
    return spark


def modules_of(pod: Pod, command: str, spec: RunSpec | EnrichmentSpec | CheckSpec) -> list[str]:
    """Runs a command of the worker, and returns the modules that the working process has loaded."""
    seen = "import atexit; atexit.register(lambda: print(__import__('json').dumps(sorted(sys.modules))))"
    worker = start_worker(pod, command, spec=spec, before=f"import os, sys\n{seen}\nos._exit = sys.exit")
    code, _, lines = finish_worker(pod, worker)
    printed: list[Any] = list(lines)
    loaded = [line for line in printed if isinstance(line, list)]
    assert code == 0
    assert loaded
    return max(loaded, key=len)
