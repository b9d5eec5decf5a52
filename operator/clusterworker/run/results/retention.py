"""Publishes a run's folder, and decides which older ones go.

A run's folder must outlive its entry in the trigger's history, and the baseline that the trigger's status points to.
The worker sees neither; it sees the folders of finished runs. The history keeps the `history_limit` newest runs that
ended, by their start, failed ones included: so every run in it that left a folder is among the `history_limit` newest
folders by start. The baseline is that of the run that finished last, or, until the operator has read this run's result,
of the one before. Hence what is kept: the newest folders by start and the newest by finish, at least two. The orders
differ only where runs overlap (run.concurrency_policy Allow). A run with mode assign leaves no baseline: it spares the
folder of the trigger's last clustering, and that of the run to whose clusters it has assigned documents.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from clusterworker.process.errors import RunError
from clusterworker.process.progress import Progress
from clusterworker.run.results.record import LATEST, RunRecord
from clusterworker.run.results.target import Target

_FEWEST = 2


def expendable(records: Sequence[RunRecord], limit: int) -> list[RunRecord]:
    """Returns the runs whose folders are deleted, oldest first.

    Args:
        records: Records of the finished runs of one trigger, in any order.
        limit: `run.history_limit`.
    """
    kept = {record.run for order in (_started, _finished) for record in _newest(records, order, max(limit, _FEWEST))}
    return sorted((record for record in records if record.run not in kept), key=_finished)


def publish(
    target: Target,
    staged: Path,
    record: RunRecord,
    limit: int,
    progress: Progress,
    files_beside: Mapping[str, bytes] = MappingProxyType({}),
    kept_runs: Container[str] = (),
) -> list[str]:
    """Publishes a finished run's folder, updates LATEST, and removes folders beyond the limit.

    LATEST is a file, not a symbolic link, because not every volume supports links, and S3 does not.

    Args:
        target: Location of the folder.
        staged: Directory that becomes the folder.
        record: Record of the run.
        limit: `run.history_limit`.
        progress: Receives what is published.
        files_beside: Files that belong to the newest run, by name; they are written before LATEST.
        kept_runs: Runs whose folders are kept, however many newer ones there are.

    Returns:
        Notes on what could not be removed.

    Raises:
        RunError: the folder could not be published.
    """
    progress.phase("publish", f"publishing {target.uri}")
    target.publish(staged)
    for name, content in {**files_beside, LATEST: record.to_bytes()}.items():
        target.put_beside(name, content)
    left = retire(target, limit, kept_runs)
    for note in left:
        progress.info(note)
    return left


def retire(target: Target, limit: int, kept_runs: Container[str] = ()) -> list[str]:
    """Removes folders beyond the limit, and the rest of interrupted removals. This run's own folder already exists.

    Args:
        target: Location of the results.
        limit: `run.history_limit`.
        kept_runs: Runs whose folders are kept.

    Returns:
        Notes on what could not be removed: a run whose own results are there does not fail for that.
    """
    try:
        records = target.finished()
        if not records:
            return []
        # This node's clock has dated the run. If it is behind, the run's own folder looks like the oldest.
        own = target.uri.rpartition("/")[2]
        going = [record for record in expendable(records, limit) if record.run not in kept_runs and record.run != own]
        for record in going:
            target.remove(record.run)
        target.clear_remnants(min(record.finished_at for record in records if record not in going))
    except RunError as error:
        return [f"older results could not be removed: {error}"]
    return []


def _newest(records: Sequence[RunRecord], order: Callable[[RunRecord], datetime], count: int) -> Sequence[RunRecord]:
    return sorted(records, key=order)[-count:]


def _started(record: RunRecord) -> datetime:
    return record.started_at


def _finished(record: RunRecord) -> datetime:
    return record.finished_at
