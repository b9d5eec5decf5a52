"""Tests of which folders are removed after a run, and that each is removed in one step, on a volume and in S3."""

from __future__ import annotations

import json
import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clusterworker.process.errors import UnavailableError
from clusterworker.run.results import bucket as buckets
from clusterworker.run.results import retention
from clusterworker.run.results.bucket import BucketTarget
from clusterworker.run.results.record import RunRecord
from clusterworker.run.results.retention import expendable, retire
from clusterworker.run.results.target import Target, open_target
from clusterworker.run.results.volume import VolumeTarget
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write
from tests.clusterworker.storage.s3_server import BUCKET, Bucket

KMEANS = {"algorithm": "kmeans", "n_clusters": 3}
MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)


def record(run: str, started: int, finished: int) -> RunRecord:
    return RunRecord(
        namespace="search",
        trigger="nightly",
        run=run,
        slot="2026-11-21T02:00:00Z",
        started_at=MIDNIGHT + timedelta(minutes=started),
        finished_at=MIDNIGHT + timedelta(minutes=finished),
        num_clusters=3,
        num_documents=60,
    )


def names(directory: Path) -> set[str]:
    return {entry.name for entry in directory.iterdir()}


@pytest.mark.parametrize(
    ("case", "runs", "limit", "gone"),
    [
        ("none", [], 3, ""),
        ("as many as the limit", [("a", 1, 2), ("b", 3, 4), ("c", 5, 6)], 3, ""),
        ("one more", [("a", 1, 2), ("b", 3, 4), ("c", 5, 6), ("d", 7, 8)], 3, "a"),
        ("the limit was lowered", [("a", 1, 2), ("b", 3, 4), ("c", 5, 6), ("d", 7, 8)], 2, "ab"),
        # Until the operator has read b's result, the baseline is a's.
        ("of one, two stay", [("a", 1, 2), ("b", 3, 4)], 1, ""),
        ("of one, not three", [("a", 1, 2), ("b", 3, 4), ("c", 5, 6)], 1, "a"),
        # Runs that overlap: a began first and ended last. It is the baseline; b and c are in the history.
        ("a slow run is the baseline", [("a", 1, 9), ("b", 2, 3), ("c", 4, 5)], 2, ""),
        ("a slow run and a new one", [("a", 1, 9), ("b", 2, 3), ("c", 4, 5), ("d", 10, 11)], 2, "b"),
        ("a slow run goes in its turn", [("a", 1, 9), ("c", 4, 5), ("d", 10, 11), ("e", 12, 13)], 2, "ac"),
    ],
)
def test_what_goes(case: str, runs: list[tuple[str, int, int]], limit: int, gone: str) -> None:
    records = [record(*run) for run in runs]
    assert {item.run for item in expendable(records, limit)} == set(gone), case
    assert {item.run for item in expendable(records[::-1], limit)} == set(gone), f"{case}, listed the other way round"


def history(events: list[tuple[str, int, int, bool]], limit: int) -> set[str]:
    """Runs with results in the operator's history: the newest by start, including failed ones."""
    ended = sorted(events, key=lambda event: event[1])[-limit:]
    return {run for run, _, _, completed in ended if completed}


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
@pytest.mark.parametrize("length", [1, 25, 180])
def test_no_entry_of_the_history_points_at_a_removed_folder(limit: int, length: int) -> None:
    """Every third run fails; with durations 25 and 180, runs overlap, and shorter ones end before longer ones."""
    runs = [(f"r{n}", 10 * n, 10 * n + (length if n % 4 else 1), n % 3 != 0) for n in range(40)]
    folders: list[RunRecord] = []
    ended: list[tuple[str, int, int, bool]] = []
    for run in sorted(runs, key=lambda run: run[2]):
        ended.append(run)
        if not run[3]:
            continue
        folders.append(record(*run[:3]))
        gone = {item.run for item in expendable(folders, limit)}
        folders = [folder for folder in folders if folder.run not in gone]
        there = {folder.run for folder in folders}
        assert history(ended, limit) <= there
        assert run[0] in there, "the latest, and the newest baseline"
        assert len(there) <= 2 * max(limit, 2)


def test_runs_beyond_the_limit_go_and_the_latest_is_pointed_to(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    runs = [f"nightly-1a2b3c-2026112{day}020000" for day in range(4)]
    for run in runs:
        spec = pod.spec(KMEANS, run=run, history_limit=2)
        assert pod.run(spec).notes == []
    trigger = pod.folder(spec).parent
    assert names(trigger) == {*runs[2:], "latest.json"}
    latest = json.loads((trigger / "latest.json").read_text())
    assert latest == json.loads((trigger / runs[3] / "run.json").read_text())
    assert (latest["run"], latest["num_clusters"], latest["num_documents"]) == (runs[3], 3, 60)
    assert latest["started_at"] < latest["finished_at"]


def test_a_failed_run_removes_nothing_and_stays_no_latest(pod: Pod) -> None:
    file = write(pod.volume / "data.parquet", planted(60, 3).vectors)
    for number in range(3):
        spec = pod.spec(KMEANS, run=f"nightly-1a2b3c-{number}", history_limit=3)
        pod.run(spec)
    trigger = pod.folder(spec).parent
    before = names(trigger), (trigger / "latest.json").read_text()
    file.write_text("no longer Parquet")
    with pytest.raises(Exception, match="not a Parquet file"):
        pod.run(pod.spec(KMEANS, run="nightly-1a2b3c-3", history_limit=1))
    # The spec of the failed run, with which it can be repeated, is a file and not a folder.
    left = names(trigger) - {".nightly-1a2b3c-3.spec.json"}
    assert (left, (trigger / "latest.json").read_text()) == before


def test_what_failed_runs_were_told_goes_but_for_the_newest(shelf: Shelf) -> None:
    shelf.publish("nightly-1a2b3c-0", 0, **{"spec.json": "whole"})
    shelf.target("nightly-ffffff-1").prepare(shelf.scratch("ffffff"))
    for run in ("nightly-ffffff-1", *(f"nightly-1a2b3c-{number}" for number in range(1, 5))):
        shelf.target(run).keep_spec(run.encode())
        time.sleep(0.01 if isinstance(shelf.target(), VolumeTarget) else 1)  # S3 knows seconds
    for most, newest in ((5, {1, 2, 3, 4}), (2, {3, 4}), (0, set())):
        shelf.target().forget_specs(most)
        assert {run for run in range(1, 5) if shelf.target(f"nightly-1a2b3c-{run}").kept_spec() is not None} == newest
    assert shelf.target("nightly-1a2b3c-0").kept_spec() == b"whole"
    assert shelf.target("nightly-ffffff-1").kept_spec() == b"nightly-ffffff-1"


def test_results_that_cannot_be_removed_do_not_fail_the_run(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)

    def refuse(self: VolumeTarget, run: str) -> None:
        raise UnavailableError(f"/results/{run}: cannot write results: Stale file handle")

    monkeypatch.setattr(VolumeTarget, "remove", refuse)
    for number in range(3):
        spec = pod.spec(KMEANS, run=f"nightly-1a2b3c-{number}", history_limit=1)
        result = pod.run(spec)
    assert result.notes[-1] == (
        "older results could not be removed: /results/nightly-1a2b3c-0: cannot write results: Stale file handle"
    )
    assert pod.folder(spec).is_dir()


class Shelf:
    """Folders of runs as the worker writes them, on a volume or in S3."""

    def __init__(self, pod: Pod, bucket: Bucket | None) -> None:
        self._pod = pod
        self._bucket = bucket

    def target(self, run: str = "nightly-1a2b3c-9") -> Target:
        fields = {} if self._bucket is None else {"results": self._bucket.results()}
        return open_target(self._pod.spec(KMEANS, run=run, **fields), self._pod.mounts.secrets)

    def publish(self, run: str, minute: int, **files: str) -> None:
        target = self.target(run)
        staged = target.prepare(self.scratch(run))
        content = record(run, minute, minute + 1).model_dump_json()
        for name, text in {"run.json": content, "metrics.json": "{}", "members.parquet": "", **files}.items():
            if text != "absent":
                (staged / name).write_text(text)
        target.publish(staged)

    def scratch(self, run: str) -> Path:
        """The scratch directory of a run's Pod."""
        scratch = self._pod.root / f"scratch-of-{run}"
        scratch.mkdir()
        return scratch

    def put(self, name: str) -> None:
        """A file beside the runs' folders, as drift checks write it."""
        if self._bucket is None:
            (self._directory / name).write_text("{}")
        else:
            self._bucket.client.put_object(Bucket=BUCKET, Key=f"results/search/nightly/{name}", Body=b"{}")

    def seen(self) -> set[str]:
        """Returns all files beside and below the runs' folders: `run/file`, and hidden entries."""
        if self._bucket is not None:
            # The empty object by which Arrow and S3's console keep the trigger's folder is not a file.
            return {key.removeprefix("results/search/nightly/") for key in self._bucket.keys("results/")} - {""}
        root = self._directory
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}

    @property
    def _directory(self) -> Path:
        return self._pod.results / "search" / "nightly"


@pytest.fixture(params=["volume", "S3"])
def shelf(request: pytest.FixtureRequest, pod: Pod) -> Shelf:
    if request.param == "volume":
        return Shelf(pod, None)
    request.getfixturevalue("keys")
    return Shelf(pod, request.getfixturevalue("bucket"))


def files_of(*runs: str) -> set[str]:
    return {f"{run}/{name}" for run in runs for name in ("members.parquet", "metrics.json", "run.json")}


def test_a_run_on_a_node_whose_clock_is_behind_keeps_its_own_folder(shelf: Shelf) -> None:
    for number in range(4):
        shelf.publish(f"nightly-1a2b3c-{number}", 10 + number)
    shelf.publish("nightly-1a2b3c-9", 0)
    assert retire(shelf.target("nightly-1a2b3c-9"), 2) == []
    assert shelf.seen() == files_of("nightly-1a2b3c-2", "nightly-1a2b3c-3", "nightly-1a2b3c-9")


def test_only_finished_runs_of_this_trigger_go(shelf: Shelf) -> None:
    old = [
        "nightly-ffffff-1",  # of a trigger that was deleted and created again
        "nightly-1a2b3c-backup-1",  # whatever a person put there
    ]
    for run in old:
        shelf.publish(run, 0)
    shelf.publish("nightly-1a2b3c-1", 1, **{"metrics.json": "absent"})  # not whole
    shelf.publish("nightly-1a2b3c-2", 2, **{"run.json": "not a record"})
    shelf.publish("nightly-1a2b3c-3", 3, **{"run.json": record("nightly-1a2b3c-4", 1, 2).model_dump_json()})  # a copy
    runs = [f"nightly-1a2b3c-{number}" for number in range(5, 10)]
    for number, run in enumerate(runs):
        shelf.publish(run, 10 + number)
    shelf.put("drift.json")
    before = shelf.seen()
    assert retire(shelf.target(), 2) == []
    gone = before - shelf.seen()
    expected = files_of(*runs[:3])
    if isinstance(shelf.target(), BucketTarget):
        # In S3 a record without its marker is what an interrupted removal leaves, and this one is old.
        expected |= {"nightly-1a2b3c-1/members.parquet", "nightly-1a2b3c-1/run.json"}
    assert gone == expected


def test_an_interrupted_removal_is_finished_by_the_next_run(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        shelf.publish(f"nightly-1a2b3c-{number}", number)

    class KilledError(BaseException):
        """The worker is killed while it removes a folder."""

    def killed(*_: Any, **__: Any) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", killed)
        done = buckets._delete_if_there

        def once(filesystem: Any, path: str) -> None:
            patched.setattr(buckets, "_delete_if_there", killed)
            done(filesystem, path)

        patched.setattr(buckets, "_delete_if_there", once)
        with pytest.raises(KilledError):
            retire(shelf.target(), 3)
    assert "nightly-1a2b3c-0" not in {item.run for item in shelf.target().finished()}, "no longer whole, at once"
    assert len(shelf.seen()) > len(files_of("1", "2", "3"))
    assert retire(shelf.target(), 3) == []
    assert shelf.seen() == files_of(*(f"nightly-1a2b3c-{number}" for number in range(1, 4)))


def test_two_runs_that_end_at_once_may_remove_the_same(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        shelf.publish(f"nightly-1a2b3c-{number}", number)
    chosen = retention.expendable

    def overtaken(records: list[RunRecord], limit: int) -> list[RunRecord]:
        monkeypatch.setattr(retention, "expendable", chosen)
        assert retire(shelf.target(), limit) == []
        return chosen(records, limit)

    monkeypatch.setattr(retention, "expendable", overtaken)
    assert retire(shelf.target(), 3) == []
    assert shelf.seen() == files_of(*(f"nightly-1a2b3c-{number}" for number in range(2, 5)))


def test_an_upload_of_now_is_no_interrupted_removal(pod: Pod, bucket: Bucket, keys: Path) -> None:
    shelf = Shelf(pod, bucket)
    for number in range(3):
        shelf.publish(f"nightly-1a2b3c-{number}", number)
    shelf.publish("nightly-1a2b3c-8", 8, **{"metrics.json": "absent"})  # its marker is about to come
    assert retire(shelf.target(), 2) == []
    assert "nightly-1a2b3c-8/run.json" in shelf.seen()


def test_a_reader_of_the_pointer_never_sees_half_of_it(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    target = open_target(pod.spec(KMEANS), pod.mounts.secrets)
    assert isinstance(target, VolumeTarget)
    target.prepare(pod.root)
    target.put_beside("latest.json", record("nightly-1", 1, 2).to_bytes())
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    with pytest.raises(UnavailableError):
        target.put_beside("latest.json", record("nightly-2", 3, 4).to_bytes())
    assert json.loads((target.siblings / "latest.json").read_text())["run"] == "nightly-1"
