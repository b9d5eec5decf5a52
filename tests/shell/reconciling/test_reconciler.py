"""Tests of the reconciler: it writes Jobs first, then the status, then events, and handles failures of each step."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

import pytest

from clustertrigger.core.decision import CountEvents, CreateJob, Event
from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError, refusal
from clustertrigger.core.resources.catalog import COLLECTION, Catalog
from clustertrigger.core.resources.trigger import Key, Trigger
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.observed.known import Known
from clustertrigger.shell.observed.runs import Runs
from clustertrigger.shell.observed.triggers import Triggers
from clustertrigger.shell.reconciling.agenda import Agenda
from clustertrigger.shell.reconciling.inquiries import Inquiries
from clustertrigger.shell.reconciling.job_writer import JobWriter
from clustertrigger.shell.reconciling.reconciler import Executors, Reconciler
from clustertrigger.shell.reconciling.work_queue import Rank
from clustertrigger.shell.status.recorder import Recorder
from clustertrigger.shell.status.status_writer import StatusWriter
from harness.control_plane.kube import Object
from tests.core.builders import CREATED, HOURLY, at, observed
from tests.shell.reconciling.in_memory import InMemory

KEY, OTHER = Key("search", "products"), Key("search", "other")
JOBS = paths.jobs("search")
STATUS = f"{paths.trigger(KEY)}/status"


class Heard(Recorder):
    """Events that were recorded."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def record(self, trigger: Trigger, event: Event) -> None:
        self.said.append(f"{trigger.key.name}: {event.reason.value}")


class Idle(JobWriter):
    """Creates no Job, and reports none."""

    async def create(self, trigger: Trigger, action: CreateJob) -> None:
        pass


class Events:
    """Counts no events, and records what it should count."""

    def __init__(self) -> None:
        self.asked: list[CountEvents] = []

    async def count(self, trigger: Trigger, run: CountEvents) -> None:
        self.asked.append(run)


class Notifier:
    """Sends no notifications, and records the triggers whose statuses it received."""

    def __init__(self) -> None:
        self.followed: list[Trigger] = []
        self.forgotten: list[Key] = []
        self.confirmed: frozenset[tuple[str, str]] = frozenset()
        self.given_up = 0

    def delivered(self, trigger: Trigger) -> frozenset[tuple[str, str]]:
        return self.confirmed

    def follow(self, trigger: Trigger) -> None:
        self.followed.append(trigger)

    def forget(self, key: Key) -> None:
        self.forgotten.append(key)

    def gave_up(self, count: int) -> None:
        self.given_up += count


class Stage:
    """A reconciler, an API server and the time."""

    def __init__(self, jobs: type[JobWriter] = JobWriter) -> None:
        self.now = at(hours=1)
        self.api, self.metrics, self.heard = InMemory(), Metrics(), Heard()
        self.triggers = Triggers(lambda _: None, self.metrics)
        self.runs = Runs(lambda _: None)
        catalog = Catalog()
        for namespace in ("search", "hangs"):
            catalog.put(COLLECTION, namespace, "col_a", {"source": {"uri": "a.parquet"}, "volume": "data"})
        self.agenda, self.complete = Agenda(self.clock, self.metrics, 32), asyncio.Event()
        self.complete.set()
        self.events, self.notifier = Events(), Notifier()
        self.reconciler = Reconciler(
            statuses=StatusWriter(self.api, self.triggers),
            clock=self.clock,
            known=Known(self.triggers, self.runs, catalog, self.complete),
            executors=Executors(
                jobs(self.api, self.clock, self.runs, self.metrics),
                Inquiries(self.api, self.clock, self.runs),
                self.events,
                self.notifier,
            ),
            recorder=self.heard,
            agenda=self.agenda,
            metrics=self.metrics,
            surroundings=observed(),
        )
        self.apply(KEY)

    def clock(self) -> Any:
        return self.now

    def apply(self, key: Key) -> None:
        """A trigger is created, and a watch reports it."""
        metadata = {
            "namespace": key.namespace,
            "name": key.name,
            "uid": f"uid of {key.name}",
            "generation": 1,
            "creationTimestamp": CREATED.isoformat(),
        }
        self.triggers.saw(
            self.api.put(paths.trigger(key), {"kind": "ClusterTrigger", "metadata": metadata, "spec": HOURLY})
        )

    async def reconcile(self, times: int = 1) -> None:
        for _ in range(times):
            await self.reconciler.reconcile(KEY)

    @property
    def status(self) -> Object:
        found: Object = self.api.objects[paths.trigger(KEY)].get("status", {})
        return found

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


async def test_the_job_is_written_first_and_the_rest_after_a_delay() -> None:
    stage = Stage()
    await stage.reconcile()
    assert stage.api.written == [("POST", JOBS)]
    assert stage.heard.said == []
    await stage.reconcile()
    assert stage.api.written == [("POST", JOBS), ("PATCH", STATUS)]
    assert [entry["slot"] for entry in stage.status["history"]] == ["2026-03-02T13:00:00Z"]
    assert stage.heard.said == ["products: RunCreated"]


async def test_an_unchanged_status_is_not_written_again() -> None:
    stage = Stage()
    await stage.reconcile(2)
    written = list(stage.api.written)
    await stage.reconcile(3)
    assert stage.api.written == written
    assert len(stage.heard.said) == 1


async def test_a_failed_status_write_is_retried() -> None:
    stage = Stage()
    await stage.reconcile()
    stage.api.refused = [ApiError(500, "InternalError", "etcd has no leader")]
    with pytest.raises(ApiError, match="etcd has no leader"):
        await stage.reconcile()
    assert stage.heard.said == [], "nothing is told that is not stored"
    await stage.reconcile()
    assert len(stage.status["history"]) == 1
    assert stage.api.written.count(("POST", JOBS)) == 1


@pytest.mark.parametrize("pause", ["7200", "86400", "2147483647", "9" * 30, "9" * 400])
async def test_a_server_that_requests_a_long_pause_is_not_asked_again_at_once(pause: str) -> None:
    stage = Stage()
    stage.api.refused = [refusal(429, "Too Many Requests", b"", pause)]
    await stage.reconcile(3)
    assert stage.api.written.count(("POST", JOBS)) == 1
    (message,) = [c["message"] for c in stage.status["conditions"] if c["reason"] == "CreateRefused"]
    assert "Too Many Requests" in message
    stage.now = at(hours=1, minutes=59)
    await stage.reconcile()
    assert stage.api.written.count(("POST", JOBS)) == 2, "it is asked again before the starting deadline"


async def test_an_unreported_edit_leads_to_a_new_decision() -> None:
    stage = Stage()
    await stage.reconcile()
    edited = stage.api.objects[paths.trigger(KEY)]
    stage.api.put(paths.trigger(KEY), {**edited, "spec": {**HOURLY, "description": "edited"}})
    await stage.reconcile()
    assert stage.status == {}, "decided of what does not exist any more"
    assert stage.heard.said == []
    await stage.reconcile()
    assert len(stage.status["history"]) == 1
    assert stage.api.objects[paths.trigger(KEY)]["spec"]["description"] == "edited"


async def test_a_deleted_trigger_is_ignored() -> None:
    stage = Stage()
    stage.triggers.gone(*KEY, "uid of products")
    await stage.reconcile(2)
    assert stage.api.written == []


async def test_a_job_deleted_before_the_status_is_written_has_fired() -> None:
    stage = Stage()
    await stage.reconcile()
    (job,) = [path for path in stage.api.objects if path.startswith(JOBS)]
    del stage.api.objects[job]
    stage.runs.jobs.drop("search", job.rpartition("/")[2])
    await stage.reconcile(3)
    (entry,) = stage.status["history"]
    assert (entry["status"], entry["error"]) == ("failed", "the Job was deleted before it ended")
    assert stage.api.written.count(("POST", JOBS)) == 1
    assert stage.count("clustertrigger_runs_total", result="failed") == 1


async def test_an_unstable_decision_is_an_error_and_not_an_endless_loop() -> None:
    stage = Stage(Idle)
    await stage.reconcile()
    with pytest.raises(RuntimeError, match="no stable decision after 10 rounds"):
        await stage.reconcile()


@pytest.mark.parametrize("trouble", [ArithmeticError("a mistake"), ApiError(503, "ServiceUnavailable", "no")], ids=repr)
async def test_a_failure_of_one_trigger_does_not_affect_others(
    trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage()
    stage.apply(OTHER)
    stage.api.refused = [None, None, trouble]
    working = asyncio.create_task(stage.reconciler.work())
    stage.agenda.now(KEY)
    stage.agenda.now(OTHER)
    with caplog.at_level(logging.WARNING):
        async with asyncio.timeout(60):
            while len(stage.heard.said) < 2:  # noqa: ASYNC110 - a test may poll
                await asyncio.sleep(0.01)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    assert stage.heard.said == ["other: RunCreated", "products: RunCreated"], "the other one does not wait"
    assert stage.api.written.count(("POST", JOBS)) == 2
    assert stage.count("clustertrigger_reconcile_errors_total") == 1
    (said,) = [record for record in caplog.records if "etrying in" in record.getMessage()]
    assert (said.levelno, said.exc_info is not None) == (
        (logging.ERROR, True) if isinstance(trouble, ArithmeticError) else (logging.WARNING, False)
    )


async def test_a_namespace_whose_requests_get_no_response_delays_no_other_one() -> None:
    """A webhook for the Jobs of one namespace does not respond, which takes up to 30 s for each of them."""
    stage = Stage()
    slow = [Key("hangs", f"slow-{number}") for number in range(100)]
    for key in slow:
        stage.apply(key)
    stage.api.unanswered = {paths.jobs("hangs")}
    workers = [asyncio.create_task(stage.reconciler.work()) for _ in range(stage.agenda.limits.workers)]
    for key in slow:
        stage.agenda.now(key)
        stage.agenda.queue.add(key, Rank.DUE)
    await asyncio.sleep(0.1)
    stage.agenda.now(KEY)
    async with asyncio.timeout(5):
        while not stage.heard.said:  # noqa: ASYNC110 - a test may poll
            await asyncio.sleep(0.01)
    assert stage.heard.said == ["products: RunCreated"]
    assert stage.api.written.count(("POST", paths.jobs("hangs"))) < 50
    stage.api.unanswered = set()
    async with asyncio.timeout(60):
        while len(stage.heard.said) <= len(slow):  # noqa: ASYNC110 - a test may poll
            await asyncio.sleep(0.01)
    for worker in workers:
        worker.cancel()
    await asyncio.wait(workers)


async def test_nothing_is_decided_while_objects_of_a_restored_cluster_are_missing() -> None:
    stage = Stage()
    stage.complete.clear()
    working = asyncio.create_task(stage.reconciler.work())
    stage.agenda.now(KEY)
    await asyncio.sleep(0.2)
    assert stage.api.written == []
    stage.complete.set()
    async with asyncio.timeout(60):
        while not stage.heard.said:  # noqa: ASYNC110 - a test may poll
            await asyncio.sleep(0.01)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    assert stage.heard.said == ["products: RunCreated"]


async def test_a_term_that_ends_while_objects_are_missing_keeps_no_trigger() -> None:
    """The next term of the same process takes the keys from the same queue."""
    stage = Stage()
    stage.complete.clear()
    working = asyncio.create_task(stage.reconciler.work())
    stage.agenda.now(KEY)
    await asyncio.sleep(0.1)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    stage.agenda.now(KEY)
    async with asyncio.timeout(5):
        assert await stage.agenda.queue.take() == KEY


async def test_reasons_of_pending_runs_are_read_in_the_background() -> None:
    stage = Stage()
    await stage.reconcile(2)
    (job,) = [entry["job_id"] for entry in stage.status["history"]]
    event = {"reason": "FailedCreate", "message": "exceeded quota: small"}
    about = {"kind": "Job", "name": job}
    stage.api.put(paths.event("search", "e"), event | {"metadata": {"name": "e"}, "involvedObject": about})
    stage.now = at(hours=1, seconds=40)
    await stage.reconcile()
    assert _running(stage).endswith("(does not start: no Pod has been created)")
    answering = asyncio.create_task(stage.reconciler.answer())
    working = asyncio.create_task(stage.reconciler.work())
    async with asyncio.timeout(60):
        while not _running(stage).endswith("(does not start: exceeded quota: small)"):  # noqa: ASYNC110 - a test may poll
            await asyncio.sleep(0.01)
    for task in (answering, working):
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _running(stage: Stage) -> str:
    (message,) = [str(c["message"]) for c in stage.status["conditions"] if c["type"] == "Running"]
    return message
