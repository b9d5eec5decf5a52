"""Tests of SIGKILL, lost answers and failed writes: no run is lost, and no slot runs twice."""

from __future__ import annotations

import random
import time

from clustercontract.brief import EnrichmentBrief
from clustercontract.run import RunResult
from harness.control_plane.consistency import assert_consistent, pause_and_settle
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import (
    enrichment,
    events,
    interval,
    pod_template,
    processing,
    rarely,
    rerun,
    taxonomy,
)
from harness.control_plane.proxy import Answer, Fault, Proxy, Request, failing
from harness.control_plane.sandbox import Sandbox

ENRICHED = RunResult(
    status="completed",
    num_documents=100,
    results_uri="/results/test",
    enrichment=EnrichmentBrief(taxonomy_id="tax_topics", results_uri="/results/test", num_nodes=7, num_assigned=95),
)


def test_killed_between_the_job_and_the_status(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    first = operator(through=proxy)
    # After a Job is created, no write of a status succeeds.
    proxy.rule = lambda request: "drop" if request.matches("PATCH", "/status") and proxy.writes("/jobs") else None
    sandbox.trigger("nightly", interval(3600, start_immediately=True))
    sandbox.trigger("by-hand", rarely(), annotations={"clustertrigger.dev/run-requested": "token"})
    eventually(sandbox.jobs, until=lambda jobs: len(jobs) == 2)
    first.kill()
    before = {job["metadata"]["name"]: job["metadata"]["uid"] for job in sandbox.jobs()}
    assert sandbox.history("nightly") == sandbox.history("by-hand") == []

    operator()
    for name in ("nightly", "by-hand"):
        (entry,) = eventually(lambda: sandbox.history(name))
        kubelet.complete(entry["job_id"])
        eventually(lambda: sandbox.status(name), until=lambda status: status["execution_count"] == 1)
        assert len(sandbox.history(name)) == 1
    assert {job["metadata"]["name"]: job["metadata"]["uid"] for job in sandbox.jobs()} == before


def test_a_rerun_killed_between_the_job_and_the_status(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    first = operator(through=proxy)
    sandbox.trigger("nightly", interval(3600, start_immediately=True))
    (batch,) = eventually(lambda: sandbox.history("nightly"))
    kubelet.complete(batch["job_id"])
    eventually(lambda: sandbox.status("nightly"), until=lambda status: status["execution_count"] == 1)

    proxy.rule = lambda request: "drop" if request.matches("PATCH", "/clustertriggers/again/status") else None
    sandbox.trigger("again", rerun(batch["job_id"], interval(3600, start_immediately=True)))
    (job,) = eventually(lambda: sandbox.jobs("again"))
    first.kill()
    assert sandbox.history("again") == []

    operator()
    (entry,) = eventually(lambda: sandbox.history("again"))
    assert (entry["job_id"], entry["reruns"]) == (job["metadata"]["name"], batch["job_id"])
    kubelet.complete(entry["job_id"])
    status = eventually(lambda: sandbox.status("again"), until=lambda status: status["execution_count"] == 1)
    assert status["history"][0]["num_clusters"] == 5
    assert [found["metadata"]["uid"] for found in sandbox.jobs("again")] == [job["metadata"]["uid"]]


def test_an_enrichment_killed_between_the_job_and_the_status(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    first = operator(through=proxy)
    sandbox.create("taxonomies", taxonomy())
    proxy.rule = lambda request: "drop" if request.matches("PATCH", "/status") and proxy.writes("/jobs") else None
    sandbox.trigger("labels", enrichment(interval(3600, start_immediately=True)))
    (job,) = eventually(lambda: sandbox.jobs("labels"))
    first.kill()
    assert sandbox.history("labels") == []

    operator()
    (entry,) = eventually(lambda: sandbox.history("labels"))
    assert entry["job_id"] == job["metadata"]["name"]
    kubelet.complete(entry["job_id"], ENRICHED)
    status = eventually(lambda: sandbox.status("labels"), until=lambda status: status["execution_count"] == 1)
    assert status["last_result"]["enrichment"]["num_assigned"] == 95
    assert [found["metadata"]["uid"] for found in sandbox.jobs("labels")] == [job["metadata"]["uid"]]


def test_processing_killed_between_the_job_and_the_status_and_after_its_events(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    first = operator(through=proxy)
    sandbox.processed_by(pod_template("embed"))
    sandbox.trigger("follow", events(1000))
    proxy.rule = lambda request: "drop" if request.matches("PATCH", "/clustertriggers/embed/status") else None
    sandbox.trigger("embed", processing(interval(3600, start_immediately=True)))
    (job,) = eventually(lambda: sandbox.jobs("embed"))
    first.kill()
    assert sandbox.history("embed") == []

    # The documents count before the status says that the run has ended, and the operator is killed in between.
    proxy.rule = None
    second = operator(through=proxy)
    (entry,) = eventually(lambda: sandbox.history("embed"))
    assert entry["job_id"] == job["metadata"]["name"]
    proxy.rule = lambda request: "drop" if request.matches("PATCH", "/clustertriggers/embed/status") else None
    kubelet.leave(entry["job_id"], '{"documents_added": 7}')
    eventually(lambda: sandbox.status("follow").get("event_counter") == 7)
    second.kill()
    assert sandbox.status("embed").get("execution_count", 0) == 0

    operator()
    eventually(lambda: sandbox.status("embed").get("execution_count") == 1)
    assert sandbox.history("embed")[0]["documents_added"] == 7
    assert sandbox.status("follow")["event_counter"] == 7
    assert [found["metadata"]["uid"] for found in sandbox.jobs("embed")] == [job["metadata"]["uid"]]


def test_killed_between_the_end_of_a_run_and_the_status(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet
) -> None:
    first = operator()
    sandbox.trigger("nightly", interval(3600, start_immediately=True))
    (entry,) = eventually(lambda: sandbox.history("nightly"))
    first.kill()
    kubelet.complete(entry["job_id"])
    eventually(lambda: sandbox.job(entry["job_id"])["status"].get("succeeded"))
    operator()
    status = eventually(lambda: sandbox.status("nightly"), until=lambda status: status["execution_count"] == 1)
    assert status["history"][0]["num_clusters"] == 5
    assert len(sandbox.jobs("nightly")) == 1


def test_answers_that_get_lost_count_nothing_twice(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    """The write is done, but its answer is lost: for the Job's creation, its record, and the run's end."""
    operator(through=proxy)
    sandbox.trigger("lost", rarely())
    eventually(lambda: sandbox.status("lost"))

    proxy.rule = failing(2, lambda request: "lose" if request.writes and "/events" not in request.path else None)
    sandbox.request_run("lost", "one")
    (entry,) = eventually(lambda: sandbox.history("lost"))
    proxy.rule = failing(1, lambda request: "lose" if request.matches("PATCH", "/status") else None)
    kubelet.complete(entry["job_id"])
    eventually(lambda: sandbox.status("lost"), until=lambda status: status["execution_count"])
    # What follows is decided after the lost answers have been dealt with.
    sandbox.request_run("lost", "two")
    eventually(lambda: sandbox.history("lost"), until=lambda history: len(history) == 2)
    assert sandbox.status("lost")["execution_count"] == 1
    assert len(sandbox.jobs("lost")) == 2


def test_writes_that_fail_at_random_lose_and_double_nothing(
    operator: StartOperator, sandbox: Sandbox, proxy: Proxy, busy_kubelet: None
) -> None:
    chance = random.Random(20261121)
    faults: list[Fault] = [Answer(409, "Conflict"), Answer(429, retry_after=1), Answer(500), "drop", "lose"]

    def half_of_the_writes(request: Request) -> Fault | None:
        concerned = request.writes and "/events" not in request.path
        return chance.choice(faults) if concerned and chance.random() < 0.5 else None

    operator(through=proxy)
    proxy.rule = half_of_the_writes
    names = [f"busy-{n}" for n in range(6)]
    for name in names:
        sandbox.trigger(name, interval(2, concurrency_policy="Allow", history_limit=100))
    time.sleep(8)
    proxy.rule = None
    for name in names:
        pause_and_settle(sandbox, name)
        assert_consistent(sandbox, name)


def test_killed_again_and_again(operator: StartOperator, sandbox: Sandbox, busy_kubelet: None) -> None:
    """Whenever the operator is killed, each slot has one Job, or was due while the operator was down."""
    chance = random.Random(20261121)
    names = [f"busy-{n}" for n in range(5)]
    for name in names:
        sandbox.trigger(name, interval(1, concurrency_policy="Allow", history_limit=100))
    for _ in range(3):
        process = operator()
        time.sleep(1 + chance.random())
        process.kill()
    operator()
    for name in names:
        pause_and_settle(sandbox, name)
        assert_consistent(sandbox, name, some_missed=True)
