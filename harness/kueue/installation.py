"""Installs Kueue on a cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.cluster.debian import go_modules
from harness.cluster.errors import ClusterError
from harness.cluster.progress import stage
from harness.cluster.versions import Version
from harness.helm import find_helm
from harness.installation import LocalCluster
from harness.kubectl import Kubectl
from harness.kueue.build import Kueue, kueue

NAMESPACE = "kueue-system"
OLDEST_KUBERNETES = Version(1, 30, 0)
_RELEASE = "kueue"
_SECONDS = 400
_CONFIGURATION = """\
apiVersion: config.kueue.x-k8s.io/v1beta2
kind: Configuration
health: {healthProbeBindAddress: ":8081"}
metrics: {bindAddress: ":8443"}
webhook: {port: 9443}
leaderElection: {leaderElect: false}
integrations: {frameworks: ["batch/job"]}
"""
_FLAVOR = """\
apiVersion: kueue.x-k8s.io/v1beta2
kind: ResourceFlavor
metadata: {name: probe}
"""


def why_not(kubernetes: Version) -> str | None:
    """Returns why Kueue is not available; None if it is."""
    if kubernetes < OLDEST_KUBERNETES:
        return f"Kueue runs on Kubernetes {OLDEST_KUBERNETES} and later, and this is {kubernetes}"
    return go_modules.refusal()


def values(built: Kueue) -> dict[str, Any]:
    """Returns the values of Kueue's chart: this project's image, and minimal resources."""
    repository, _, tag = built.image.rpartition(":")
    manager = {
        "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
    }
    return {
        "controllerManager": {"manager": manager, "readinessProbe": {"initialDelaySeconds": 1}},
        "managerConfig": {"controllerManagerConfigYaml": _CONFIGURATION},
    }


@contextmanager
def install(cluster: LocalCluster) -> Iterator[None]:
    """Installs Kueue while the context lasts."""
    built = kueue()
    cluster.load_archive(built.image, built.archive)
    helm = find_helm(cluster.kubeconfig, NAMESPACE)
    with stage(f"installing Kueue {built.version} by its chart"):
        helm.install(_RELEASE, values(built), chart=built.chart, timeout=_SECONDS)
    try:
        with stage("waiting until Kueue answers"):
            _wait_until_it_answers(Kubectl(cluster.kubeconfig))
        yield
    finally:
        with stage("removing Kueue"):
            helm.uninstall(_RELEASE, timeout=_SECONDS)
            Kubectl(cluster.kubeconfig)("delete", "namespace", NAMESPACE, "--ignore-not-found", timeout=_SECONDS)


def _wait_until_it_answers(kubectl: Kubectl) -> None:
    """Waits until its webhook works.

    On a busy machine, its Pod can become unready again, and all of its objects are then refused.
    """
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            kubectl("apply", "--dry-run=server", "--filename=-", stdin=_FLAVOR)
            return
        except ClusterError:
            if time.monotonic() > deadline:
                raise
        time.sleep(1)
