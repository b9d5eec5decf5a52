"""Tests that settings that Kubernetes would refuse in a run's Pod are refused when the trigger is applied."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from clustertrigger.core.resources.permitted import Permitted
from clustertrigger.core.resources.pod_settings import quantity
from clustertrigger.core.resources.validation import parse_trigger

CRON = {"trigger_type": "cron", "schedule_config": {"cron_expression": "0 2 * * *"}, "cluster_id": "cluster_a"}


SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
TERM = "nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0]"


CHARACTERS = "write up to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"


def node_affinity(operator: str, values: list[str]) -> dict[str, Any]:
    requirement = {"key": "cpus", "operator": operator, "values": values}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [requirement]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def problems_of(**run: Any) -> list[str]:
    return [str(problem).removeprefix("spec.run.") for problem in parse_trigger({**CRON, "run": run})[1]]


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        (2, 2), ("2", 2), ("500m", Decimal("0.5")), ("1.5", Decimal("1.5")), (".5", Decimal("0.5")), ("5.", 5),
        ("2Ki", 2048), ("2Gi", 2**31), ("1Ei", 2**60), ("2k", 2000), ("3M", 3_000_000), ("1E", 10**18), ("1e3", 1000),
        ("1E3", 1000), ("12e-1", Decimal("1.2")), ("100u", Decimal("0.0001")), ("1n", Decimal("1e-9")), ("-1", -1),
    ],
)  # fmt: skip
def test_quantities(text: int | str, amount: Decimal | int) -> None:
    assert quantity(text) == amount


@pytest.mark.parametrize(
    "text", ["", "x", "2x", "1 Gi", "Gi", "1K", "1gi", "1e", "1.2.3", ".", "2GiB", "٢", "0x10", "1,5", " 1", "1\n"]
)
def test_invalid_quantities(text: str) -> None:
    assert quantity(text) is None
    (problem,) = problems_of(resources={"requests": {"cpu": text}})
    assert problem.startswith(f"resources.requests.cpu: {text!r}: is not a Kubernetes quantity: ")


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ({"resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": 2}}}, []),
        ({"resources": {"requests": {"cpu": 0.5}}},
         ["resources.requests.cpu: 0.5: is not a Kubernetes quantity: write a whole number, or a string such as "
          "'500m', '1.5' or '4Gi'"]),
        ({"engine": {"type": "spark", "executor": {"resources": {"limits": {"cpu": 2, "memory": "4Gi"}}}}}, []),
        ({"engine": {"type": "spark", "executor": {"resources": {"requests": {"memory": "512Mi"}}}}},
         ["engine.executor.resources: '512Mi': executors need at least 1Gi of memory: raise memory"]),
        ({"engine": {"type": "spark", "executor": {"resources": {"limits": {"vendor.example/gpu": 1}}}}},
         ["engine.executor.resources.limits.vendor.example/gpu: 1: is not supported for executors: write cpu and "
          "memory only"]),
        ({"engine": {"type": "auto", "executor": {"resources": {"requests": {"cpu": "x"}}}}},
         ["engine.executor.resources.requests.cpu: 'x': is not a Kubernetes quantity: write a number such as 500m "
          "or 2"]),
        ({"engine": {"type": "spark", "executor": {"tolerations": [{"operator": "Equal"}]}}},
         ["engine.executor.tolerations[0].operator: 'Equal': must be Exists without a key: set key or operator"]),
        ({"engine": {"type": "spark", "executor": {"node_selector": {"-disk": "ssd"}}}},
         ["engine.executor.node_selector.-disk: 'ssd': key '-disk' is not valid: " + CHARACTERS]),
        ({"resources": {"limits": {"memory": "-1Gi"}}},
         ["resources.limits.memory: '-1Gi': must not be negative: write a positive quantity"]),
        ({"resources": {"requests": {"memory": "4Gi"}, "limits": {"memory": "2048Mi"}}},
         ["resources.requests.memory: '4Gi': must not exceed the limit 2048Mi: lower it, or raise "
          "resources.limits.memory"]),
        ({"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "2048Mi"}}}, []),
        ({"resources": {"requests": {"mem": "1Gi"}}},
         ["resources.requests.mem: '1Gi': no such resource: did you mean memory?"]),
        ({"resources": {"requests": {"gpu": 1}}},
         ["resources.requests.gpu: 1: no such resource: write cpu, memory, ephemeral-storage or "
          "vendor.domain/resource"]),
        ({"resources": {"limits": {"nvidia.com/gpu": 1}}}, []),
        ({"resources": {"requests": {"nvidia.com/gpu": 1}}},
         ["resources.requests.nvidia.com/gpu: 1: needs a limit: set resources.limits.nvidia.com/gpu to the same "
          "value"]),
        ({"resources": {"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 2}}},
         ["resources.requests.nvidia.com/gpu: 1: must equal the limit 2: set both to the same value"]),
        ({"resources": {"limits": {"nvidia.com/gpu": "500m"}}},
         ["resources.limits.nvidia.com/gpu: '500m': must be a whole number: this resource is counted in units"]),
        ({"resources": {"limits": {"nvidia.com/gpu": "1e999", "example.com/a": "9" * 5000}}}, []),
        ({"resources": {"limits": {"requests.example.com/gpu": 1}}},
         ["resources.limits.requests.example.com/gpu: 1: begins with requests., which is reserved for quotas: write "
          "vendor.domain/resource"]),
        ({"resources": {"limits": {"hugepages-2Mi": "4Mi", "memory": "1Gi"}}}, []),
        ({"resources": {"limits": {"hugepages-2Mi": "4Mi"}, "requests": {"cpu": 1}}}, []),
        ({"resources": {"limits": {"hugepages-2Mi": "3Mi", "memory": "1Gi"}}},
         ["resources.limits.hugepages-2Mi: '3Mi': must be a multiple of 2Mi: write whole pages"]),
        ({"resources": {"limits": {"cpu": "+1"}}}, ["resources.limits.cpu: '+1': must have no sign: write 1"]),
        ({"resources": {"limits": {"cpu": "-0"}}}, ["resources.limits.cpu: '-0': must have no sign: write 0"]),
        ({"resources": {"limits": {"memory": 2**63}}},
         ["resources.limits.memory: 9223372036854775808: is too large: write a smaller number"]),
        ({"pod_annotations": {f"example.com/{letter}": "\U0001f600" * 4096 for letter in "abcdefghijklmnop"}},
         ["pod_annotations: keys and values have 256 KiB, and may have 240 KiB: shorten them"]),
        ({"resources": {"limits": {"hugepages-2Mi": "4Mi"}}},
         ["resources.limits.hugepages-2Mi: '4Mi': is valid only together with cpu or memory: set one of them too"]),
        ({"resources": {"limits": {"hugepages-huge": "4Mi", "cpu": 1}}},
         ["resources.limits.hugepages-huge: '4Mi': no such resource: write hugepages- and the size of a page, such as "
          "hugepages-2Mi"]),
        ({"service_account_name": "team.clustering"}, []),
        *(({"service_account_name": name},
           [f"service_account_name: {name!r}: is not a valid Kubernetes name, because each part between dots must "
            "begin and end with a letter or digit: write the ServiceAccount's metadata.name"])
          for name in ("a..b", "a.-b", "a-.b")),
        ({"resources": {"request": {"cpu": 1}}}, ["resources.request: unknown field: did you mean requests?"]),
        ({"node_selector": {"kubernetes.io/arch": "arm64", "empty": ""}}, []),
        ({"node_selector": {"a b": "c"}},
         ["node_selector.a b: 'c': key 'a b' is not valid: " + CHARACTERS]),
        ({"node_selector": {"Example.com/a": "c"}},
         ["node_selector.Example.com/a: 'c': prefix 'Example.com' of key 'Example.com/a' is not a domain name: "
          "write it in lower case, such as example.com"]),
        ({"node_selector": {"a": "b c"}},
         ["node_selector.a: 'b c': is not a label's value: " + CHARACTERS]),
        ({"node_selector": {"a": "b" * 64}},
         [f"node_selector.a: '{'b' * 64}': is not a label's value: " + CHARACTERS]),
        ({"tolerations": [{"operator": "Exists"}, {"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}, []),
        ({"tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}]}, []),
        ({"tolerations": [{"value": "yes"}]},
         ["tolerations[0].operator: must be Exists without a key: set key or operator"]),
        ({"tolerations": [{"key": "gpu", "operator": "Exists", "value": "yes"}]},
         ["tolerations[0].value: 'yes': must be empty with operator Exists: remove it"]),
        ({"tolerations": [{"key": "gpu", "effect": "NoSchedule", "tolerationSeconds": 60}]},
         ["tolerations[0].tolerationSeconds: 60: is valid only with effect NoExecute: set that effect or remove "
          "tolerationSeconds"]),
        ({"tolerations": [{"key": "/gpu"}]},
         ["tolerations[0].key: '/gpu': prefix '' of key '/gpu' is not a domain name: write it in lower case, such as "
          "example.com"]),
        ({"topology_spread_constraints": [SPREAD, {**SPREAD, "whenUnsatisfiable": "ScheduleAnyway"}]}, []),
        ({"topology_spread_constraints": [SPREAD, SPREAD]},
         ["topology_spread_constraints[1].topologyKey: 'zone': is given twice with DoNotSchedule: remove one of the "
          "two"]),
        ({"topology_spread_constraints": [{**SPREAD, "topologyKey": "a b"}]},
         ["topology_spread_constraints[0].topologyKey: 'a b': key 'a b' is not valid: " + CHARACTERS]),
        ({"topology_spread_constraints": [{"maxSkew": 1, "topologyKey": "zone"}]},
         ["topology_spread_constraints[0].whenUnsatisfiable: is required: set it"]),
        ({"affinity": {"nodeAffinty": {}}}, ["affinity.nodeAffinty: unknown field: did you mean nodeAffinity?"]),
        ({"affinity": node_affinity("Gt", ["8"])}, []),
        ({"affinity": node_affinity("Gt", ["many"])},
         [f"affinity.{TERM}.values: 'many': values must be exactly one integer with operator Gt or Lt: write one, in "
          "quotes"]),
        ({"affinity": node_affinity("In", ["a b"])},
         [f"affinity.{TERM}.values[0]: 'a b': is not a label's value: " + CHARACTERS]),
        ({"affinity": node_affinity("Has", ["a"])},
         [f"affinity.{TERM}.operator: 'Has': must be 'In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt' or 'Lt': write one "
          "of these"]),
        ({"runtime_class_name": "a..b"},
         ["runtime_class_name: 'a..b': is not a valid Kubernetes name, because each part between dots must begin and "
          "end with a letter or digit: write the RuntimeClass's metadata.name"]),
        ({"image_pull_secrets": [{"name": "a"}, {"name": "b.-c"}]},
         ["image_pull_secrets[1].name: 'b.-c': is not a valid Kubernetes name, because each part between dots must "
          "begin and end with a letter or digit: write the Secret's metadata.name"]),
        ({"pod_labels": {"team": "search", "app.kubernetes.io/part-of": "shop", "example.com/empty": ""}},
         []),
        ({"pod_annotations": {"sidecar.istio.io/inject": "false", "Example.com/Note": "any text: at all\n",
                              "cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}}, []),
        ({"pod_labels": {"a/b/c": "x"}},
         ["pod_labels.a/b/c: 'x': prefix 'a/b' of key 'a/b/c' is not a domain name: write it in lower case, such as "
          "example.com"]),
        *(({"pod_labels": {key: "x"}}, [f"pod_labels.{key}: 'x': is a label {whose}"]) for key, whose in [
            ("clustertrigger.dev/trigger-uid", "that the operator uses to find its Pods: remove it"),
            ("clustertrigger.dev/role", "that the operator uses to find its Pods: remove it"),
            ("sub.clustertrigger.dev/a", "that the operator uses to find its Pods: remove it"),
            ("app.kubernetes.io/managed-by", "that the operator uses to find its Pods: remove it"),
            ("job-name", "that the Job controller uses to find its Pods: remove it"),
            ("controller-uid", "that the Job controller uses to find its Pods: remove it"),
            ("batch.kubernetes.io/job-name", "that is reserved for Kubernetes: remove it"),
            ("kubernetes.io/hostname", "that is reserved for Kubernetes: remove it"),
            ("topology.kubernetes.io/zone", "that is reserved for Kubernetes: remove it"),
            ("kueue.x-k8s.io/queue-name", "of Kueue: remove it, and set queue_name or priority_class"),
        ]),
        *(({"pod_annotations": {key: "x"}},
           [f"pod_annotations.{key}: 'x': is an annotation {whose}"]) for key, whose in [
            ("clustertrigger.dev/slot", "that the operator uses to find its Pods: remove it"),
            ("container.apparmor.security.beta.kubernetes.io/worker", "that is reserved for Kubernetes: remove it"),
            ("Container.AppArmor.Security.Beta.Kubernetes.io/worker", "that is reserved for Kubernetes: remove it"),
            ("seccomp.security.alpha.kubernetes.io/pod", "that is reserved for Kubernetes: remove it"),
            ("security.alpha.kubernetes.io/unsafe-sysctls", "that is reserved for Kubernetes: remove it"),
            ("kubernetes.io/config.mirror", "that is reserved for Kubernetes: remove it"),
            ("cdi.k8s.io/gpu", "that is reserved for Kubernetes: remove it"),
            ("io.kubernetes.cri-o.Devices", "of the container runtime: remove it"),
            ("io.katacontainers.config.hypervisor.path", "of the container runtime: remove it"),
            ("org.systemd.property.DeviceAllow", "of the container runtime: remove it"),
            ("run.oci.keep_original_groups", "of the container runtime: remove it"),
            ("cpu-load-balancing.crio.io", "of the container runtime: remove it"),
            ("irq-load-balancing.crio.io/worker", "of the container runtime: remove it"),
            ("iam.amazonaws.com/role",
             "that gives the Pod an identity of the cloud: remove it, and set cloud_identity"),
        ]),
    ],
)  # fmt: skip
def test_runs(run: dict[str, Any], expected: list[str]) -> None:
    assert problems_of(**run) == expected


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (None, []),
        (("batch-high", "batch-low"), []),
        (("batch-low", "batch-mid"),
         ["spec.run.priority_class_name: 'batch-high': is not allowed: write one of batch-low, batch-mid; the "
          "operator's administrator sets the list with the chart's value worker.allowedPriorityClasses"]),
        ((), ["spec.run.priority_class_name: 'batch-high': is not allowed: remove it, because the operator allows no "
              "PriorityClass; the operator's administrator sets the list with the chart's value "
              "worker.allowedPriorityClasses"]),
    ],
)  # fmt: skip
def test_a_priority_class_is_one_of_the_list(allowed: tuple[str, ...] | None, expected: list[str]) -> None:
    spec, problems = parse_trigger({**CRON, "run": {"priority_class_name": "batch-high"}}, Permitted(allowed))
    assert [str(problem) for problem in problems] == expected
    assert (spec is None) == bool(expected)


@pytest.mark.parametrize("engine", ["spark", "auto"])
def test_spark_requires_the_administrators_permission(engine: str) -> None:
    raw = {**CRON, "run": {"engine": {"type": engine}}}
    assert [str(problem) for problem in parse_trigger(raw, Permitted(spark=False))[1]] == [
        f"spec.run.engine.type: '{engine}': is not enabled: write local, or ask the operator's administrator to set "
        "the chart's value spark.enabled: true"
    ]
    assert parse_trigger(raw, Permitted(spark=True))[1] == []
    assert parse_trigger({**CRON, "run": {"engine": {"type": "local"}}}, Permitted(spark=False))[1] == []


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2GB", "2G"), ("2gb", "2G"), ("512MB", "512M"), ("2GiB", "2Gi"), ("2gi", "2Gi"), ("2g", "2G"), ("2 Gi", "2Gi"),
        ("64kb", "64k"), ("1TB", "1T"), ("0,5", "0.5"), ("1.5 cores", "1.5"), ("4 vCPUs", "4"), (" 2Gi ", "2Gi"),
        ("two", None), ("1e", None), ("2GBit", None), ("1,000", None), ("-2GB", None), ("auto", None), ("50%", None),
    ],
)  # fmt: skip
def test_amounts_in_another_notation(written: str, meant: str | None) -> None:
    (problem,) = problems_of(resources={"limits": {"memory": written}})
    remedy = f"did you mean {meant}?" if meant else "write a number such as 500m, 2 or 4Gi"
    assert problem == f"resources.limits.memory: {written!r}: is not a Kubernetes quantity: {remedy}"
    assert meant is None or quantity(meant) is not None


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("500mi", "'500mi': is not a Kubernetes quantity: did you mean 500m?"),
        ("2 cores", "'2 cores': is not a Kubernetes quantity: did you mean 2?"),
        ("2G ", "'2G ': is not a Kubernetes quantity: write a number such as 500m or 2"),
    ],
)
def test_cores_in_another_notation(written: str, problem: str) -> None:
    """500mi led to 500Mi, which is half a billion cores."""
    assert problems_of(resources={"limits": {"cpu": written}}) == [f"resources.limits.cpu: {problem}"]
