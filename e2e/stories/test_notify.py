"""Story of notifications: a receiver that is temporarily down gets one signed event for every run.

The chart must allow the receiver.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.stories.conftest import VALUES, Stage
from e2e.stories.scene import Object, Scene
from e2e.stories.triggers import by_interval
from harness.cluster.debian.certificates import Authority
from harness.helm import find_helm
from harness.installation import RELEASE, SYSTEM_NAMESPACE, operator_values
from harness.servers.webhooks import Receiver

KEY = b"the-key-of-the-stories-webhook"
DOWN_SECONDS = 15


@pytest.fixture
def receiver(stage_set: Stage, tmp_path: Path) -> Iterator[Receiver]:
    """A receiver on this machine with a certificate of a private authority, to which the operator may connect."""
    scene, host = stage_set.scene, stage_set.cluster.host_address
    authority = Authority(tmp_path / "pki")
    certificate, key = authority.server("receiver", "receiver", [host])
    beside_the_operator: list[Object] = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "webhook-authority"},
            "data": {"ca.crt": authority.certificate.read_text()},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "stories-webhook"},
            "stringData": {"token": "t0ken", "signing-key": f"whsec_{base64.b64encode(KEY).decode()}"},
        },
    ]
    scene.system.apply(*beside_the_operator)
    helm = find_helm(scene.kubectl.kubeconfig, SYSTEM_NAMESPACE)
    credentials = {
        "name": "hooks",
        "secretName": "stories-webhook",
        "namespaces": [scene.kubectl.namespace],
        "hosts": [host],
    }
    notify = {"allowedNetworks": [f"{host}/32"], "credentials": [credentials], "caConfigMap": "webhook-authority"}
    try:
        helm.upgrade(RELEASE, operator_values(stage_set.images, {**VALUES, "notify": notify}))
        with Receiver(address=host, certificate=certificate, key=key) as receiver:
            yield receiver
    finally:
        helm.upgrade(RELEASE, operator_values(stage_set.images, VALUES))


def test_a_receiver_that_was_down_has_every_message_once(scene: Scene, receiver: Receiver) -> None:
    name = "announced"
    inside = {"uri": "https://169.254.169.254/latest"}
    hook = {"uri": f"{receiver.url}/hook", "credentials": "hooks"}
    scene.kubectl.apply(by_interval(name, notify=[hook, inside]))
    scene.eventually(lambda: scene.condition(name, "Ready"), "looked at", name)
    ready = scene.condition(name, "Ready")
    assert ready["status"] == "True"
    assert "Warning: spec.run.notify[1].uri: " in ready["message"]
    assert "link-local" in ready["message"]

    scene.request_run(name, "up")
    jobs = [scene.run_ended(name, slot="manual/up")["job_id"]]
    scene.eventually(lambda: receiver.confirmed, "the first run is notified", name)
    receiver.down()
    went_down = time.monotonic()
    for token in ("down-1", "down-2"):
        scene.request_run(name, token)
        jobs.append(scene.run_ended(name, slot=f"manual/{token}")["job_id"])

    scene.wait_for_event(name, "NotificationDelayed: ", receiver.address)
    assert len(scene.status(name)["notifications"]) == 3, "one for each run: none has reached 169.254.169.254"
    time.sleep(max(0.0, went_down + DOWN_SECONDS - time.monotonic()))
    receiver.up()
    expected = sorted(f"{job}-completed" for job in jobs)
    scene.eventually(lambda: len(receiver.confirmed) == len(expected), "every run is notified", name)
    scene.eventually(
        lambda: all(len(one["to"]) == 1 for one in scene.status(name)["notifications"]), "that is written down", name
    )
    assert sorted(request.event["id"] for request in receiver.confirmed) == expected
    for request in receiver.confirmed:
        signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
        signature = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
        assert request.headers["webhook-signature"] == f"v1,{signature}"
        assert request.headers["authorization"] == "Bearer t0ken"
        assert request.event["data"]["num_clusters"] == 3

    scene.patch(name, {"run": {"notify": [hook]}})
    scene.eventually(lambda: not scene.status(name).get("notifications"), "nothing waits for a removed receiver", name)
    scene.kubectl("delete", "clustertrigger", name)
