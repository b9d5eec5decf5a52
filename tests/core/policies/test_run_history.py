"""Tests that runs are recorded, and that ended runs are counted, each of them once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from clustercontract.baseline import Baseline
from clustercontract.brief import CentralDocument, Changes, ClusterBrief
from clustercontract.run import RUN_SPEC_VARIABLE, RunResult
from clustertrigger.api.status import LastResult
from clustertrigger.core.decide import decide
from clustertrigger.core.decision import CreateJob
from tests.core import checked
from tests.core.builders import EVENTS, World, at, condition, fail, fire, observed, spec, started, trigger
from tests.core.builders import run as a_run


def test_a_completed_run_is_counted_and_shown() -> None:
    world = World()
    fire(world, 1)
    assert condition(world, "Running") == ("True", "RunActive")
    baseline = Baseline(
        uri="/results/b.npz", sha256="0" * 64, run="r", documents=3000, dimensions=384, captured_at=at(hours=1)
    )
    result = RunResult(status="completed", num_clusters=5, num_documents=3000, baseline=baseline)
    world.end("completed", execution_time_ms=12_000, result=result)
    status = world.step(at(hours=1, seconds=12)).status
    newest = status.history[0]
    assert (status.execution_count, status.failure_count, status.last_execution_status) == (1, 0, "completed")
    assert (newest.num_clusters, newest.num_documents, newest.execution_time_ms) == (5, 3000, 12_000)
    assert status.baseline_snapshot is not None
    assert status.baseline_snapshot["documents"] == 3000
    assert world.events[-1].endswith("completed after 12 s: 5 clusters of 3,000 documents")
    assert condition(world, "Running") == ("False", "NoActiveRun")


def test_a_summary_of_the_last_clusters_is_kept() -> None:
    world = World()
    clusters = [ClusterBrief(cluster_id=0, name="rust", num_documents=9, central_documents=[_document("librust-dev")])]
    fire(world, 1)
    world.end("completed", result=RunResult(status="completed", num_noise=3, clusters=clusters))
    job = world.step(at(hours=1, seconds=12)).status.history[0].job_id
    fail(world, 2)
    assert world.trigger.status.last_result == LastResult(job_id=job, num_noise=3, clusters=clusters)


def test_changes_since_the_previous_run_are_reported_and_passed_on() -> None:
    """All attempts of the next run get the previous run and the used cluster IDs."""
    world = World()
    baseline = Baseline(
        uri="/results/ns/a/first/baseline.npz",
        sha256="0" * 64,
        run="first",
        documents=9,
        dimensions=8,
        captured_at=at(1),
    )
    changes = Changes(since="zeroth", summary="3 clusters kept, 1 new (7)", kept=3, new=[7])
    assert "previous" not in _run_spec(world, 1)
    fire(world, 1)
    result = RunResult(status="completed", baseline=baseline, changes=changes, next_cluster_id=8)
    world.end("completed", execution_time_ms=12_000, result=result)
    last = world.step(at(hours=1, seconds=12)).status.last_result
    assert last is not None
    assert (last.changes, last.next_cluster_id) == (changes, 8)
    assert world.events[-1].endswith("completed after 12 s; since zeroth: 3 clusters kept, 1 new (7)")
    assert _run_spec(world, 2)["previous"] == {"run": "first", "uri": "/results/ns/a/first", "next_cluster_id": 8}
    fire(world, 2)
    world.end("completed", result=RunResult(status="completed", baseline=baseline, next_cluster_id=5))
    last = world.step(at(hours=2, seconds=12)).status.last_result
    assert last is not None
    assert last.next_cluster_id == 8, "runs that overlap"


def _run_spec(world: World, hour: int) -> dict[str, Any]:
    """The input of the Job of an hour's slot."""
    decision = decide(world.trigger, observed(world.runs.values()), at(hours=hour))
    (manifest,) = [action.manifest for action in decision.actions if isinstance(action, CreateJob)]
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    said = next(entry["value"] for entry in container["env"] if entry["name"] == RUN_SPEC_VARIABLE)
    document: dict[str, Any] = json.loads(said)
    return document


def _document(document_id: str) -> CentralDocument:
    return CentralDocument(document_id=document_id, text="library for Rust")


def test_a_run_needs_two_status_writes() -> None:
    world = World()
    world.step(at(1))
    writes = world.writes
    fire(world, 1)
    world.end("running", running_since=at(hours=1, seconds=1))
    world.step(at(hours=1, seconds=2))
    world.end("completed")
    world.step(at(hours=1, seconds=4))
    world.step(at(hours=1, seconds=9))
    assert world.writes - writes == 2


def test_a_long_run_is_shown_as_running() -> None:
    world = World()
    fire(world, 1)
    world.end("running", running_since=at(hours=1, seconds=1))
    decision = world.step(at(hours=1, seconds=2))
    assert decision.status.last_execution_status == "pending"
    assert decision.wake_at == at(hours=1, seconds=6)
    assert world.step(at(hours=1, seconds=6)).status.last_execution_status == "running"


def test_the_time_in_a_queue_is_in_the_history() -> None:
    world = World(spec(run={"queue_name": "team"}))
    started(world, "completed", queue_time_ms=7_000, execution_time_ms=3_000)
    entry = world.step(at(hours=1, seconds=10)).status.history[0]
    assert (entry.queue_time_ms, entry.execution_time_ms) == (7_000, 3_000)


def test_an_unexplained_end_is_looked_up_first() -> None:
    world = World()
    fire(world, 1)
    world.end("failed", explained=False, error="the Job failed without giving a reason")
    undecided = decide(world.trigger, observed(world.runs.values()), at(hours=1, seconds=9))
    assert [type(action).__name__ for action in undecided.actions] == ["LookUpJob"]
    assert world.step(at(hours=1, seconds=9)).status.last_execution_status == "failed"


def test_an_unreported_job_is_looked_up_before_it_counts_as_deleted() -> None:
    """keda #5537: an outage was read as "0 running"."""
    world = World()
    fire(world, 1)
    undecided = decide(world.trigger, observed(), at(hours=2))
    assert [type(action).__name__ for action in undecided.actions] == ["LookUpJob"]


def test_a_deleted_job_is_recorded_and_not_a_failure_in_a_row() -> None:
    world = World()
    fire(world, 1)
    world.runs.clear()
    status = world.step(at(hours=1, seconds=5)).status
    assert status.history[0].error == "the Job was deleted before it ended"
    assert (status.last_execution_status, status.consecutive_failures) == ("failed", 0)


def skew(world: World, seconds: float) -> None:
    """The newest Job has the time of an API server whose clock is behind."""
    name = list(world.runs)[-1]
    world.runs[name] = replace(world.runs[name], created_at=world.runs[name].created_at - timedelta(seconds=seconds))


@pytest.mark.parametrize("ended", [False, True], ids=["still going on", "already ended"])
@pytest.mark.parametrize("behind", [1, 7200, 86_400])
def test_a_job_that_is_dated_before_the_last_recorded_one_is_recorded(behind: float, ended: bool) -> None:
    world = World(spec(run={"concurrency_policy": "Allow"}))
    fire(world, 1)
    first = world.trigger.status
    world.end("completed")
    # Created by a process that was killed before it wrote the status.
    status = world.trigger
    world.step(at(hours=2))
    world.trigger = status
    skew(world, 3600 + behind)
    if ended:
        name = list(world.runs)[-1]
        world.runs[name] = replace(world.runs[name], phase="completed")
    after = world.step(at(hours=2, seconds=30)).status
    assert len(after.history) == 2
    assert after.history[0].slot == "2026-03-02T14:00:00Z"
    assert len(world.created) == 2, "a slot fires once"
    assert first.last_triggered_at is not None
    assert after.last_triggered_at is not None
    assert after.last_triggered_at >= first.last_triggered_at, "what was recorded before must not look new"
    assert after.execution_count == 1 + ended


def killed_before_it_wrote(world: World, now: datetime) -> None:
    """A killed process created the run, which ended; its API server's clock is 5 s behind that of the last run."""
    before = world.trigger
    world.step(now)
    world.trigger = before
    name = list(world.runs)[-1]
    assert before.status.last_triggered_at is not None
    at_least = before.status.last_triggered_at - timedelta(seconds=5)
    world.runs[name] = replace(world.runs[name], created_at=at_least, phase="completed")


def test_an_ended_run_for_events_is_recorded_whatever_its_api_servers_clock() -> None:
    schedule = {"event_type": "documents_added", "event_threshold": 1, "collection_id": "col_a"}
    world = World(spec(trigger_type="event", schedule_config=schedule))
    world.step(at(1))
    for number in (1, 2):
        world.send(at(10 * number), str(number))
        if number == 1:
            world.step(at(10))
            world.end("completed")
            world.step(at(15))
    killed_before_it_wrote(world, at(20))
    status = world.step(at(25)).status
    assert [run.slot for run in status.history] == ["event/2", "event/1"]
    assert (status.execution_count, status.event_counter, len(world.created)) == (2, 0, 2)
    assert world.step(at(30)).status.execution_count == 2


def test_an_ended_run_that_was_requested_is_recorded_whatever_its_api_servers_clock() -> None:
    world = World()
    for token in ("one", "two"):
        world.request(run=token)
        if token == "one":
            world.step(at(10))
            world.end("completed")
            world.step(at(15))
    killed_before_it_wrote(world, at(20))
    status = world.step(at(25)).status
    assert [run.slot for run in status.history] == ["manual/two", "manual/one"]
    assert (status.execution_count, status.last_run_requested) == (2, "two")
    assert not any(event.startswith("RequestIgnored") for event in world.events)


def test_an_ended_run_for_a_finding_is_recorded_whatever_its_api_servers_clock() -> None:
    world = checked.world(run={"concurrency_policy": "Allow"})
    world.request(run="one")
    world.step(at(minutes=50))
    world.end("completed")
    world.step(at(minutes=55))
    world.step(at(hours=1))
    world.end("completed", check=checked.found(0.42))
    killed_before_it_wrote(world, at(hours=1, seconds=30))
    status = world.step(at(hours=1, seconds=40)).status
    assert [run.slot for run in status.history] == ["2026-03-02T13:00:00Z", "manual/one"]
    assert (status.execution_count, status.check_state) == (2, None)
    assert len(world.created) == 3


def test_an_old_request_that_is_repeated_is_not_recorded_again() -> None:
    world = World(spec(run={"history_limit": 1}))
    for minute, token in enumerate(("one", "two"), 1):
        world.request(run=token)
        world.step(at(minutes=2 * minute))
        world.end("completed")
        world.step(at(minutes=2 * minute, seconds=30))
    world.request(run="one")
    status = world.step(at(minutes=10)).status
    assert (status.execution_count, [run.slot for run in status.history]) == (2, ["manual/two"])
    assert world.events[-1].startswith("RequestIgnored: The run requested by 'one' was not started: ")


def test_the_history_keeps_its_limit_after_a_clock_was_slightly_ahead() -> None:
    """Until that time comes, all runs are recorded at the time of the newest one."""
    schedule = {"event_type": "documents_added", "event_threshold": 1, "collection_id": "col_a"}
    it = World(spec(EVENTS, schedule_config=schedule, run={"history_limit": 2}))
    it.step(at(1))
    for number, now in enumerate([at(minutes=58), *(at(minutes=1, seconds=6 * place) for place in range(20))]):
        it.send(now, f"event {number}")
        it.step(now)
        it.runs = {name: replace(run, phase="completed") for name, run in it.runs.items()}
        it.step(now + timedelta(seconds=1))
        it.step(now + timedelta(seconds=2))
    status = it.trigger.status
    assert (len(status.history), status.execution_count) == (3, 21), "the Job of the time ahead would look new"


def test_a_job_that_the_history_limit_has_dropped_is_not_recorded_again() -> None:
    world = World(spec(run={"history_limit": 1}))
    for hour in (1, 2, 3):
        fire(world, hour)
        world.end("completed")
        world.step(at(hours=hour, seconds=30))
    assert len(world.runs) == 3
    assert len(world.trigger.status.history) == 1
    status = world.step(at(hours=3, seconds=60)).status
    assert (len(status.history), status.execution_count) == (1, 3)


def test_finished_jobs_beyond_the_history_limit_are_not_counted_again() -> None:
    world = World(spec(run={"history_limit": 1}))
    for hour in (1, 2, 3):
        world.step(at(hours=hour))
        world.end()
        world.step(at(hours=hour, seconds=9))
    world.step(at(hours=3, minutes=10))
    status = world.trigger.status
    assert len(world.runs) == 3
    assert (status.execution_count, len(status.history)) == (3, 1)


def test_a_run_whose_job_may_start_again_stays_in_the_history() -> None:
    """Otherwise, its next attempt would look like a new run."""
    world = World(spec(run={"history_limit": 1, "concurrency_policy": "Allow"}))
    first = started(world, "completed", unfinished=True)
    world.step(at(hours=1, seconds=30))
    for hour in (2, 3):
        fire(world, hour)
        world.end("completed")
        world.step(at(hours=hour, seconds=30))
    assert first in [entry.job_id for entry in world.trigger.status.history]
    world.runs[first] = replace(world.runs[first], phase="running", running_since=at(hours=3, seconds=40))
    world.step(at(hours=3, seconds=50))
    assert list(world.ended) == [first]
    world.runs[first] = replace(world.runs[first], phase="completed", unfinished=False)
    status = world.step(at(hours=3, seconds=60)).status
    assert (len(status.history), status.execution_count) == (1, 3)
    assert sum(event.startswith(f"RunCreated: Created Job {first} ") for event in world.events) == 1


@pytest.mark.parametrize("phase", ["pending", "running", "completed"])
def test_a_job_with_the_mark_of_a_recorded_run_is_not_recorded_again(phase: Any) -> None:
    world = World(spec(run={"history_limit": 1, "concurrency_policy": "Allow"}))
    first = started(world, "completed", unfinished=True)
    world.step(at(hours=1, seconds=30))
    world.runs[first] = replace(world.runs[first], phase=phase, recorded=True, ended_by_operator=True)
    for hour in (2, 3):
        fire(world, hour)
        world.end("completed")
        world.step(at(hours=hour, seconds=30))
    status = world.step(at(hours=3, seconds=60)).status
    assert first not in [entry.job_id for entry in status.history]
    assert (len(status.history), status.execution_count) == (1, 3)


def test_the_number_of_ended_runs_is_limited_whatever_their_jobs_do() -> None:
    entries = [
        {"job_id": f"j{n}", "slot": "s", "triggered_at": at(hours=1).isoformat(), "status": "completed"}
        for n in range(300)
    ]
    run = replace(World().trigger, status=trigger(status={"history": entries}).status)
    jobs = [replace(a_run(at(hours=1), "completed", unfinished=True), job=f"j{n}") for n in range(300)]
    assert len(decide(run, observed(jobs), at(minutes=30)).status.history) == 200


def test_a_slot_in_the_history_does_not_fire_again_without_its_job() -> None:
    """The TTL deletes Jobs. A clock that is set back, or a repeated request, reaches the same slot again."""
    world = World()
    world.request(run="one")
    world.step(at(10))
    world.end("completed")
    fire(world, 1)
    world.end("completed")
    world.step(at(hours=1, seconds=30))
    world.runs.clear()
    world.request(run="two")
    world.step(at(hours=1, minutes=5))
    world.end("completed")
    world.step(at(hours=1, minutes=6))
    world.runs.clear()
    world.request(run="one")
    world.step(at(hours=1, minutes=10))
    state = world.trigger.status.schedule_state
    assert state is not None
    back = replace(state, accounted_until=at(minutes=30))
    world.trigger = replace(world.trigger, status=replace(world.trigger.status, schedule_state=back))
    status = world.step(at(hours=1, minutes=20)).status
    assert world.created == ["manual/one", "2026-03-02T13:00:00Z", "manual/two"]
    assert (status.execution_count, status.last_run_requested) == (3, "one")
