"""Carries out a check, and lets Spark's executors read the documents if its input has some."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clustercontract.check import CheckResult, CheckSpec
from clustercontract.container import ResultsTarget
from clustercontract.engine import Engine
from clusterworker.drift.check import check
from clusterworker.process.cgroup import ControlGroup
from clusterworker.process.command import Mounts
from clusterworker.process.progress import Progress
from clusterworker.run.results.stages import clearing_stages

if TYPE_CHECKING:
    from clusterworker.data.sources.collection import Collection
    from clusterworker.drift.baseline import StoredBaseline
    from clusterworker.drift.profile import Profile


def carry_out_check(spec: CheckSpec, progress: Progress, mounts: Mounts | None = None) -> CheckResult:
    """See `clusterworker.drift.check.check`."""
    mounts = mounts or Mounts()
    with clearing_stages(_Work.of(spec), mounts.secrets):
        return check(spec, progress, mounts, _profile if spec.engine else None)


@dataclass(frozen=True)
class _Work:
    """The check in the form of a run, beside whose folder the files of stages are."""

    namespace: str
    trigger: str
    run: str
    results: ResultsTarget
    engine: Engine | None

    @classmethod
    def of(cls, spec: CheckSpec) -> _Work:
        return cls(spec.namespace, spec.trigger, spec.check, spec.results, spec.engine)


def _profile(
    spec: CheckSpec, collections: Sequence[Collection], baseline: StoredBaseline, progress: Progress, mounts: Mounts
) -> Profile:
    from clusterworker.data.dataset import StreamedDataset
    from clusterworker.drift.profile import profile
    from clusterworker.run.distributed import profile_by_parts
    from clusterworker.run.parts import open_parts
    from clusterworker.run.workspace import Workspace

    source = StreamedDataset(collections, baseline.metric, progress)
    with tempfile.TemporaryDirectory(dir=mounts.scratch) as directory, ExitStack() as stack:
        scratch, memory = Path(directory), ControlGroup().memory()
        workspace = Workspace(scratch, scratch, mounts.secrets, memory, progress)
        parts = stack.enter_context(open_parts(_Work.of(spec), source, spec.baseline.sha256, workspace))
        if parts is None:
            return profile(collections, baseline, spec.seed, progress)
        for note in parts.notes:
            progress.info(note)
        return profile_by_parts(parts, baseline, spec.seed)
