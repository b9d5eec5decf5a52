"""Tests of PodTemplates: which of them a trigger can run, and the errors for the others."""

from __future__ import annotations

from typing import Any

import pytest

from clustertrigger.core.resources.pod_templates import read_pod_template, worker_of

Json = dict[str, Any]
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
CONTAINER: Json = {"name": "embed", "image": "embed:1"}


def template(spec: Json | None = None, container: Json | None = None, **metadata: Any) -> Json:
    """A PodTemplate as the API server stores it, with defaults."""
    defaults = {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler"}
    return {
        "metadata": {"name": "embed", "labels": {"clustertrigger.dev/runnable": "true"}},
        "template": {
            "metadata": metadata,
            "spec": {**defaults, "containers": [{**CONTAINER, **(container or {})}], **(spec or {})},
        },
    }


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"serviceAccountName": "default", "serviceAccount": "default"},
        {"securityContext": {"runAsUser": 1000, "fsGroup": 1000, "seccompProfile": {"type": "Localhost"}}},
        {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "a"}}, {"name": "tmp", "emptyDir": {}}]},
        {"volumes": [{"name": "all", "projected": {"sources": [{"secret": {"name": "a"}}]}}]},
        {
            "affinity": {
                "podAntiAffinity": {_REQUIRED: [{"topologyKey": "zone", "namespaces": []}]},
                "podAffinity": None,
            }
        },
        {"affinity": {"nodeAffinity": {_PREFERRED: []}}},
        {"initContainers": [{"name": "fetch", "image": "b", "securityContext": {"runAsUser": 7}}]},
        {"containers": [CONTAINER, {"name": "worker", "image": "b"}]},
    ],
    ids=str,
)
def test_allowed_fields_of_a_template(spec: Json) -> None:
    found = read_pod_template(template(spec))
    assert (found.is_runnable, found.problems) == (True, ())


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (template({"hostNetwork": True}), "template.spec.hostNetwork: true: shares a namespace of the node"),
        (template({"hostPID": True}), "template.spec.hostPID: true: shares"),
        (template({"hostIPC": True}), "template.spec.hostIPC: true: shares"),
        (template({"nodeName": "n1"}), "template.spec.nodeName: 'n1': bypasses the scheduler: remove it, and set the "
         "trigger's run.node_selector"),
        (template({"priorityClassName": "system-node-critical"}), "set the trigger's run.priority_class_name"),
        (template({"serviceAccountName": "admin"}), "template.spec.serviceAccountName: 'admin': must not be set here"),
        (template({"volumes": [{"name": "h", "hostPath": {"path": "/"}}]}),
         "template.spec.volumes[0].hostPath: 'h': is not a type of volume that runs can have: use one of configMap"),
        (template({"volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]}),
         "template.spec.volumes[0].projected.sources[0].serviceAccountToken: 't': is a token of the service account"),
        (template({"securityContext": {"runAsUser": 0}}), "template.spec.securityContext.runAsUser: 0: is root"),
        (template({"securityContext": {"runAsNonRoot": False}}), "runAsNonRoot: false: allows root: remove it"),
        (template({"securityContext": {"sysctls": [{"name": "a", "value": "1"}]}}), "securityContext.sysctls"),
        (template({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}), "seccompProfile.type"),
        (template({"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}), "appArmorProfile.type"),
        (template({"securityContext": {"windowsOptions": {"hostProcess": True}}}), "windowsOptions.hostProcess"),
        (template({"securityContext": {"seLinuxOptions": {"type": "spc_t"}}}), "seLinuxOptions.type: 'spc_t'"),
        (template({"securityContext": {"seLinuxOptions": {"user": "root"}}}), "seLinuxOptions.user: 'root'"),
        (template({"affinity": {"podAntiAffinity": {_REQUIRED: [{"topologyKey": "zone", "namespaceSelector": {}}]}}}),
         f"template.spec.affinity.podAntiAffinity.{_REQUIRED}[0].namespaceSelector: reaches beyond the run's "
         "namespace: remove it"),
        (template({"affinity": {"podAffinity": {_PREFERRED: [{"podAffinityTerm": {"namespaces": ["other"]}}]}}}),
         f"template.spec.affinity.podAffinity.{_PREFERRED}[0].podAffinityTerm.namespaces: reaches beyond"),
        (template(container={"securityContext": {"privileged": True}}),
         "template.spec.containers[0].securityContext.privileged: true: is not allowed in a run: remove it"),
        (template(container={"securityContext": {"allowPrivilegeEscalation": True}}), "allowPrivilegeEscalation"),
        (template(container={"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}), "capabilities.add"),
        (template(container={"securityContext": {"procMount": "Unmasked"}}), "procMount: 'Unmasked'"),
        (template(container={"securityContext": {"runAsUser": 0}}), "containers[0].securityContext.runAsUser: 0"),
        (template(container={"ports": [{"containerPort": 80, "hostPort": 80}]}), "ports[0].hostPort: 80: is a port"),
        (template({"initContainers": [{**CONTAINER, "securityContext": {"privileged": True}}]}),
         "template.spec.initContainers[0].securityContext.privileged"),
        (template({"containers": [CONTAINER, {**CONTAINER, "name": "b"}]}),
         "template.spec.containers: 'embed, b': has no container named worker"),
        (template(labels={"clustertrigger.dev/trigger-uid": "x"}), "template.metadata.labels.clustertrigger.dev/"),
        (template(annotations={"container.apparmor.security.beta.kubernetes.io/a": "unconfined"}),
         "template.metadata.annotations.container.apparmor"),
    ],
    ids=str,
)  # fmt: skip
def test_forbidden_fields_of_a_template(wrong: Json, line: str) -> None:
    (problem,) = read_pod_template(wrong).problems
    assert line in str(problem)


@pytest.mark.parametrize("labels", [None, {}, {"clustertrigger.dev/runnable": "false"}, {"runnable": "true"}])
def test_only_its_owner_lets_triggers_run_it(labels: dict[str, str] | None) -> None:
    assert not read_pod_template({**template(), "metadata": {"name": "embed", "labels": labels}}).is_runnable


@pytest.mark.parametrize(
    ("names", "place"), [(["a"], 0), (["a", "worker"], 1), (["worker"], 0), (["a", "b"], None), ([], None)]
)
def test_the_container_of_the_work(names: list[str], place: int | None) -> None:
    assert worker_of({"containers": [{"name": name} for name in names]}) == place
