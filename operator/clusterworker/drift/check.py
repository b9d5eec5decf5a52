"""Carries out a check: computes the CheckResult of a CheckSpec."""

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clustercontract.check import RECOMPUTE_SLOT, RECORD_FIELD, CheckResult, CheckSpec, Measurement
from clustercontract.counted import counted
from clustercontract.drift import DriftMetric, volume_change
from clusterworker.drift.obstacle import ObstacleFound
from clusterworker.drift.record import append, record_file
from clusterworker.process.command import Mounts
from clusterworker.process.errors import RunError
from clusterworker.process.progress import Progress
from clusterworker.storage.file import open_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clusterworker.data.sources.collection import Collection
    from clusterworker.drift.baseline import StoredBaseline
    from clusterworker.drift.profile import Profile

    Profiler = Callable[[CheckSpec, Sequence[Collection], StoredBaseline, Progress, Mounts], Profile]

PHASES = ("open", "read", "measure")
COUNTING = ("count",)
"""The phases of a check of volume."""


def check(
    spec: CheckSpec, progress: Progress, mounts: Mounts | None = None, profiler: "Profiler | None" = None
) -> CheckResult:
    """Compares the collections with the baseline, and adds the measurement to the drift record.

    Args:
        spec: What to compare.
        progress: Receives the progress.
        mounts: Directory of Secrets.
        profiler: Reads the documents. Default: this process.

    Returns:
        The result of a completed check: a measurement or an obstacle.

    Raises:
        RunError: the check failed, in one line.
    """
    mounts = mounts or Mounts()
    try:
        if spec.metric == "document_count":
            measurement = _count(spec, progress, mounts)
        else:
            measurement = _measure(spec, spec.metric, progress, mounts, profiler or _profile_here)
    except ObstacleFound as found:
        return CheckResult(status="completed", obstacle=found.obstacle, error=str(found))
    if spec.slot != RECOMPUTE_SLOT:
        _record(spec, measurement, progress, mounts)
    return CheckResult(status="completed", measurement=measurement)


def _profile_here(
    spec: CheckSpec, collections: "Sequence[Collection]", baseline: "StoredBaseline", progress: Progress, _: Mounts
) -> "Profile":
    from clusterworker.drift.profile import profile

    return profile(collections, baseline, spec.seed, progress)


def _measure(
    spec: CheckSpec, metric: DriftMetric, progress: Progress, mounts: Mounts, profiler: "Profiler"
) -> Measurement:
    from clusterworker.data.sources.collections import open_collections

    progress.plan(PHASES)
    opening = counted(len(spec.collections), "collection")
    progress.phase("open", f"opening {opening} and the baseline of {spec.baseline.run}")
    baseline = _baseline(spec, mounts)
    collections = open_collections(spec.collections, mounts.secrets)
    _comparable(spec, baseline, collections)

    from threadpoolctl import threadpool_limits

    from clusterworker.drift.assignment import assignment_js
    from clusterworker.drift.measure import measure

    total = sum(collection.rows for collection in collections)
    progress.phase("read", f"reading {counted(total, 'document')} of {counted(baseline.dimensions, 'dimension')}")
    now = profiler(spec, collections, baseline, progress, mounts)
    progress.phase("measure", f"measuring {spec.metric}")
    with threadpool_limits(1):  # Products have 4,000 rows. Threads that wait for each other cost more than they gain.
        drift = measure(metric, baseline, now, spec.seed)
    return _measurement(
        spec,
        now.documents,
        drift.value,
        drift.noise_floor,
        assignment_js=assignment_js(baseline.counts, now.counts),
        p_value=drift.p_value,
        advice=drift.advice,
    )


def _count(spec: CheckSpec, progress: Progress, mounts: Mounts) -> Measurement:
    """Compares numbers of documents. The spec contains the baseline's number, so its file is not needed."""
    from clusterworker.data.sources.collections import count_documents

    progress.plan(COUNTING)
    progress.phase("count", f"counting the documents of {counted(len(spec.collections), 'collection')}")
    documents = count_documents(spec.collections, mounts.secrets)
    return _measurement(spec, documents, volume_change(spec.baseline.documents, documents), noise_floor=0.0)


def _measurement(spec: CheckSpec, documents: int, value: float, noise_floor: float, **others: Any) -> Measurement:
    return Measurement(
        metric=spec.metric,
        value=value,
        threshold=spec.threshold,
        baseline_documents=spec.baseline.documents,
        current_documents=documents,
        noise_floor=noise_floor,
        baseline_run=spec.baseline.run,
        baseline_uri=spec.baseline.uri,
        baseline_sha256=spec.baseline.sha256,
        seed=spec.seed,
        checked_at=datetime.now(UTC),
        **others,
    )


def _baseline(spec: CheckSpec, mounts: Mounts) -> "StoredBaseline":
    """Reads the baseline, and verifies that it is the one that the run wrote."""
    from clusterworker.drift.baseline import parse

    expected = spec.baseline
    content = open_file(expected.uri, spec.results, mounts.secrets).read()
    if content is None:
        raise ObstacleFound("baseline_missing", f"{expected.uri}: the baseline of run {expected.run} is missing")
    found = hashlib.sha256(content).hexdigest()
    if found != expected.sha256:
        raise ObstacleFound(
            "baseline_altered",
            f"{expected.uri}: this is not the baseline that run {expected.run} wrote: "
            f"its sha256 is {found[:12]}…, not {expected.sha256[:12]}…",
        )
    try:
        return parse(content)
    except ValueError as error:
        raise ObstacleFound(
            "baseline_altered",
            f"{expected.uri}: the baseline of run {expected.run} has the format of another version: {error}",
        ) from error


def _comparable(spec: CheckSpec, baseline: "StoredBaseline", collections: "list[Collection]") -> None:
    from clusterworker.data.sources.models import of_model_other_than

    run, first = spec.baseline.run, collections[0]
    if first.dimensions != baseline.dimensions:
        raise ObstacleFound(
            "dimensions_changed",
            f"collection {first.collection_id} has {first.dimensions} dimensions, and the baseline of run {run} has "
            f"{baseline.dimensions}: not comparable",
        )
    other = of_model_other_than(baseline.embedding_model, collections)
    if other is not None:
        raise ObstacleFound(
            "model_changed",
            f"collection {other.collection_id} is embedded by {other.embedding_model}, and the baseline of run {run} "
            f"by {baseline.embedding_model}: not comparable",
        )


def _record(spec: CheckSpec, measurement: Measurement, progress: Progress, mounts: Mounts) -> None:
    """Records a measurement. If that fails, the check succeeds nevertheless."""
    try:
        file = record_file(spec.namespace, spec.trigger, spec.results, mounts.secrets)
        record = append(file, spec, measurement)
        # `kubectl clustertrigger drift` reads it from the log, because it cannot access the results.
        progress.info(f"recorded {counted(len(record.measurements), 'measurement')}", **{RECORD_FIELD: record.table()})
    except RunError as error:
        progress.error(f"the drift record could not be updated: {error}")
