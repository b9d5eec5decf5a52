"""Tests of Pods of runs in a namespace that enforces the Pod Security Standard restricted."""

from __future__ import annotations

import pytest

from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import interval
from harness.control_plane.sandbox import Sandbox

SINCE = (1, 25)


def test_a_run_is_admitted(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    version = sandbox.kube.get("/version")
    if (int(version["major"]), int(version["minor"].rstrip("+"))) < SINCE:
        pytest.skip("this API server knows no Pod Security admission; tests/core/jobs/test_pods.py has the rules")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    sandbox.kube.patch(f"/api/v1/namespaces/{sandbox.namespace}", {"metadata": {"labels": labels}})
    operator()
    sandbox.trigger("nightly", interval(86_400, start_immediately=True))
    (entry,) = eventually(lambda: sandbox.history("nightly"))
    assert kubelet.pod_of(entry["job_id"])["status"]["phase"] == "Pending"
