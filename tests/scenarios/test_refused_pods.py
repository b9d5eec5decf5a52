"""Tests of runs whose Pods the namespace's policies refuse: the error quotes the refusal."""

from __future__ import annotations

import pytest

from harness.control_plane.checks import about_to_check
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.manifests import interval
from harness.control_plane.sandbox import Sandbox

NEEDLES = ("forbid", "maximum memory usage per Container is 1Mi")


@pytest.fixture
def limited(sandbox: Sandbox) -> Sandbox:
    """A namespace whose LimitRange refuses every Pod of the operator."""
    limits = [{"type": "Container", "max": {"memory": "1Mi"}}]
    path = f"/api/v1/namespaces/{sandbox.namespace}/limitranges"
    sandbox.kube.create(path, {"metadata": {"name": "small"}, "spec": {"limits": limits}})
    return sandbox


@pytest.mark.parametrize(
    ("run", "begins"),
    [
        ({"pending_timeout_seconds": 8}, "did not start within 8 s (run.pending_timeout_seconds): "),
        ({"timeout_seconds": 2}, "no Pod has been created: "),
    ],
)
def test_a_run_whose_pods_are_refused(
    operator: StartOperator, limited: Sandbox, run: dict[str, int], begins: str
) -> None:
    operator()
    big = {"limits": {"memory": "64Mi"}}
    limited.trigger("big", interval(3600, start_immediately=True, resources=big, **run))
    status = eventually(lambda: limited.status("big"), until=lambda status: status.get("failure_count") == 1)
    error = status["last_execution_error"]
    assert error.startswith(begins)
    for needle in NEEDLES:
        assert needle in error
    (event,) = eventually(lambda: limited.events("big", "RunFailed"))
    assert error in event["message"]


def test_a_check_whose_pods_are_refused(operator: StartOperator, limited: Sandbox) -> None:
    big = {"limits": {"memory": "64Mi"}}
    about_to_check(limited, "big", pending_timeout_seconds=8, check={"resources": big})
    operator()
    status = eventually(lambda: limited.status("big"), until=lambda status: status.get("last_check_error"))
    for needle in NEEDLES:
        assert needle in status["last_check_error"]


def test_a_quota_that_demands_limits(operator: StartOperator, sandbox: Sandbox) -> None:
    quota = {"metadata": {"name": "small"}, "spec": {"hard": {"limits.memory": "1Gi"}}}
    path = f"/api/v1/namespaces/{sandbox.namespace}/resourcequotas"
    sandbox.kube.create(path, quota)
    eventually(lambda: sandbox.kube.get(f"{path}/small").get("status", {}).get("hard"))
    operator()
    sandbox.trigger("unlimited", interval(3600, start_immediately=True, pending_timeout_seconds=8))
    status = eventually(lambda: sandbox.status("unlimited"), until=lambda status: status.get("failure_count") == 1)
    assert "failed quota: small: must specify limits.memory" in status["last_execution_error"]


def test_an_admission_policy_that_refuses_pods(operator: StartOperator, sandbox: Sandbox) -> None:
    """ValidatingAdmissionPolicy, if this Kubernetes supports it (1.30 and later)."""
    policies = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    if sandbox.kube.find(policies) is None:
        pytest.skip("this Kubernetes has no ValidatingAdmissionPolicy")
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]
    here = {"matchLabels": {"kubernetes.io/metadata.name": sandbox.namespace}}
    name = f"no-pods-{sandbox.namespace}"
    policy = {
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": rules, "namespaceSelector": here},
            "validations": [{"expression": "false", "message": "cost centre is missing: ask finance"}],
        },
    }
    binding = {"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}}
    sandbox.kube.create(policies, policy)
    sandbox.kube.create("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings", binding)
    operator()
    # A policy is in force a moment after it is written.
    for attempt in range(10):
        trigger = f"refused-{attempt}"
        sandbox.trigger(trigger, interval(3600, start_immediately=True, pending_timeout_seconds=8))
        status = eventually(lambda: sandbox.status(trigger), until=lambda s: s.get("failure_count") == 1)
        if "cost centre is missing: ask finance" in status["last_execution_error"]:
            return
    raise AssertionError(status["last_execution_error"])
