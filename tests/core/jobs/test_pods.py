"""Tests that all Pods of tenants have the same restrictions, whatever a tenant writes.

They satisfy the Pod Security Standard restricted, have the operator's image and no token, and mount only objects of the
trigger's namespace.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from pydantic import ValidationError

from clustertrigger.api.run_policy import RunPolicy
from clustertrigger.core.actions.cluster import ClusterWork
from clustertrigger.core.actions.work import Order
from clustertrigger.core.jobs.jobs import JobRequest, build_job
from clustertrigger.core.jobs.pods import pod_spec
from clustertrigger.core.jobs.slot import ScheduledSlot
from clustertrigger.core.resources.validation import parse_collection, parse_trigger
from codegen.crd import KINDS
from harness.specs.strategies import allowed
from tests.core.builders import DEFAULTS, HOURLY, at, trigger

Object = dict[str, Any]

RUN = next(kind.schema() for kind in KINDS if kind.plural == "clustertriggers")["properties"]["spec"]["properties"][
    "run"
]
COLLECTIONS: tuple[Object, ...] = (
    {"source": {"uri": "products.parquet"}, "volume": "documents"},
    {"source": {"uri": "s3://bucket/key", "secret_name": "s3-keys"}},
)
OWN_LABELS = {
    "app.kubernetes.io/managed-by": "clustertrigger",
    "clustertrigger.dev/trigger-uid": trigger().uid,
    "clustertrigger.dev/trigger": trigger().key.name,
    "clustertrigger.dev/role": "run",
}
VOLUMES = {"emptyDir", "persistentVolumeClaim", "secret"}
POD = {
    "restartPolicy", "serviceAccountName", "automountServiceAccountToken", "enableServiceLinks", "nodeSelector",
    "tolerations", "imagePullSecrets", "securityContext", "volumes", "containers",
    "affinity", "topologySpreadConstraints", "priorityClassName", "runtimeClassName",
}  # fmt: skip
CONTAINER = {
    "name", "image", "imagePullPolicy", "args", "env", "resources", "terminationMessagePolicy", "securityContext",
    "volumeMounts",
}  # fmt: skip


def work() -> ClusterWork:
    found = [parse_collection(one)[0] for one in COLLECTIONS]
    spec, _ = parse_trigger(HOURLY)
    assert spec is not None
    assert spec.execution_config is not None
    return ClusterWork(
        execution=spec.execution_config, collections=tuple((f"col_{n}", one) for n, one in enumerate(found) if one)
    )


def unrestricted(pod: Object) -> Iterator[str]:
    """Returns why the Pod Security Standard restricted rejects a Pod; it checks every control, baseline's included."""
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield field
    allowed_volumes = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "projected", *VOLUMES}
    for volume in pod["volumes"]:
        yield from (f"volume {kind}" for kind in volume.keys() - {"name"} - allowed_volumes)
    shared = pod.get("securityContext", {})
    yield from (f"{field} of the Pod" for field in ("sysctls", "seLinuxOptions", "windowsOptions") if field in shared)
    for container in (*pod["containers"], *pod.get("initContainers", ()), *pod.get("ephemeralContainers", ())):
        own = container.get("securityContext", {})
        context = {**shared, **own}
        if own.get("privileged") or own.get("allowPrivilegeEscalation") is not False:
            yield "privilege escalation"
        if own.get("capabilities", {}).get("drop") != ["ALL"] or set(own["capabilities"]) != {"drop"}:
            yield "capabilities"
        if context.get("runAsNonRoot") is not True or context.get("runAsUser") == 0:
            yield "root"
        if context.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
            yield "seccomp"
        yield from (field for field in ("procMount", "seLinuxOptions", "windowsOptions") if field in own)
        yield from ("hostPort" for port in container.get("ports", ()) if port.get("hostPort"))
        for probe in ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle"):
            if probe in container:
                yield probe


def assert_ours(job: Object) -> None:
    """Labels and annotations of a trigger do not hide its Pods from the operator, and remove no restriction."""
    metadata = job["spec"]["template"]["metadata"]
    assert metadata["labels"].items() >= OWN_LABELS.items()
    for key in (*metadata["labels"].keys() - OWN_LABELS.keys(), *metadata.get("annotations", ())):
        assert not key.partition("/")[0].endswith(("kubernetes.io", "k8s.io", "clustertrigger.dev")), key


@settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(allowed(RUN, "run"))
def test_every_run_has_the_same_restrictions(run: Object) -> None:
    spec, problems = parse_trigger({**HOURLY, "run": {**run, "engine": {"type": "local"}}})
    assume(not problems and spec is not None)
    assert spec is not None
    job = build_job(
        JobRequest(trigger({**HOURLY, "run": run}), spec, work(), "job", ScheduledSlot(at(hours=1)), DEFAULTS)
    )
    assert job["metadata"]["namespace"] == "search"
    assert_ours(job)
    pod = job["spec"]["template"]["spec"]
    assert list(unrestricted(pod)) == []
    assert pod.keys() <= POD
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    (container,) = pod["containers"]
    assert container.keys() <= CONTAINER
    assert container["image"] == DEFAULTS.image
    assert container["args"] == ["run"]
    assert [sorted(variable) for variable in container["env"]] == [["name", "value"]]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    for volume in pod["volumes"]:
        assert volume.keys() - {"name"} <= VOLUMES
    for mount in container["volumeMounts"]:
        assert ".." not in mount["mountPath"].split("/")
        assert "subPath" not in mount


def test_checks_have_the_same_restrictions() -> None:
    run = RunPolicy()
    pod = pod_spec(run, work(), DEFAULTS, order=Order("check", "SPEC", "{}"), resources=run.check.resources)
    assert list(unrestricted(pod)) == []
    assert pod.keys() <= POD


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"hostNetwork": True}, ["hostNetwork"]),
        ({"volumes": [{"name": "a", "hostPath": {"path": "/"}}]}, ["volume hostPath"]),
        ({"securityContext": {"runAsNonRoot": True}}, ["seccomp"]),
        ({"securityContext": {"runAsUser": 0, "seccompProfile": {"type": "RuntimeDefault"}}}, ["root"]),
        ({"containers": [{"name": "worker"}]}, ["privilege escalation", "capabilities"]),
    ],
)  # fmt: skip
def test_the_check_finds_violations(change: Object, expected: list[str]) -> None:
    run = RunPolicy()
    pod = pod_spec(run, work(), DEFAULTS, order=Order("run", "SPEC", "{}"), resources=run.resources)
    assert list(unrestricted({**pod, **change})) == expected


@pytest.mark.parametrize(
    "field",
    [
        *("image", "command", "env", "volumes", "security_context", "host_network", "node_name", "host_users"),
        *("init_containers", "scheduler_name", "dns_policy", "host_aliases", "priority", "preemption_policy"),
    ],
)
def test_no_other_field_of_a_pod_can_be_set(field: str) -> None:
    with pytest.raises(ValidationError):
        RunPolicy.model_validate({field: "anything"})
