"""The admission webhook, called by a real API server with the chart's own configuration."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3
import yaml

from harness.cluster.debian.certificates import Authority
from harness.cluster.debian.ports import free_ports
from harness.cluster.kind_control_plane import KindControlPlane
from harness.control_plane.cluster import RELEASE, SYSTEM, Cluster
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.manifests import collection, cron, rarely, trigger
from harness.control_plane.sandbox import Sandbox
from harness.helm import find_helm

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


@dataclass(frozen=True)
class Webhook:
    """Where the operator is to serve it."""

    port: int
    certificates: Path


@pytest.fixture
def webhook(cluster: Cluster, tmp_path: Path) -> Iterator[Webhook]:
    """The chart's configuration, with an address of this machine in place of the Service, which has no network here."""
    if isinstance(cluster.plane, KindControlPlane):
        pytest.skip("kind's API server cannot call this machine's loopback address; the stories have the webhook there")
    authority = Authority(tmp_path / "pki")
    certificate, key = authority.server("webhook", "webhook", ["127.0.0.1"])
    shutil.copy(certificate, tmp_path / "tls.crt")
    shutil.copy(key, tmp_path / "tls.key")
    (port,) = free_ports(1)
    values = {
        "webhook": {
            "enabled": True,
            "failurePolicy": "Fail",
            "certificate": {"existingSecret": "webhook", "caBundle": authority.certificate.read_text()},
        }
    }
    documents = yaml.safe_load_all(find_helm(namespace=SYSTEM).render(RELEASE, values))
    (configuration,) = [d for d in documents if d and d["kind"] == "ValidatingWebhookConfiguration"]
    for hook in configuration["webhooks"]:
        path = hook["clientConfig"].pop("service")["path"]
        hook["clientConfig"]["url"] = f"https://127.0.0.1:{port}{path}"
        assert base64.b64decode(hook["clientConfig"]["caBundle"]).startswith(b"-----BEGIN CERTIFICATE")
    cluster.kube.create(CONFIGURATIONS, configuration)
    yield Webhook(port, tmp_path)
    cluster.kube.delete(f"{CONFIGURATIONS}/{configuration['metadata']['name']}")


def test_errors_beyond_the_schema_are_rejected_at_apply(
    operator: StartOperator, sandbox: Sandbox, webhook: Webhook
) -> None:
    operator(webhook_port=webhook.port, webhook_cert_dir=webhook.certificates, worker_priority_classes="batch")

    # Kopf serves a moment after the rest is ready.
    eventually(lambda: sandbox.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(trigger("good", rarely()))).stdout)
    refused = sandbox.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(trigger("bad", cron("61 * * * *"))))
    assert refused.returncode != 0
    assert "spec.schedule_config.cron_expression: '61 * * * *':" in refused.stderr
    assert sandbox.kubectl("get", "ctr", "bad").returncode != 0

    urgent = trigger("urgent", rarely(priority_class_name="system-cluster-critical"))
    refused = sandbox.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(urgent))
    assert refused.returncode != 0
    assert "'system-cluster-critical': is not allowed: write one of batch;" in refused.stderr

    warned = sandbox.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(trigger("warned", cron("0 9 1-7 * 1"))))
    assert warned.returncode == 0
    assert "Warning: spec.schedule_config.cron_expression: '0 9 1-7 * 1': cron combines day of month" in warned.stderr
    assert warned.stderr.rstrip().endswith("write 0 9 */31,2-7 * 1")

    done = sandbox.kubectl("patch", "ctr", "good", "--type=merge", "-p", '{"spec": {"run": {"retries": 99}}}')
    assert done.returncode != 0
    assert sandbox.get("good")["spec"]["run"]["retries"] == 0

    with_problem = collection("bad-collection", "col_bad")
    with_problem["spec"]["source"]["uri"] = "ftp://elsewhere/a.parquet"
    done = sandbox.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(with_problem))
    assert done.returncode != 0
    assert "spec.source.uri" in done.stderr

    eventually(lambda: sandbox.status("good").get("created_by"), what="who created it")
    assert sandbox.kubectl("delete", "ctr", "good", "--wait=true").returncode == 0


class Stranger:
    """A client that can connect to the webhook's port, and sends requests like an API server."""

    def __init__(self, webhook: Webhook) -> None:
        self._pool = urllib3.PoolManager(ca_certs=str(webhook.certificates / "pki/ca.crt"))
        self._url = f"https://127.0.0.1:{webhook.port}/validate-clustertrigger"

    def claim(self, namespace: str, name: str, uid: str, padding: int = 0) -> int:
        """Says that `mallory` creates a trigger; returns the status."""
        made = trigger(name, rarely())
        made["metadata"] |= {"namespace": namespace, "uid": uid, "annotations": {"padding": "x" * padding}}
        resource = {"group": "clustertrigger.dev", "version": "v1alpha1"}
        question = {
            "uid": uid,
            "kind": {**resource, "kind": "ClusterTrigger"},
            "resource": {**resource, "resource": "clustertriggers"},
            "name": name,
            "namespace": namespace,
            "operation": "CREATE",
            "userInfo": {"username": "mallory"},
            "object": made,
            "dryRun": False,
        }
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": question}
        return int(self._pool.request("POST", self._url, body=json.dumps(review), timeout=60).status)


def test_forged_reviews_cause_no_delay_and_no_false_creator(
    operator: StartOperator, sandbox: Sandbox, webhook: Webhook
) -> None:
    operator(webhook_port=webhook.port, webhook_cert_dir=webhook.certificates)
    stranger = Stranger(webhook)
    eventually(lambda: answers(lambda: stranger.claim(sandbox.namespace, "first", "uid") == 200))
    for number in range(1_500):
        assert stranger.claim(sandbox.namespace, f"never-{number}", f"uid-{number}") == 200
    made = sandbox.trigger("good", rarely())["metadata"]
    eventually(lambda: sandbox.status("good").get("created_by"), what="who created it, beside 1,500 who did not")
    assert sandbox.status("good")["created_by"] != "mallory"

    # A trigger without created_by, like those from before the webhook was enabled.
    sandbox.kube.patch(
        f"/apis/clustertrigger.dev/v1alpha1/namespaces/{sandbox.namespace}/clustertriggers/good/status",
        {"status": {"created_by": None}},
    )
    assert stranger.claim(sandbox.namespace, "good", made["uid"]) == 200
    time.sleep(2)
    assert sandbox.status("good").get("created_by") is None


def test_idle_connections_are_closed_and_large_objects_are_accepted(
    operator: StartOperator, sandbox: Sandbox, webhook: Webhook
) -> None:
    operator(webhook_port=webhook.port, webhook_cert_dir=webhook.certificates)
    stranger = Stranger(webhook)
    eventually(lambda: answers(lambda: stranger.claim(sandbox.namespace, "x", "1", padding=3 * 2**20) == 200))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", webhook.port))) for _ in range(1_200)]
        half = stack.enter_context(
            context.wrap_socket(stack.enter_context(socket.create_connection(("127.0.0.1", webhook.port))))
        )
        half.sendall(b"POST /validate-clustertrigger HTTP/1.1\r\nHost: x\r\n")
        assert stranger.claim(sandbox.namespace, "x", "2") == 200
        for connection in (silent[0], silent[-1], half):
            connection.settimeout(60)
            with suppress(ConnectionError):
                assert connection.recv(100) == b""


def answers(ask: Callable[[], bool]) -> bool:
    """Whether it does so already: Kopf serves a moment after the rest is ready."""
    try:
        return ask()
    except urllib3.exceptions.HTTPError:
        return False
