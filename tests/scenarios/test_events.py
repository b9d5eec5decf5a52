"""Tests of CloudEvents: the guarantee of a 202, and failures between the sender and the status."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import string
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import urllib3

from harness.control_plane.event_sender import EventSender, event, free_port, service_account
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually, trigger_path
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import events, rarely
from harness.control_plane.operator_process import OperatorProcess
from harness.control_plane.proxy import Answer, Fault, Proxy, Request, failing
from harness.control_plane.sandbox import Sandbox

MANY = 10**6
StartSending = Callable[..., tuple[OperatorProcess, EventSender]]


@pytest.fixture
def sending(operator: StartOperator, sandbox: Sandbox) -> StartSending:
    """Starts an operator that accepts events; returns it and an authorized sender."""
    token = service_account(sandbox, "sender", may_send=True)

    def start(**settings: Any) -> tuple[OperatorProcess, EventSender]:
        port = free_port()
        return operator(events_port=port, **settings), EventSender(port, sandbox.namespace, token)

    return start


def count(sandbox: Sandbox, name: str) -> int:
    found: int = sandbox.status(name).get("event_counter", 0)
    return found


def ready(sandbox: Sandbox, *names: str) -> None:
    for name in names:
        eventually(lambda: sandbox.status(name))


def test_events_are_counted_and_fire(sending: StartSending, sandbox: Sandbox, kubelet: Kubelet) -> None:
    _, sender = sending()
    sandbox.trigger("ingest", events(100, cooldown=3600))
    ready(sandbox, "ingest")
    assert "0/100 documents_added, cooldown 1h" in sandbox.kubectl("get", "clustertriggers").stdout
    answer = sender.send(event("a", count=37))
    assert (answer.status, answer.body) == (202, {"accepted": 1, "duplicates": 0, "unmatched": 0})
    assert count(sandbox, "ingest") == 37, "a 202 means that the count is stored"
    assert " 37/100 documents_added, cooldown 1h " in sandbox.kubectl("get", "clustertriggers").stdout
    batch = [event("a", count=37), event("b", count=70), event("c", type="documents_deleted")]
    assert sender.send(batch).body == {"accepted": 1, "duplicates": 1, "unmatched": 1}
    (entry,) = eventually(lambda: sandbox.history("ingest"))
    assert (entry["slot"], count(sandbox, "ingest")) == ("event/100", 7)
    assert entry["job_id"].endswith("-e100")
    kubelet.complete(entry["job_id"])
    eventually(lambda: sandbox.status("ingest").get("execution_count", 0) == 1)
    sender.send(event("d", count=100))
    (told,) = eventually(lambda: sandbox.events("ingest", "CoolingDown"))
    assert told["message"].startswith("Fires in 1h, at ") or told["message"].startswith("Fires in 59m")
    assert len(sandbox.jobs("ingest")) == 1
    assert sandbox.status("ingest")["next_scheduled_at"]


def test_who_may_not_send_changes_nothing(sending: StartSending, sandbox: Sandbox) -> None:
    _, sender = sending()
    sandbox.trigger("ingest", events(MANY))
    ready(sandbox, "ingest")
    before = sandbox.get("ingest")["metadata"]["resourceVersion"]
    stranger = service_account(sandbox, "stranger", may_send=False)
    body = json.dumps(event("a")).encode()
    kind = "application/cloudevents+json"
    anonymous = EventSender(sender.port, sandbox.namespace, None).post(body, kind)
    assert (anonymous.status, anonymous.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert EventSender(sender.port, sandbox.namespace, "made-up").post(body, kind).status == 401
    assert sender.post(body, kind, Authorization="Basic YTpi").status == 401
    refused = EventSender(sender.port, sandbox.namespace, stranger).post(body, kind)
    assert refused.status == 403
    assert "is not allowed to create clustertriggers/events in the namespace" in refused.error
    elsewhere = EventSender(sender.port, "kube-system", sender.token).post(body, kind)
    assert elsewhere.status == 403
    time.sleep(0.5)
    assert sandbox.get("ingest")["metadata"]["resourceVersion"] == before


def test_made_up_tokens_hold_up_no_run(sending: StartSending, sandbox: Sandbox, proxy: Proxy) -> None:
    _, sender = sending(through=proxy)
    sandbox.trigger("nightly", rarely())
    ready(sandbox, "nightly")
    unanswered = threading.Event()
    proxy.rule = lambda request: unanswered if request.matches("POST", "/tokenreviews") else None
    with ThreadPoolExecutor(150) as pool:
        answers = [pool.submit(replace(sender, token=f"made-up-{n}").send, event("1")) for n in range(150)]
        eventually(lambda: proxy.writes("/tokenreviews"))
        sandbox.request_run("nightly", "now")
        try:
            eventually(lambda: sandbox.history("nightly"), what="a run while nobody answers who the senders are")
        finally:
            proxy.rule = None
            unanswered.set()
        assert {answer.result().status for answer in answers} == {401}


def test_what_cannot_be_read_is_named_and_changes_nothing(sending: StartSending, sandbox: Sandbox) -> None:
    _, sender = sending()
    sandbox.trigger("ingest", events(MANY))
    ready(sandbox, "ingest")
    before = sandbox.get("ingest")["metadata"]["resourceVersion"]
    structured = "application/cloudevents+json"
    assert sender.post(b"x" * (2**20 + 1), structured).status == 413
    assert sender.send([event(str(n)) for n in range(1001)]).status == 413
    assert sender.post(b"{}", "application/json").status == 415
    wrong = sender.send({**event("a"), "data": {"count": 0}})
    assert wrong.status == 400
    assert wrong.error == "data.count: must be a whole number from 1 to 1000000000, not 0"
    one_wrong = sender.send([event("a"), {**event("b"), "id": ""}])
    assert (one_wrong.status, one_wrong.error[:7]) == (400, "[1].id:")
    assert sandbox.get("ingest")["metadata"]["resourceVersion"] == before, "a batch counts as a whole or not at all"


def test_ten_thousand_malformed_bodies(sending: StartSending, sandbox: Sandbox) -> None:
    process, sender = sending()
    sandbox.trigger("ingest", events(MANY))
    ready(sandbox, "ingest")
    before = sandbox.get("ingest")["metadata"]["resourceVersion"]
    statuses = asyncio.run(_send_all(sender, malformed_bodies(10_000)))
    assert set(statuses) <= {400, 415}, statuses
    assert sandbox.get("ingest")["metadata"]["resourceVersion"] == before
    troubled = [line["message"] for line in process.log_lines() if line["level"] not in ("INFO", "DEBUG")]
    assert not troubled


def malformed_bodies(number: int) -> list[tuple[str, bytes]]:
    """Content types and bodies: random bytes, and events with one invalid part."""
    chance = random.Random(20261122)
    kinds = ["application/cloudevents+json", "application/cloudevents-batch+json", "application/cloudevents+xml", ""]
    broken: list[object] = [None, "", [], {}, 0, -1, 1.5, True, "\u0000" * 0, ["x"], {"x": 1}]
    bodies = []
    for _ in range(number):
        kind = chance.choice(kinds)
        match chance.randrange(4):
            case 0:
                body = chance.randbytes(chance.randrange(200))
            case 1:
                body = "".join(chance.choices(string.printable + '{}[]":,é😀', k=chance.randrange(200))).encode()
            case 2:
                body = json.dumps(event("x"))[: chance.randrange(1, 100)].encode()
            case _:
                attribute = chance.choice(["specversion", "id", "source", "type"])
                said = {**event("x"), attribute: chance.choice(broken)}
                body = json.dumps([said] if "batch" in kind else said).encode()
        bodies.append((kind, body))
    # A batch of nothing is well formed.
    return [(kind, body) for kind, body in bodies if body.strip() != b"[]"]


async def _send_all(sender: EventSender, bodies: list[tuple[str, bytes]]) -> Counter[int]:
    """Posts bodies over a few connections; returns the number of answers with each status."""
    statuses: Counter[int] = Counter()
    left = iter(bodies)
    async with aiohttp.ClientSession() as session:

        async def work() -> None:
            for kind, body in left:
                async with session.post(sender.url, data=body, headers=sender.headers(kind)) as answer:
                    statuses[answer.status] += 1

        await asyncio.gather(*(work() for _ in range(8)))
    return statuses


def test_an_event_may_match_several_triggers_and_none_of_another_namespace(
    sending: StartSending, sandbox: Sandbox, cluster: object
) -> None:
    _, sender = sending(watch_namespaces="")
    other = Sandbox(sandbox.kube)
    try:
        for name in ("one", "two"):
            sandbox.trigger(name, events(MANY))
        sandbox.trigger("paused", {**events(MANY), "status": "paused"})
        sandbox.trigger("disabled", {**events(MANY), "status": "disabled"})
        sandbox.trigger("elsewhere", events(MANY, collection_id="col_reviews"))
        other.trigger("one", events(MANY))
        ready(sandbox, "one", "two", "paused", "disabled", "elsewhere")
        ready(other, "one")
        assert sender.send([event("a"), event("b")]).body == {"accepted": 2, "duplicates": 0, "unmatched": 0}
        counted = {name: count(sandbox, name) for name in ("one", "two", "paused", "disabled", "elsewhere")}
        assert counted == {"one": 2, "two": 2, "paused": 2, "disabled": 0, "elsewhere": 0}
        assert count(other, "one") == 0
    finally:
        other.close()


def test_a_trigger_that_was_applied_just_now_counts(sending: StartSending, sandbox: Sandbox) -> None:
    _, sender = sending()
    for number in range(3):
        time.sleep(1.1)  # older than what freshness allows
        sandbox.trigger(f"new-{number}", events(MANY, collection_id=f"col_{number}"))
        assert sender.send(event("a", subject=f"col_{number}")).body["accepted"] == 1
        assert sandbox.get(f"new-{number}")["status"]["event_counter"] == 1


def test_a_repeated_event_counts_once_across_kill_and_restart(sending: StartSending, sandbox: Sandbox) -> None:
    first, sender = sending()
    sandbox.trigger("ingest", events(MANY))
    ready(sandbox, "ingest")
    batch = [event(str(number)) for number in range(500)]
    assert sender.send(batch).body["accepted"] == 500
    first.kill()
    restarted, second = sending_again(sending, sender)
    assert second.send(batch).body == {"accepted": 0, "duplicates": 500, "unmatched": 0}
    assert restarted.metric("clustertrigger_event_commit_size_count") == 0, "what is all known is no write"
    assert second.send([*batch[:10], event("new")]).body == {"accepted": 1, "duplicates": 10, "unmatched": 0}
    assert restarted.metric("clustertrigger_event_commit_size_count") == 1
    assert count(sandbox, "ingest") == 501


def sending_again(sending: StartSending, sender: EventSender) -> tuple[OperatorProcess, EventSender]:
    """Another operator for the same sender."""
    process, other = sending()
    return process, sender.to(other.port)


def test_an_answer_lost_between_write_and_response_counts_once(
    sending: StartSending, sandbox: Sandbox, proxy: Proxy
) -> None:
    _, sender = sending(through=proxy)
    sandbox.trigger("ingest", events(MANY))
    ready(sandbox, "ingest")

    def lose(request: Request) -> Fault | None:
        return "lose" if request.matches("PATCH", "/status") and b"event_counter" in request.body else None

    proxy.rule = failing(2, lose)
    assert sender.send([event("a"), event("b")]).body == {"accepted": 2, "duplicates": 0, "unmatched": 0}
    assert count(sandbox, "ingest") == 2


def test_conflicts_and_refusals_are_tried_again(sending: StartSending, sandbox: Sandbox, proxy: Proxy) -> None:
    _, sender = sending(through=proxy)
    sandbox.trigger("ingest", events(MANY))
    ready(sandbox, "ingest")
    wrong: list[Fault] = [Answer(409, "Conflict"), Answer(500), Answer(429, retry_after=1), "drop"]
    faults = itertools.cycle(wrong)

    def refuse(request: Request) -> Fault | None:
        return next(faults) if request.matches("PATCH", "/status") and b"event_counter" in request.body else None

    proxy.rule = failing(8, refuse)
    assert sender.send([event("a"), event("b")]).body["accepted"] == 2
    assert count(sandbox, "ingest") == 2


def test_while_the_cluster_cannot_be_written_nothing_is_acknowledged(
    sending: StartSending, sandbox: Sandbox, proxy: Proxy
) -> None:
    _, sender = sending(through=proxy)
    sandbox.trigger("ingest", events(MANY))
    ready(sandbox, "ingest")
    assert sender.send(event("first")).status == 202
    proxy.cut()
    away = sender.send(event("a"))
    assert (away.status, away.headers["Retry-After"]) == (503, "1")
    assert "the count was not stored: send the events again" in away.error
    proxy.mend()
    answer = eventually(lambda: sender.send(event("a")), until=lambda answer: answer.status == 202)
    assert answer.body["accepted"] + answer.body["duplicates"] == 1
    assert count(sandbox, "ingest") == 2


def test_a_full_backlog_turns_senders_away(sending: StartSending, sandbox: Sandbox, proxy: Proxy) -> None:
    process, sender = sending(through=proxy)
    sandbox.trigger("ingest", events(MANY))
    ready(sandbox, "ingest")
    written = threading.Event()
    proxy.rule = lambda request: written if request.matches("PATCH", "/status") else None
    batches = [[event(f"{batch}-{number}") for number in range(1000)] for batch in range(51)]
    with ThreadPoolExecutor(51) as senders:
        sent = [senders.submit(sender.send, batch) for batch in batches]
        turned_away = eventually(lambda: [a.result() for a in sent if a.done()])
        written.set()
        statuses = Counter(answer.result().status for answer in sent)
    assert [(a.status, a.headers["Retry-After"]) for a in turned_away] == [(429, "1")]
    assert "50000 events are waiting to be stored: send again" in turned_away[0].error
    assert statuses == {202: 50, 429: 1}
    assert count(sandbox, "ingest") == 50_000
    assert process.metric("clustertrigger_cloudevents_total", result="accepted") == 50_000


def test_over_tls(sending: StartSending, sandbox: Sandbox, tmp_path: Path) -> None:
    key, certificate = tmp_path / "tls.key", tmp_path / "tls.crt"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run(
        [*words, "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    _, sender = sending(events_cert_dir=tmp_path)
    sandbox.trigger("ingest", events(MANY))
    ready(sandbox, "ingest")
    with urllib3.PoolManager(ca_certs=str(certificate)) as pool:
        answer = pool.request(
            "POST",
            sender.url.replace("http://127.0.0.1", "https://localhost"),
            body=json.dumps(event("a")).encode(),
            headers=sender.headers("application/cloudevents+json"),
        )
    assert (answer.status, count(sandbox, "ingest")) == (202, 1)


def test_many_senders_to_two_replicas_cost_few_writes_and_are_counted_exactly(
    sending: StartSending, sandbox: Sandbox
) -> None:
    first, one = sending(leader_election=True)
    second, two = sending_again(lambda: sending(leader_election=True, identity="two"), one)
    sandbox.trigger("ingest", events(MANY))
    ready(sandbox, "ingest")
    started = time.monotonic()
    ids = [f"event-{number}" for number in range(600)]

    def send(place: int) -> Object:
        sender = (one, two)[place % 2]
        return sender.send(event(ids[place % len(ids)])).body

    with ThreadPoolExecutor(40) as senders:
        answers = list(senders.map(send, range(len(ids) + 60)))  # every tenth twice, to the same replica or the other
    elapsed = time.monotonic() - started
    assert sum(answer["accepted"] for answer in answers) == 600
    assert sum(answer["duplicates"] for answer in answers) == 60
    assert count(sandbox, "ingest") == 600
    writes = sum(replica.metric("clustertrigger_event_commit_size_count") for replica in (first, second))
    assert writes <= 5 * elapsed + 1, "at most 5 writes a second, by all replicas together"


def test_what_was_accepted_is_stored_when_the_operator_ends(sending: StartSending, sandbox: Sandbox) -> None:
    process, sender = sending()
    sandbox.trigger("ingest", events(MANY))
    ready(sandbox, "ingest")
    accepted = 0

    def send(number: int) -> int:
        try:
            return 1 if sender.send(event(f"e{number}")).status == 202 else 0
        except Exception:
            return 0

    with ThreadPoolExecutor(20) as senders:
        sent = [senders.submit(send, number) for number in range(400)]
        time.sleep(0.7)
        assert process.terminate() == 0
        accepted = sum(answer.result() for answer in sent)
    assert 0 < accepted < 400
    assert count(sandbox, "ingest") >= accepted


def test_nothing_is_lost_or_doubled_when_the_operator_is_killed_under_load(
    sending: StartSending, sandbox: Sandbox
) -> None:
    """Senders repeat a tenth of the events, and those without an acknowledgement; the operator gets SIGKILL."""
    sandbox.trigger("ingest", events(100, concurrency_policy="Allow"))
    process, sender = sending(leader_election=True, lease_duration_seconds=3, lease_renew_seconds=2,
                              lease_retry_seconds=1)  # fmt: skip
    ready(sandbox, "ingest")
    current = [sender]
    ids = [f"event-{number}" for number in range(1000)]

    def send(event_id: str) -> int:
        for _ in range(200):
            try:
                if current[0].send(event(event_id)).status == 202:
                    return 1
            except Exception:
                time.sleep(0.1)
        return 0

    with ThreadPoolExecutor(50) as senders:
        sent = [senders.submit(send, event_id) for event_id in [*ids, *ids[::10]]]
        time.sleep(1.0)
        process.kill()
        _, current[0] = sending_again(
            lambda: sending(leader_election=True, identity="two", lease_duration_seconds=3, lease_renew_seconds=2,
                            lease_retry_seconds=1), sender)  # fmt: skip
        assert all(answer.result() for answer in sent)
    eventually(lambda: len(sandbox.jobs("ingest")) == 10)
    eventually(lambda: count(sandbox, "ingest") == 0)
    slots = {job["metadata"]["annotations"]["clustertrigger.dev/slot"] for job in sandbox.jobs("ingest")}
    assert slots == {f"event/{number}" for number in range(100, 1001, 100)}


def test_a_count_that_is_dated_in_the_future_holds_nothing_up(sending: StartSending, sandbox: Sandbox) -> None:
    """The count was written by a replica whose clock was ahead."""
    _, sender = sending()
    sandbox.trigger("ingest", events(MANY))
    ready(sandbox, "ingest")
    assert sender.send(event("a")).status == 202
    state = sandbox.status("ingest")["event_state"]
    ahead = {"counted_at": "2099-01-01T00:00:00Z", "seen": [{**state["seen"][0], "until": "2099-01-01T00:10:00Z"}]}
    sandbox.kube.patch(trigger_path(sandbox.namespace, "ingest") + "/status", {"status": {"event_state": ahead}})
    began = time.monotonic()
    assert sender.send([event("a"), event("b")]).body == {"accepted": 1, "duplicates": 1, "unmatched": 0}
    assert time.monotonic() - began < 5
    assert count(sandbox, "ingest") == 2
    until = {group["until"] for group in sandbox.status("ingest")["event_state"]["seen"]}
    assert max(until) < "2099", "what was dated in the future is forgotten in time"
