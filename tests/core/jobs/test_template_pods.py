"""Tests of the Pod of a PodTemplate: the fields that it keeps, and the fields that the rules of runs override."""

from __future__ import annotations

from typing import Any

from clustertrigger.api.run_policy import RunPolicy
from clustertrigger.core.actions.work import FromTemplate, RunDefaults
from clustertrigger.core.jobs.template_pods import template_pod_spec
from clustertrigger.core.resources.pod_templates import read_pod_template
from tests.core.resources.test_pod_templates import CONTAINER, template

Json = dict[str, Any]


def pod(raw: Json, defaults: RunDefaults | None = None, **run: Any) -> Json:
    told = FromTemplate(read_pod_template(raw), {"CLUSTERTRIGGER_COLLECTION_ID": "col_a", "FILTERS": '{"a": "$(B)"}'})
    return template_pod_spec(RunPolicy.model_validate(run), told, defaults or RunDefaults(image="worker:1"))


def test_fields_that_a_template_cannot_change() -> None:
    raw = template(
        {
            "restartPolicy": "Always",
            "automountServiceAccountToken": True,
            "enableServiceLinks": True,
            "activeDeadlineSeconds": 5,
            "serviceAccount": "default",
            "priority": 7,
            "initContainers": [{"name": "fetch", "image": "b"}],
        },
        container={"terminationMessagePolicy": "File", "securityContext": {"readOnlyRootFilesystem": True}},
    )
    found = pod(raw, service_account_name="runner")
    assert found["restartPolicy"] == "Never"
    assert (found["serviceAccountName"], found["automountServiceAccountToken"]) == ("runner", False)
    assert found["enableServiceLinks"] is False
    assert not {"activeDeadlineSeconds", "serviceAccount", "priority"} & found.keys()
    assert found["securityContext"]["runAsNonRoot"] is True
    assert found["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (worker,) = found["containers"]
    assert (worker["name"], worker["image"]) == ("worker", "embed:1")
    assert worker["terminationMessagePolicy"] == "FallbackToLogsOnError"
    restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert worker["securityContext"] == {"readOnlyRootFilesystem": True, **restricted}
    assert found["initContainers"] == [{"name": "fetch", "image": "b", "securityContext": restricted}]


def test_fields_that_a_template_can_set() -> None:
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "a"}}
    mount = {"name": "data", "mountPath": "/data"}
    resources = {"limits": {"memory": "1Gi"}}
    raw = template(
        {"volumes": [volume], "dnsPolicy": "None", "securityContext": {"runAsUser": 1000, "fsGroup": 7},
         "imagePullSecrets": [{"name": "mine"}], "nodeSelector": {"disk": "ssd"}},
        container={"command": ["a"], "args": ["b"], "volumeMounts": [mount], "resources": resources,
                   "env": [{"name": "OWN", "value": "1"}, {"name": "CLUSTERTRIGGER_COLLECTION_ID", "value": "x"}]},
    )  # fmt: skip
    found = pod(raw, RunDefaults(image="w", image_pull_secrets=("ours", "mine")))
    assert (found["volumes"], found["dnsPolicy"], found["nodeSelector"]) == ([volume], "None", {"disk": "ssd"})
    assert found["imagePullSecrets"] == [{"name": "mine"}, {"name": "ours"}]
    security = found["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"], security["fsGroup"]) == (1000, 65532, 7)
    (worker,) = found["containers"]
    assert (worker["command"], worker["args"], worker["volumeMounts"]) == (["a"], ["b"], [mount])
    assert worker["resources"] == resources
    assert worker["env"] == [
        {"name": "OWN", "value": "1"},
        {"name": "CLUSTERTRIGGER_COLLECTION_ID", "value": "col_a"},
        {"name": "FILTERS", "value": '{"a": "\\u0024(B)"}'},
    ]


def test_the_triggers_fields_take_precedence() -> None:
    toleration = {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
    raw = template(
        {"nodeSelector": {"disk": "ssd", "zone": "a"}, "tolerations": [{"key": "own", "operator": "Exists"}],
         "runtimeClassName": "own", "affinity": {"nodeAffinity": {}}}
    )  # fmt: skip
    found = pod(
        raw,
        node_selector={"disk": "hdd"},
        tolerations=[toleration],
        runtime_class_name="gvisor",
        priority_class_name="batch",
        resources={"limits": {"memory": "2Gi"}},
        cloud_identity={"aws": {"role_arn": "arn:aws:iam::123456789012:role/r"}},
    )
    assert found["nodeSelector"] == {"disk": "hdd", "zone": "a"}
    assert found["tolerations"] == [{"key": "own", "operator": "Exists"}, toleration]
    assert (found["runtimeClassName"], found["priorityClassName"]) == ("gvisor", "batch")
    assert found["affinity"] == {"nodeAffinity": {}}
    (worker,) = found["containers"]
    assert worker["resources"]["limits"] == {"memory": "2Gi"}
    assert "AWS_ROLE_ARN" in {variable["name"] for variable in worker["env"]}
    assert [volume["name"] for volume in found["volumes"]] == [mount["name"] for mount in worker["volumeMounts"]]


def test_the_named_container_is_the_worker() -> None:
    raw = template({"containers": [CONTAINER, {"name": "worker", "image": "b"}]})
    first, second = pod(raw)["containers"]
    assert (first["name"], "env" in first) == ("embed", False)
    assert (second["name"], second["image"], "env" in second) == ("worker", "b", True)
