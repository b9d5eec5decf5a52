"""Tests of Jobs with executors in Kueue's queues: every step with the objects that it leaves, and interruptions."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from clustertrigger.core.jobs.job_view import read_job
from clustertrigger.core.jobs.jobs import end_job_patch
from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError, no_answer
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.observed.runs import Runs
from clustertrigger.shell.reconciling.admissions import Admissions
from clustertrigger.shell.reconciling.job_writer import JobWriter
from harness.control_plane.kube import Object
from tests.core.builders import HOURLY, at, trigger
from tests.core.jobs.test_spark_pods import SPARK, job_of
from tests.shell.reconciling.in_memory import InMemory

JOB, WORKLOAD = paths.job("search", "job"), paths.workload("search", "job")
FLAVOR = {"nodeLabels": {"pool": "spot"}, "tolerations": [{"key": "spot", "operator": "Exists"}]}
ASSIGNED = [
    {"name": name, "flavors": {"cpu": "spot", "memory": "spot"}, "count": 1} for name in ("driver", "executors")
]
SECOND = at(hours=1, seconds=5)


class Stage:
    """One Job in an API server in memory. The operator can start anew at any time."""

    def __init__(self, **run: Any) -> None:
        self.api = InMemory()
        self.changed: list[object] = []
        self.manifest = job_of({"engine": SPARK, "queue_name": "team", **run})
        self.manifest["metadata"]["namespace"] = "search"
        self.start_anew()

    def start_anew(self) -> None:
        """Forgets everything that is not in the API server."""
        self.runs = Runs(self.changed.append)
        jobs = JobWriter(self.api, lambda: SECOND, self.runs, Metrics())
        self.admissions = Admissions(self.api, lambda: SECOND, self.runs, jobs)
        self.see()

    def see(self) -> None:
        """What the watch of Jobs does."""
        if JOB in self.api.objects and (job := read_job(self.api.objects[JOB])):
            self.runs.jobs.put(job)

    async def create(self) -> None:
        await self.api.create(paths.jobs("search"), self.manifest)
        self.api.written.clear()
        self.see()

    async def advance(self) -> list[tuple[str, str]]:
        """One pass; returns the writes."""
        self.api.written.clear()
        await self.admissions.advance()
        return list(self.api.written)

    def kueue(self, *conditions: tuple[str, bool], **status: Any) -> None:
        """Changes the Workload's status as Kueue does."""
        raw = self.api.objects[WORKLOAD]
        old = {one["type"]: one for one in raw.get("status", {}).get("conditions", [])}
        new = {
            kind: {"type": kind, "status": str(holds), "reason": "Preempted", "message": "m", "lastTransitionTime": "t"}
            for kind, holds in conditions
        }
        conditions_now = list({**old, **new}.values())
        self.api.put(WORKLOAD, {**raw, "status": {**raw.get("status", {}), **status, "conditions": conditions_now}})

    def admit(self) -> None:
        """Gives it quota."""
        self.api.put(paths.resource_flavor("spot"), {"metadata": {"name": "spot"}, "spec": FLAVOR})
        self.kueue(
            ("QuotaReserved", True), ("Admitted", True), ("Evicted", False), admission={"podSetAssignments": ASSIGNED}
        )

    def job_status(self, **status: Any) -> None:
        """Changes the Job's status as the Job controller does."""
        self.api.put(JOB, {**self.api.objects[JOB], "status": status})
        self.see()

    def pod(self, name: str, owner: Object, phase: str = "Running") -> None:
        """A Pod of the trigger."""
        metadata = {"name": name, "ownerReferences": [owner]}
        self.api.put(paths.pod("search", name), {"metadata": metadata, "status": {"phase": phase}})

    @property
    def job(self) -> Object:
        return self.api.objects[JOB]

    @property
    def workload(self) -> Object:
        return self.api.objects[WORKLOAD]

    def condition(self, kind: str) -> tuple[str, str]:
        found = next(one for one in self.workload["status"]["conditions"] if one["type"] == kind)
        return found["status"], found["reason"]

    async def running(self) -> None:
        """The state after its first admission."""
        await self.create()
        await self.advance()
        self.admit()
        await self.advance()
        self.job_status(startTime="2026-03-02T14:00:00Z", active=1, ready=1)
        await self.advance()
        self.pod("job-abcde", {"kind": "Job", "name": "job", "uid": self.job["metadata"]["uid"]})
        self.pod("job-abcde-exec-1", {"kind": "Pod", "name": "job-abcde", "uid": "driver"})


@pytest.fixture(params=[False, True], ids=["one operator", "a new operator before each step"])
def stage(request: pytest.FixtureRequest) -> Stage:
    stage = Stage()
    if request.param:
        kept = stage.advance

        async def advance() -> list[tuple[str, str]]:
            stage.start_anew()
            return await kept()

        stage.advance = advance  # type: ignore[method-assign]
    return stage


async def test_a_queued_job_gets_one_workload_and_starts_when_it_is_admitted(stage: Stage) -> None:
    await stage.create()
    assert stage.manifest["spec"]["suspend"] is True
    assert await stage.advance() == [("POST", paths.workloads("search"))]
    assert await stage.advance() == [], "it waits"
    stage.kueue(("QuotaReserved", True))
    assert await stage.advance() == [], "another check of Kueue is missing"
    stage.admit()
    assert await stage.advance() == [("PATCH", JOB)]
    assert stage.job["spec"]["suspend"] is False
    template = stage.job["spec"]["template"]
    assert template["spec"]["nodeSelector"] == {"pool": "spot"}
    assert template["spec"]["tolerations"] == [{"key": "spot", "operator": "Exists"}]
    assert "executor-placement" in str(template["metadata"]["annotations"])
    assert await stage.advance() == []
    stage.job_status(ready=1, active=1, startTime="2026-03-02T14:00:00Z")
    assert await stage.advance() == [("PATCH", f"{WORKLOAD}/status")]
    assert stage.condition("PodsReady") == ("True", "Started")
    assert await stage.advance() == []


async def test_a_preempted_job_returns_its_quota_only_after_its_executors_and_starts_elsewhere(stage: Stage) -> None:
    await stage.running()
    stage.kueue(("Evicted", True))
    assert await stage.advance() == [("PATCH", JOB)]
    assert stage.job["spec"]["suspend"] is True
    stage.see()
    assert await stage.advance() == [], "both Pods are left"
    del stage.api.objects[paths.pod("search", "job-abcde")]
    assert await stage.advance() == [], "an executor is left, although its driver is gone"
    stage.pod("job-abcde-exec-1", {"kind": "Pod", "name": "job-abcde", "uid": "driver"}, phase="Failed")
    assert await stage.advance() == [("PATCH", f"{WORKLOAD}/status")]
    assert "admission" not in stage.workload["status"]
    assert stage.condition("QuotaReserved") == ("False", "Pending")
    assert stage.condition("Admitted") == ("False", "NoReservation")
    assert stage.condition("Requeued") == ("True", "Preempted")
    assert stage.condition("PodsReady") == ("False", "WaitForStart")
    assert await stage.advance() == []

    elsewhere = {"metadata": {"name": "on-demand"}, "spec": {"nodeLabels": {"pool": "on-demand"}}}
    stage.api.put(paths.resource_flavor("on-demand"), elsewhere)
    assigned = [{"name": name, "flavors": {"cpu": "on-demand"}} for name in ("driver", "executors")]
    stage.kueue(
        ("QuotaReserved", True), ("Admitted", True), ("Evicted", False), admission={"podSetAssignments": assigned}
    )
    assert await stage.advance() == [("PATCH", f"{JOB}/status"), ("PATCH", JOB)], "Kubernetes wants no startTime"
    assert stage.job["spec"]["template"]["spec"]["nodeSelector"] == {"pool": "on-demand"}
    assert stage.job["spec"]["template"]["spec"]["tolerations"] == []


@pytest.mark.parametrize("is_seen", [True, False], ids=["its watch has seen it", "its watch is late"])
async def test_a_job_that_is_ended_while_workloads_are_listed_is_not_suspended(
    is_seen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline of a suspended Job does not count."""
    stage = Stage()
    await stage.running()
    stage.kueue(("Evicted", True))
    listed: Callable[..., Any] = stage.api.list

    async def meanwhile(path: str, **parameters: str) -> Any:
        found = await listed(path, **parameters)
        if path == paths.workloads("search"):
            await stage.api.merge_patch(JOB, end_job_patch("did not start within 600 s"))
            if is_seen:
                stage.see()
        return found

    monkeypatch.setattr(stage.api, "list", meanwhile)
    await stage.advance()
    assert stage.job["spec"]["suspend"] is False
    assert stage.job["spec"]["activeDeadlineSeconds"] == 1


async def test_a_job_that_is_ended_while_it_is_admitted_gets_no_pods() -> None:
    stage = Stage()
    await stage.create()
    await stage.advance()
    stage.admit()
    await stage.api.merge_patch(JOB, end_job_patch("its sidecar was still running", completed=True))
    assert await stage.advance() == [], "the watch is late"
    stage.see()
    assert await stage.advance() == [("PATCH", JOB)]
    assert stage.job["spec"]["parallelism"] == 0


async def test_a_suspended_job_that_is_ended_is_resumed_without_pods_and_returns_its_quota(stage: Stage) -> None:
    await stage.running()
    stage.kueue(("Evicted", True))
    await stage.advance()
    assert stage.job["spec"]["suspend"] is True
    await stage.api.merge_patch(JOB, end_job_patch("did not start within 600 s"))
    stage.see()
    assert await stage.advance() == [("PATCH", JOB)]
    assert (stage.job["spec"]["suspend"], stage.job["spec"]["parallelism"]) == (False, 0)
    assert await stage.advance() == [], "Kubernetes ends it"
    failed = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "",
              "lastTransitionTime": "2026-03-02T14:10:00Z"}  # fmt: skip
    stage.job_status(failed=1, conditions=[failed])
    assert await stage.advance() == [], "its Pods are left"
    for name in ("job-abcde", "job-abcde-exec-1"):
        del stage.api.objects[paths.pod("search", name)]
    assert await stage.advance() == [("PATCH", f"{WORKLOAD}/status")]
    assert stage.condition("Finished")[0] == "True"


async def test_an_ended_job_returns_its_quota_permanently(stage: Stage) -> None:
    await stage.running()
    complete = {"type": "Complete", "status": "True", "message": "", "lastTransitionTime": "2026-03-02T14:10:00Z"}
    stage.job_status(startTime="2026-03-02T14:00:00Z", succeeded=1, conditions=[complete])
    stage.pod("job-abcde", {"kind": "Job", "name": "job", "uid": stage.job["metadata"]["uid"]}, phase="Succeeded")
    assert await stage.advance() == [], "an executor is left"
    del stage.api.objects[paths.pod("search", "job-abcde-exec-1")]
    assert await stage.advance() == [("PATCH", f"{WORKLOAD}/status")]
    assert stage.condition("Finished") == ("True", "Succeeded")
    assert await stage.advance() == []


async def test_a_job_without_its_workload_stops_and_queues_again(stage: Stage) -> None:
    await stage.running()
    del stage.api.objects[WORKLOAD]
    assert await stage.advance() == [("PATCH", JOB)]
    assert stage.job["spec"]["suspend"] is True
    assert await stage.advance() == []
    for name in ("job-abcde", "job-abcde-exec-1"):
        del stage.api.objects[paths.pod("search", name)]
    assert await stage.advance() == [("POST", paths.workloads("search"))]


@pytest.mark.parametrize(
    ("run", "path", "value", "expected"),
    [
        ({}, "", 0, {"priority": 0}),
        ({"priority_class": "urgent"}, paths.workload_priority_class("urgent"), 1000,
         {"priority": 1000, "priorityClassRef":
          {"group": "kueue.x-k8s.io", "kind": "WorkloadPriorityClass", "name": "urgent"}}),
        ({"priority_class_name": "batch"}, paths.priority_class("batch"), -5,
         {"priority": -5, "priorityClassRef":
          {"group": "scheduling.k8s.io", "kind": "PriorityClass", "name": "batch"}}),
        ({}, paths.priority_class("default"), 7,
         {"priority": 7, "priorityClassRef":
          {"group": "scheduling.k8s.io", "kind": "PriorityClass", "name": "default"}}),
        ({"priority_class": "urgent"}, paths.workload_priority_class("urgent"), 0,
         {"priority": 0, "priorityClassRef":
          {"group": "kueue.x-k8s.io", "kind": "WorkloadPriorityClass", "name": "urgent"}}),
    ],
)  # fmt: skip
async def test_priorities(run: Object, path: str, value: int, expected: Object) -> None:
    stage = Stage(**run)
    if path:
        name = path.rpartition("/")[2]
        stage.api.put(path, {"metadata": {"name": name}, "value": value, "globalDefault": name == "default"})
    await stage.create()
    await stage.advance()
    spec = stage.workload["spec"]
    assert {field: spec[field] for field in spec if field.startswith("priority")} == expected


def obstacle(stage: Stage) -> str:
    (job,) = stage.runs.jobs.with_own_workload()
    return stage.runs.of(job.owner)["job"].queue_obstacle


async def test_an_unreadable_workload_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    await stage.create()
    await stage.advance()
    stage.admit()
    stage.workload["spec"]["podSets"] = []
    other = json.loads(json.dumps(stage.manifest))
    other["metadata"]["name"] = "other"
    raw = await stage.api.create(paths.jobs("search"), other)
    found = read_job(raw)
    assert found is not None
    stage.runs.jobs.put(found)
    for _ in range(2):
        await stage.advance()
    assert paths.workload("search", "other") in stage.api.objects
    assert stage.job["spec"]["suspend"] is True
    assert [line.message for line in caplog.records].count("Internal error with the Workload of Job job") == 1


async def test_what_is_missing_is_said_and_the_run_continues_when_it_is_there() -> None:
    stage = Stage(priority_class="urgent")
    await stage.create()
    await stage.advance()
    path = paths.workload_priority_class("urgent")
    assert obstacle(stage) == "WorkloadPriorityClass urgent does not exist: create it"
    assert stage.changed, "the condition is written again"
    stage.api.put(path, {"metadata": {"name": "urgent"}, "value": 1})
    await stage.advance()
    assert WORKLOAD in stage.api.objects
    assert obstacle(stage) == ""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ApiError(404, "NotFound", "the server could not find the requested resource"),
         "the cluster serves no Workloads of kueue.x-k8s.io/v1beta2: install a release of Kueue that does"),
        (ApiError(403, "Forbidden", "it is forbidden"), "Kueue's Workloads cannot be listed: it is forbidden"),
    ],
)  # fmt: skip
async def test_without_kueue_the_run_says_so_and_waits(
    error: ApiError, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage()
    await stage.create()
    listed: Callable[..., Any] = stage.api.list

    async def refuse(path: str, **parameters: str) -> Any:
        if path == paths.workloads("search"):
            raise error
        return await listed(path, **parameters)

    monkeypatch.setattr(stage.api, "list", refuse)
    assert await stage.advance() == []
    assert obstacle(stage) == expected


@pytest.mark.parametrize("listing", [True, False], ids=["list", "create"])
@pytest.mark.parametrize(
    ("error", "passes", "expected"),
    [
        (no_answer(TimeoutError("timed out")), 4, ""),
        (no_answer(TimeoutError("timed out")), 5, "no answer from the API server: "),
        (ApiError(503, "ServiceUnavailable", "it starts"), 4, ""),
        (ApiError(500, "InternalError", "the webhook failed"), 5, "the webhook failed"),
        (ApiError(429, "TooManyRequests", "later"), 1, ""),
        (ApiError(403, "Forbidden", "it is forbidden"), 1, "it is forbidden"),
    ],
    ids=str,
)
async def test_a_request_that_fails_for_a_short_time_is_not_shown(
    error: ApiError, passes: int, expected: str, listing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage()
    await stage.create()
    with monkeypatch.context() as failing:

        async def fail(path: str, *_: object, **__: object) -> Any:
            if path == paths.workloads("search"):
                raise error
            return [], ""

        failing.setattr(stage.api, "list" if listing else "create", fail)
        for _ in range(passes):
            await stage.advance()
    assert (expected in obstacle(stage)) if expected else obstacle(stage) == ""
    assert "refused" not in obstacle(stage) or error.status == 403
    await stage.advance()
    assert obstacle(stage) == ""


async def test_a_short_failure_keeps_what_is_shown() -> None:
    stage = Stage(priority_class="urgent")
    await stage.create()
    await stage.advance()
    said = obstacle(stage)
    stage.api.put(paths.workload_priority_class("urgent"), {"metadata": {"name": "urgent"}, "value": 1})
    stage.api.refused = [ApiError(503, "ServiceUnavailable", "it starts")]
    await stage.admissions.advance()
    assert obstacle(stage) == said
    await stage.advance()
    assert obstacle(stage) == ""


@pytest.mark.parametrize("uid", [None, "another"])
async def test_a_job_that_was_deleted_before_its_workload_is_created(
    uid: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The watch is late. The Job of that name can be another one already."""
    caplog.set_level(logging.INFO)
    stage = Stage()
    await stage.create()
    raw = stage.api.objects.pop(JOB)
    if uid is not None:
        stage.api.put(JOB, {**raw, "metadata": {**raw["metadata"], "uid": uid}})
    for _ in range(2):
        assert await stage.advance() == []
        assert obstacle(stage) == ""
    assert "Created the Workload" not in caplog.text


async def test_a_workload_that_was_deleted_after_its_list_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    await stage.running()
    stage.pod("job-abcde", {"kind": "Job", "name": "job", "uid": stage.job["metadata"]["uid"]}, phase="Succeeded")
    del stage.api.objects[paths.pod("search", "job-abcde-exec-1")]
    complete = {"type": "Complete", "status": "True", "message": "", "lastTransitionTime": "2026-03-02T14:10:00Z"}
    stage.job_status(conditions=[complete])
    listed: Callable[..., Any] = stage.api.list

    async def meanwhile(path: str, **parameters: str) -> Any:
        found = await listed(path, **parameters)
        if path == paths.workloads("search"):
            stage.api.objects.pop(WORKLOAD, None)
        return found

    monkeypatch.setattr(stage.api, "list", meanwhile)
    await stage.advance()
    assert obstacle(stage) == ""


async def test_a_workload_of_another_job_is_not_taken() -> None:
    stage = Stage()
    await stage.create()
    stage.api.put(WORKLOAD, {"metadata": {"name": "job", "namespace": "search", "ownerReferences": [{"uid": "other"}]}})
    await stage.advance()
    assert obstacle(stage) == "Workload job exists and is not this run's: delete it"
    assert stage.job["spec"]["suspend"] is True


async def test_a_job_that_kueue_has_put_into_its_default_queue_is_left_to_it() -> None:
    stage = Stage()
    stage.manifest["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] = "default"
    await stage.create()
    assert await stage.advance() == []
    assert "give the LocalQueue named default another name" in obstacle(stage)


async def test_a_started_job_that_is_in_another_queue_says_so() -> None:
    """Kueue has admitted it for its own Pod alone."""
    stage = Stage()
    stage.manifest["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] = "default"
    await stage.create()
    stage.api.put(JOB, {**stage.job, "spec": {**stage.job["spec"], "suspend": False}})
    stage.see()
    stage.changed.clear()
    assert await stage.advance() == []
    assert "counts only its own Pod" in obstacle(stage)
    assert stage.changed, "the condition is written again"


async def test_a_workload_that_kueue_has_rewritten_is_left_to_it() -> None:
    """With manageJobsWithoutQueueName, Kueue replaces the sets of Pods by the Job's own Pod, and the queue by none."""
    stage = Stage()
    await stage.create()
    await stage.advance()
    (driver, _) = stage.workload["spec"]["podSets"]
    stage.workload["spec"] |= {"queueName": "", "podSets": [{**driver, "name": "main"}]}
    assert await stage.advance() == []
    assert obstacle(stage) == (
        "Kueue manages the Job itself, and counts only its own Pod, not its executors: disable "
        "manageJobsWithoutQueueName for this namespace, and delete Workload job"
    )
    del stage.api.objects[WORKLOAD]
    assert await stage.advance() == [("POST", paths.workloads("search"))]
    await stage.advance()
    assert obstacle(stage) == ""


async def test_a_workload_that_is_deleted_again_and_again_is_reported() -> None:
    """Kueue deletes it if it has quota already."""
    stage = Stage()
    await stage.create()
    await stage.advance()
    assert obstacle(stage) == ""
    for _ in range(2):
        del stage.api.objects[WORKLOAD]
        assert await stage.advance() == [("POST", paths.workloads("search"))]
        assert obstacle(stage).startswith("its Workload was deleted")
    await stage.advance()
    assert obstacle(stage) == ""


async def test_no_request_without_such_a_job() -> None:
    stage = Stage(queue_name="")
    await stage.create()
    stage.api.refused = [AssertionError("no request is expected")]
    assert await stage.advance() == []


async def test_the_job_owns_its_workload_and_a_label_names_the_trigger() -> None:
    stage = Stage()
    await stage.create()
    await stage.advance()
    (owner,) = stage.workload["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Job", stage.job["metadata"]["uid"])
    assert stage.workload["metadata"]["labels"]["clustertrigger.dev/trigger-uid"] == trigger(HOURLY).uid


async def create_in(stage: Stage, namespace: str) -> None:
    """Creates a Job in another namespace, whose requests for Workloads get no response."""
    other = job_of({"engine": SPARK, "queue_name": "team"})
    other["metadata"]["namespace"] = namespace
    job = read_job(await stage.api.create(paths.jobs(namespace), other))
    assert job is not None
    stage.runs.jobs.put(job)
    stage.api.unanswered.add(paths.workloads(namespace))


async def test_a_namespace_whose_requests_get_no_response_delays_no_other_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clustertrigger.shell.reconciling.admissions._SLOW", 0.1)
    stage = Stage()
    await create_in(stage, "hangs")
    await stage.create()
    assert ("POST", paths.workloads("search")) in await stage.advance()
    stage.admit()
    monkeypatch.setattr("clustertrigger.shell.reconciling.admissions._SLOW", 60)
    async with asyncio.timeout(30):
        assert await stage.advance() == [("PATCH", JOB)]
    stage.api.unanswered = set()
    await until_created(stage, "hangs")


async def until_created(stage: Stage, *namespaces: str) -> None:
    async with asyncio.timeout(30):
        while any(paths.workload(each, "job") not in stage.api.objects for each in namespaces):
            await stage.advance()
            await asyncio.sleep(0.01)


async def test_only_some_namespaces_make_requests_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Lease must not wait for a connection."""
    monkeypatch.setattr("clustertrigger.shell.reconciling.admissions._SLOW", 0.1)
    stage = Stage()
    namespaces = [f"hangs-{number}" for number in range(40)]
    for namespace in namespaces:
        await create_in(stage, namespace)
    stage.api.written.clear()
    await stage.admissions.advance()
    assert len(stage.api.written) == 32
    stage.api.unanswered = set()
    await until_created(stage, *namespaces)
