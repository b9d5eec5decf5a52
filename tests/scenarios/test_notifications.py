"""Tests of notifications over HTTPS, across failures of receivers and of the operator."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clustercontract.brief import Changes
from clustercontract.run import RunResult
from harness.cluster.debian.certificates import Authority
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, RefusedError, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import rarely
from harness.control_plane.operator_process import OperatorProcess
from harness.control_plane.proxy import Answer, Proxy
from harness.control_plane.sandbox import Sandbox
from harness.servers.webhooks import Receiver

KEY = b"k" * 32
StartTelling = Callable[..., OperatorProcess]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


@pytest.fixture
def receiver(authority: Authority) -> Iterator[Receiver]:
    """A running receiver."""
    certificate, key = authority.server("receiver", "receiver", ["127.0.0.1"])
    with Receiver(certificate=certificate, key=key) as receiver:
        yield receiver


@pytest.fixture
def telling(operator: StartOperator, sandbox: Sandbox, authority: Authority, tmp_path: Path) -> StartTelling:
    """Starts an operator that can reach the receivers, and has credentials for them."""
    folder = tmp_path / "credentials" / "ci"
    folder.mkdir(parents=True)
    (folder / "token").write_text("t0ken")
    (folder / "signing-key").write_text(f"whsec_{base64.b64encode(KEY).decode()}")

    def start(**settings: Any) -> OperatorProcess:
        credentials = f'[{{"name": "ci", "namespaces": ["{sandbox.namespace}"], "hosts": ["127.0.0.1"]}}]'
        return operator(
            notify_allowed_networks="127.0.0.0/8",
            notify_ca_file=authority.certificate,
            notify_credentials=credentials,
            notify_credentials_dir=folder.parent,
            **settings,
        )

    return start


def told(receiver: Receiver, **others: Any) -> Object:
    return {"uri": f"{receiver.url}/hook", **others}


def runs(sandbox: Sandbox, kubelet: Kubelet, name: str, token: str, result: RunResult | None = None) -> str:
    """Completes a manual run; returns its Job."""
    sandbox.request_run(name, token)
    slot = f"manual/{token}"
    (entry,) = eventually(lambda: [one for one in sandbox.history(name) if one["slot"] == slot])
    kubelet.complete(entry["job_id"], **({"result": result} if result else {}))
    eventually(lambda: [one for one in sandbox.history(name) if one["slot"] == slot and one["status"] == "completed"])
    return str(entry["job_id"])


def ids(receiver: Receiver) -> list[str]:
    return sorted(request.event["id"] for request in receiver.confirmed)


def nothing_waits(sandbox: Sandbox, *names: str) -> None:
    for name in names:
        eventually(lambda name=name: not sandbox.status(name).get("notifications"))  # type: ignore[misc]


def test_a_receiver_is_told_about_each_run_signed_and_once(
    telling: StartTelling, sandbox: Sandbox, kubelet: Kubelet, receiver: Receiver
) -> None:
    process = telling()
    events = ["completed", "failed", "changed"]
    sandbox.trigger("nightly", rarely(notify=[told(receiver, credentials="ci", events=events)]))
    first = runs(sandbox, kubelet, "nightly", "first")
    eventually(lambda: ids(receiver) == [f"{first}-completed"])
    (request,) = receiver.requests
    event = request.event
    assert (event["specversion"], event["type"]) == ("1.0", "dev.clustertrigger.run.completed")
    assert event["source"].endswith(f"/namespaces/{sandbox.namespace}/clustertriggers/nightly")
    data = event["data"]
    assert (data["trigger"], data["slot"], data["num_clusters"]) == ("nightly", "manual/first", 5)
    assert not data.keys() & {"volumes", "secrets"}
    assert request.headers["authorization"] == "Bearer t0ken"
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    signature = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    assert request.headers["webhook-signature"] == f"v1,{signature}"
    nothing_waits(sandbox, "nightly")

    changes = Changes(since=first, summary="1 new", kept=5, new=[5])
    second = runs(
        sandbox,
        kubelet,
        "nightly",
        "second",
        RunResult(status="completed", num_clusters=6, num_documents=10, changes=changes),
    )
    sandbox.request_run("nightly", "third")
    (third,) = eventually(lambda: [one for one in sandbox.history("nightly") if one["slot"] == "manual/third"])
    kubelet.fail(third["job_id"], "no such file", exit_code=2)
    expected = sorted([f"{first}-completed", f"{second}-completed", f"{second}-changed", f"{third['job_id']}-failed"])
    eventually(lambda: ids(receiver) == expected)
    (failed,) = [one.event["data"] for one in receiver.requests if one.event["id"].endswith("-failed")]
    assert "no such file" in failed["error"]
    nothing_waits(sandbox, "nightly")
    assert process.metric("clustertrigger_notifications_total", result="delivered") == 4
    assert process.metric("clustertrigger_notifications_total", result="failed") == 0


def test_what_was_not_confirmed_survives_a_restart_and_arrives_once(
    telling: StartTelling, sandbox: Sandbox, kubelet: Kubelet, receiver: Receiver
) -> None:
    process = telling()
    sandbox.trigger("nightly", rarely(notify=[told(receiver)]))
    receiver.down()
    jobs = [runs(sandbox, kubelet, "nightly", f"run-{number}") for number in range(3)]
    (event,) = eventually(lambda: sandbox.events("nightly", "NotificationDelayed"))
    assert event["type"] == "Warning"
    assert "127.0.0.1" in event["message"]
    assert eventually(lambda: process.metric("clustertrigger_notification_receivers_failing") == 1)
    waiting = sandbox.status("nightly")["notifications"]
    assert [one["subject"] for one in waiting] == jobs
    assert "127.0.0.1" not in str(waiting), "the status does not repeat the uri"
    process.kill()
    telling()
    receiver.up()
    expected = sorted(f"{job}-completed" for job in jobs)
    eventually(lambda: ids(receiver) == expected)
    nothing_waits(sandbox, "nightly")
    assert ids(receiver) == expected, "nothing that was written down as confirmed is sent again"


def test_a_receiver_that_hangs_slows_neither_runs_nor_others(
    telling: StartTelling, sandbox: Sandbox, kubelet: Kubelet, receiver: Receiver, authority: Authority
) -> None:
    telling()
    certificate, key = authority.server("receiver", "receiver", ["127.0.0.1"])
    with Receiver(certificate=certificate, key=key) as silent:
        silent.answer = lambda _: 503
        sandbox.trigger("nightly", rarely(notify=[told(silent), told(receiver)]))
        jobs = [runs(sandbox, kubelet, "nightly", f"run-{number}") for number in range(3)]
        eventually(lambda: ids(receiver) == sorted(f"{job}-completed" for job in jobs))
        eventually(lambda: all(len(one["to"]) == 1 for one in sandbox.status("nightly")["notifications"]))
        assert silent.confirmed == []
        silent.answer = lambda _: 200
        eventually(lambda: ids(silent) == sorted(f"{job}-completed" for job in jobs))
        nothing_waits(sandbox, "nightly")
        assert len(receiver.requests) == 3


def test_a_confirmation_that_could_not_be_written_is_repeated_under_the_same_id(
    telling: StartTelling, sandbox: Sandbox, kubelet: Kubelet, receiver: Receiver, proxy: Proxy
) -> None:
    process = telling(through=proxy)
    sandbox.trigger("nightly", rarely(notify=[told(receiver)]))
    receiver.answer = lambda _: 503
    job = runs(sandbox, kubelet, "nightly", "first")
    eventually(lambda: receiver.requests)
    proxy.rule = lambda request: Answer(503) if request.matches("PATCH", "/nightly/status") else None
    receiver.answer = lambda _: 200
    eventually(lambda: receiver.confirmed)
    process.kill()
    proxy.rule = None
    telling()
    eventually(lambda: len(receiver.confirmed) == 2)
    assert set(ids(receiver)) == {f"{job}-completed"}
    assert len({request.body for request in receiver.requests}) == 1
    nothing_waits(sandbox, "nightly")


def test_it_is_given_up_and_said(telling: StartTelling, sandbox: Sandbox, kubelet: Kubelet, receiver: Receiver) -> None:
    process = telling()
    receiver.down()
    sandbox.trigger("nightly", rarely(notify=[told(receiver, retry_seconds=2)]))
    job = runs(sandbox, kubelet, "nightly", "first")
    (event,) = eventually(lambda: sandbox.events("nightly", "NotificationFailed"))
    assert event["message"] == (
        f"Gave up notifying 127.0.0.1 of {job}-completed: the receiver did not confirm it within 2s (retry_seconds)"
    )
    nothing_waits(sandbox, "nightly")
    eventually(lambda: process.metric("clustertrigger_notifications_total", result="given_up") == 1)


def test_addresses_inside_of_the_cluster_are_not_reached(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, receiver: Receiver
) -> None:
    operator()
    by_name = {"uri": f"https://localhost:{receiver.port}/"}
    sandbox.trigger("nightly", rarely(notify=[told(receiver), by_name]))
    ready = eventually(lambda: sandbox.condition("nightly", "Ready"))
    assert ready["status"] == "True", "what cannot be told keeps nothing from firing"
    assert "Warning: spec.run.notify[0].uri: " in ready["message"]
    assert "which is loopback" in ready["message"]
    runs(sandbox, kubelet, "nightly", "first")
    eventually(lambda: len(sandbox.events("nightly", "NotificationDelayed")) == 2)
    messages = [event["message"] for event in sandbox.events("nightly", "NotificationDelayed")]
    assert all("which is loopback" in message for message in messages), messages
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("receivers", "says"),
    [
        ([{"uri": "ftp://a.example.com/"}], "uri"),
        ([{"uri": "https://user:secret@a.example.com/"}], "uri"),
        ([{"uri": "https://a.example.com/"}, {"uri": "https://a.example.com/"}], "Duplicate value"),
        ([{"uri": "https://a.example.com/", "events": ["done"]}], "Unsupported value"),
        ([{"uri": "https://a.example.com/", "retry_seconds": 604_801}], "retry_seconds"),
    ],
)
def test_what_the_schema_refuses(sandbox: Sandbox, receivers: list[Object], says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        sandbox.trigger("nightly", rarely(notify=receivers))
