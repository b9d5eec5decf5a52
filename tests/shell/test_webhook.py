"""The admission webhook, called by a real API server with the chart's own configuration."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from e2e.cluster.debian.certificates import Authority
from e2e.cluster.debian.ports import free_ports
from e2e.cluster.kind_control_plane import KindControlPlane
from e2e.helm import find_helm
from tests.conftest import StartOperator
from tests.control_plane.cluster import RELEASE, SYSTEM, Cluster
from tests.control_plane.kube import eventually
from tests.control_plane.manifests import collection, cron, rarely, trigger
from tests.control_plane.sandbox import Sandbox

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


def test_what_no_schema_refuses_is_refused_at_apply(
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
    assert "Warning: spec.schedule_config.cron_expression: '0 9 1-7 * 1': either of day of month" in warned.stderr
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
