"""A Pod's directories, and runs in them."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from clustercontract.run import RunResult, RunSpec
from clusterworker.process.command import Mounts
from clusterworker.process.progress import Progress
from clusterworker.run.job import run
from clusterworker.run.report import contents
from tests.clusterworker.data.sources_of_all_kinds import database, postgresql
from tests.clusterworker.storage.s3_server import bucket, keys

__all__ = ["Pod", "bucket", "database", "keys", "pod", "postgresql"]


@dataclass
class Pod:
    """The directories of a run's collection and of its results."""

    root: Path
    log: io.StringIO = field(default_factory=io.StringIO)

    @property
    def volume(self) -> Path:
        return self.root / "collections"

    @property
    def results(self) -> Path:
        return self.root / "results"

    @property
    def mounts(self) -> Mounts:
        return Mounts(secrets=self.root / "secrets", scratch=self.root / "scratch")

    def spec(self, config: dict[str, Any], *sources: dict[str, Any], **fields: Any) -> RunSpec:
        """A RunSpec; without sources it reads data.parquet."""
        collections = [
            {
                "collection_id": f"col_{number}",
                "source": source,
                **({} if "://" in source["uri"] else {"mount_path": str(self.volume)}),
            }
            for number, source in enumerate(sources or [{"uri": "data.parquet"}])
        ]
        document = {
            "namespace": "search",
            "trigger": "nightly",
            "run": "nightly-1a2b",
            "slot": "2026-11-21T02:00:00Z",
            "collections": collections,
            "config": config,
            "seed": 7,
            "results": {"uri": str(self.results)},
        }
        return RunSpec.model_validate_json(json.dumps(document | fields))

    def run(self, spec: RunSpec, memory: int = 4 << 30) -> RunResult:
        return run(spec, Progress(self.log), self.mounts, memory)

    def folder(self, spec: RunSpec) -> Path:
        return self.results / spec.namespace / spec.trigger / spec.run

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pod:
    """A Pod whose reports map few documents, which needs no UMAP: the report's own tests map many."""
    monkeypatch.setattr(contents, "MAP_ROWS", 30)
    return new_pod(tmp_path)


def new_pod(root: Path) -> Pod:
    """A Pod with empty directories."""
    pod = Pod(root)
    for directory in (pod.volume, pod.results, pod.mounts.secrets, pod.mounts.scratch):
        directory.mkdir()
    return pod
