"""Tests of the operator's Pods."""

from __future__ import annotations

import pytest

from clustertrigger.shell.settings import PREFIX, Settings, read_settings
from tests.charts.objects import RELEASE, VALUES_FILES, Object, Rendered, render, values_of

DIGEST = f"sha256:{'ab' * 32}"


@pytest.mark.parametrize("values_file", VALUES_FILES)
def test_variables_are_the_operator_s_settings(values_file: str) -> None:
    names = [variable["name"] for variable in render(values_of(values_file)).container["env"]]
    assert sorted(names) == sorted(PREFIX + field.upper() for field in Settings.model_fields)


@pytest.mark.parametrize(
    ("values_file", "expected"),
    [
        (
            "default",
            {
                "worker_image": "clustertrigger/worker:0.1.0",
                "worker_image_pull_policy": "IfNotPresent",
                "worker_image_pull_secrets": (),
                "worker_priority_classes": (),
                "results_uri": "",
                "results_volume": "clustertrigger-results",
                "watch_namespaces": (),
                "leader_election": True,
                "lease_name": "clustertrigger",
                "http_port": 8080,
                "events_port": 8081,
                "events_cert_dir": None,
                "log_format": "json",
                "webhook_port": 0,
            },
        ),
        (
            "namespaced-values",
            {
                "worker_image": "registry.example.com/clustertrigger/worker:0.1.0",
                "worker_image_pull_policy": "Always",
                "worker_image_pull_secrets": ("registry", "mirror"),
                "worker_priority_classes": ("batch-low", "batch-high"),
                "results_uri": "clustering/nightly",
                "results_volume": "shared-results",
                "watch_namespaces": ("search", "ads"),
            },
        ),
        (
            "monitoring-values",
            {"worker_image": "clustertrigger/worker:2026.11", "results_uri": "s3://results/clustering"},
        ),
        ("single-values", {"leader_election": False, "log_format": "text", "log_level": "DEBUG"}),
        ("single-values", {"events_port": 0, "events_cert_dir": None}),
        (
            "spark-values",
            {
                "spark_image": "registry.example.com/clustertrigger/spark:0.1.0",
                "spark_image_pull_policy": "Always",
                "spark_image_pull_secrets": ("registry",),
                "worker_image_pull_policy": "IfNotPresent",
                "worker_image_pull_secrets": (),
            },
        ),
        ("default", {"spark_image": ""}),
        ("webhook-values", {"webhook_port": 10250}),
        ("cert-manager-values", {"webhook_port": 9443}),
    ],
)
def test_the_operator_reads_what_the_chart_writes(
    values_file: str, expected: Object, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(render(values_of(values_file)), monkeypatch)
    assert {name: getattr(settings, name) for name in expected} == expected


def test_defaults_are_the_operator_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Returns all settings except those that only a cluster defines, and the format of logs."""
    settings = settings_of(render(), monkeypatch)
    own = {name: field.default for name, field in Settings.model_fields.items()}
    differ = {name for name in own if getattr(settings, name) != own[name]}
    assert differ == {"worker_image", "lease_namespace", "identity", "log_format", "webhook_cert_dir", "events_port"}


def test_large_numbers_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_of(render({"concurrency": 1000}), monkeypatch).concurrency == 1000


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({}, "clustertrigger/operator:0.1.0"),
        ({"tag": "main"}, "clustertrigger/operator:main"),
        ({"digest": DIGEST}, f"clustertrigger/operator@{DIGEST}"),
        ({"tag": "main", "digest": DIGEST}, f"clustertrigger/operator@{DIGEST}"),
        ({"repository": "registry.example.com:5000/ct"}, "registry.example.com:5000/ct:0.1.0"),
    ],
)
def test_images(image: Object, expected: str) -> None:
    assert render({"image": {"operator": image}}).container["image"] == expected


@pytest.mark.parametrize("values_file", VALUES_FILES)
def test_restricted_pod_security_standard(values_file: str) -> None:
    """Every rule of the standard that applies to this Pod."""
    rendered = render(values_of(values_file))
    pod, container = rendered.pod["spec"], rendered.container
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert not any("hostPort" in port for port in container["ports"])
    for volume in pod["volumes"]:
        assert volume.keys() - {"name"} <= {"emptyDir", "secret", "projected", "configMap"}
    assert [m["mountPath"] for m in container["volumeMounts"] if not m.get("readOnly")] == ["/tmp"]


@pytest.mark.parametrize("values_file", VALUES_FILES)
def test_no_service_variables_and_an_explicit_token(values_file: str) -> None:
    """A Service named clustertrigger would set CLUSTERTRIGGER_SERVICE_HOST, which is not a setting."""
    rendered = render(values_of(values_file))
    for deployment in rendered.all("Deployment"):
        spec = deployment["spec"]["template"]["spec"]
        assert spec["enableServiceLinks"] is False
        assert spec["automountServiceAccountToken"] is True
        account = rendered.one("ServiceAccount", spec["serviceAccountName"])
        assert account["automountServiceAccountToken"] is False


@pytest.mark.parametrize("values_file", VALUES_FILES)
def test_probes_and_services_reach_ports_that_exist(values_file: str) -> None:
    rendered = render(values_of(values_file))
    container = rendered.container
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports["http"] == int(rendered.environment["CLUSTERTRIGGER_HTTP_PORT"])
    assert ports.get("events", 0) == int(rendered.environment["CLUSTERTRIGGER_EVENTS_PORT"])
    assert ports.get("webhook", 0) == int(rendered.environment["CLUSTERTRIGGER_WEBHOOK_PORT"])
    probes = {kind: container[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "startupProbe": "/livez",
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }
    assert {probe["port"] for probe in probes.values()} <= ports.keys()
    assert {port["targetPort"] for port in rendered.one("Service", RELEASE)["spec"]["ports"]} == ports.keys()


@pytest.mark.parametrize(
    ("values", "replicas", "strategy", "budgets"),
    [
        ({}, 2, "RollingUpdate", 1),
        ({"replicas": 1}, 1, "RollingUpdate", 0),
        ({"replicas": 1, "leaderElection": {"enabled": False}}, 1, "Recreate", 0),
        ({"replicas": 3, "podDisruptionBudget": {"enabled": False}}, 3, "RollingUpdate", 0),
        ({"replicas": 0}, 0, "RollingUpdate", 0),
    ],
)
def test_replicas(values: Object, replicas: int, strategy: str, budgets: int) -> None:
    rendered = render({"image": {"registry": "registry.example.com"}, **values})
    spec = rendered.one("Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (replicas, strategy)
    assert len(rendered.all("PodDisruptionBudget")) == budgets


def test_replicas_spread() -> None:
    selector = {"matchLabels": render().one("Deployment")["spec"]["selector"]["matchLabels"]}
    (term,) = render().pod["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"] == {"topologyKey": "kubernetes.io/hostname", "labelSelector": selector}
    (constraint,) = render(values_of("monitoring-values")).pod["spec"]["topologySpreadConstraints"]
    assert constraint["labelSelector"] == selector
    assert constraint["topologyKey"] == "topology.kubernetes.io/zone"
    own = {
        "maxSkew": 1,
        "topologyKey": "rack",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"a": "b"}},
    }
    (constraint,) = render({"topologySpreadConstraints": [own]}).pod["spec"]["topologySpreadConstraints"]
    assert constraint["labelSelector"]["matchLabels"]["a"] == "b"


def test_placement_and_metadata() -> None:
    rendered = render(values_of("monitoring-values"))
    assert rendered.pod["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert rendered.pod["spec"]["tolerations"] == [{"key": "infra", "operator": "Exists"}]
    assert rendered.pod["metadata"]["labels"]["example.com/team"] == "search"
    assert rendered.pod["metadata"]["annotations"]["example.com/note"] == "spread"
    assert rendered.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == "50%"
    affinity: Object = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}
    assert render({"affinity": affinity}).pod["spec"]["affinity"] == affinity
    assert render({"priorityClassName": "high"}).pod["spec"]["priorityClassName"] == "high"


def test_openshift_assigns_the_user() -> None:
    context = {"runAsUser": None, "runAsGroup": None, "fsGroup": None}
    assert render({"podSecurityContext": context}).pod["spec"]["securityContext"] == {
        "runAsNonRoot": True,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_pull_secrets() -> None:
    rendered = render(values_of("namespaced-values"))
    assert rendered.pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_a_service_account_of_the_user() -> None:
    rendered = render({"serviceAccount": {"create": False, "name": "runner"}})
    assert not rendered.all("ServiceAccount")
    assert rendered.pod["spec"]["serviceAccountName"] == "runner"
    assert rendered.one("ClusterRoleBinding", RELEASE)["subjects"] == [
        {"kind": "ServiceAccount", "name": "runner", "namespace": "ops"}
    ]


def settings_of(rendered: Rendered, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in rendered.environment.items():
        monkeypatch.setenv(name, value)
    return read_settings()
