"""Tests of Spark's settings in a Pod and elsewhere, and of the commands of its Java processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clustercontract.engine import Engine
from clusterworker.process.errors import MisconfiguredError
from clusterworker.spark import java
from clusterworker.spark.java import executor_command
from clusterworker.spark.settings import api_server, settings_of

POD = {
    "CLUSTERTRIGGER_POD_NAME": "nightly-1a2b-28999-x7k2p",
    "CLUSTERTRIGGER_POD_NAMESPACE": "search",
    "CLUSTERTRIGGER_POD_IP": "10.0.0.7",
    "CLUSTERTRIGGER_POD_UID": "6e1f",
    "KUBERNETES_SERVICE_HOST": "10.96.0.1",
    "KUBERNETES_SERVICE_PORT": "443",
}
ENGINE: dict[str, Any] = {
    "type": "spark",
    "executors": 3,
    "image": "registry.example.com/clustertrigger/spark:1",
    "service_account_name": "clustering",
    "executor_cores": 2,
    "executor_cpu_request": "1500m",
    "executor_cpu_limit": "2",
    "executor_memory": 8192,
    "executor_template": {"spec": {"containers": [{"name": "executor"}]}},
}
EXECUTOR = {
    "SPARK_DRIVER_URL": "spark://CoarseGrainedScheduler@10.0.0.7:7078",
    "SPARK_EXECUTOR_ID": "4",
    "SPARK_EXECUTOR_CORES": "2",
    "SPARK_APPLICATION_ID": "spark-1",
    "SPARK_EXECUTOR_POD_IP": "10.0.0.9",
    "SPARK_RESOURCE_PROFILE_ID": "0",
    "SPARK_EXECUTOR_POD_NAME": "nightly-exec-4",
    "SPARK_EXECUTOR_MEMORY": "1024m",
    "SPARK_JAVA_OPT_10": "-Dlast",
    "SPARK_JAVA_OPT_2": "-Dsecond",
    "SPARK_JAVA_OPT_0": "-Dfirst",
}


def settings(tmp_path: Path, environment: dict[str, str] | None = None, **fields: Any) -> dict[str, str]:
    engine = Engine.model_validate(ENGINE | fields)
    return settings_of(engine, "nightly-1a2b", tmp_path, 4 << 30, POD if environment is None else environment)


@pytest.mark.parametrize(
    ("host", "url"), [("10.96.0.1", "https://10.96.0.1:443"), ("fd00::1", "https://[fd00::1]:443")]
)
def test_the_api_server_is_found_without_a_name(host: str, url: str) -> None:
    assert api_server({**POD, "KUBERNETES_SERVICE_HOST": host}) == url


def test_est_executors_are_pods_of_the_driver(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert found["spark.master"] == "k8s://https://10.96.0.1:443"
    assert found["spark.kubernetes.namespace"] == "search"
    assert found["spark.kubernetes.driver.pod.name"] == POD["CLUSTERTRIGGER_POD_NAME"]
    assert found["spark.kubernetes.executor.podNamePrefix"] == "nightly-1a2b-28999-x7k2p-6e1f"
    assert found["spark.driver.host"] == "10.0.0.7"
    assert (found["spark.driver.port"], found["spark.blockManager.port"]) == ("7078", "7079")
    assert found["spark.executor.instances"] == "3"
    assert found["spark.executor.cores"] == "2"
    assert found["spark.kubernetes.executor.request.cores"] == "1500m"
    assert found["spark.kubernetes.executor.limit.cores"] == "2"
    assert found["spark.kubernetes.container.image"] == ENGINE["image"]
    assert found["spark.kubernetes.authenticate.executor.serviceAccountName"] == "clustering"
    assert (found["spark.authenticate"], found["spark.ui.enabled"]) == ("true", "false")
    assert (
        json.loads(Path(found["spark.kubernetes.executor.podTemplateFile"]).read_text())
        == (ENGINE["executor_template"])
    )


def test_executors_go_where_the_queue_has_admitted_them(tmp_path: Path) -> None:
    placement = {"node_selector": {"pool": "spot"}, "tolerations": [{"key": "spot", "operator": "Exists"}]}
    found = settings(tmp_path, {**POD, "CLUSTERTRIGGER_EXECUTOR_PLACEMENT": json.dumps(placement)})
    spec = json.loads(Path(found["spark.kubernetes.executor.podTemplateFile"]).read_text())["spec"]
    assert spec["containers"] == [{"name": "executor"}]
    assert (spec["nodeSelector"], spec["tolerations"]) == (placement["node_selector"], placement["tolerations"])
    # The kubelet sets a variable without a value if the Pod has no such annotation.
    found = settings(tmp_path, {**POD, "CLUSTERTRIGGER_EXECUTOR_PLACEMENT": ""})
    template = json.loads(Path(found["spark.kubernetes.executor.podTemplateFile"]).read_text())
    assert template == ENGINE["executor_template"]


@pytest.mark.parametrize(("memory", "heap"), [(1024, 512), (2048, 512), (8192, 1024), (65536, 4096)])
def test_an_executors_memory_is_that_of_its_pod(tmp_path: Path, memory: int, heap: int) -> None:
    found = settings(tmp_path, executor_memory=memory)
    assert found["spark.executor.memory"] == f"{heap}m"
    assert found["spark.executor.memoryOverhead"] == f"{memory - heap}m"


def test_executors_of_two_attempts_have_other_names(tmp_path: Path) -> None:
    name = "collections-of-the-search-team-nightly-1a2b3c-29000000-"
    attempts = [
        POD | {"CLUSTERTRIGGER_POD_NAME": f"{name}{end}", "CLUSTERTRIGGER_POD_UID": f"{end}-0000-4000"}
        for end in ("x7k2p123", "b9d4f567")
    ]
    prefixes = [settings(tmp_path, pod)["spark.kubernetes.executor.podNamePrefix"] for pod in attempts]
    assert prefixes[0] != prefixes[1]
    assert all(len(prefix) <= 47 for prefix in prefixes)


def test_without_a_limit_there_is_none(tmp_path: Path) -> None:
    assert "spark.kubernetes.executor.limit.cores" not in settings(tmp_path, executor_cpu_limit=None)


def test_the_pull_policy_is_the_templates(tmp_path: Path) -> None:
    assert settings(tmp_path)["spark.kubernetes.container.image.pullPolicy"] == "IfNotPresent"
    container = {"name": "executor", "imagePullPolicy": "Always"}
    found = settings(tmp_path, executor_template={"spec": {"containers": [container]}})
    assert found["spark.kubernetes.container.image.pullPolicy"] == "Always"


def test_outside_of_a_pod_executors_are_threads(tmp_path: Path) -> None:
    found = settings(tmp_path, {})
    assert found["spark.master"] == "local[6,4]"
    assert not [name for name in found if name.startswith("spark.kubernetes")]


def test_a_pod_that_does_not_know_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match="CLUSTERTRIGGER_POD_IP is not set"):
        settings(tmp_path, {name: value for name, value in POD.items() if name != "CLUSTERTRIGGER_POD_IP"})


def test_an_executor_is_started_as_spark_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "java", lambda: "/usr/bin/java")
    command = executor_command(EXECUTOR)
    assert command[:6] == ["/usr/bin/java", "-Dfirst", "-Dsecond", "-Dlast", "-Xms1024m", "-Xmx1024m"]
    assert command[6] == "-cp"
    assert command[7].endswith("/pyspark/jars/*")
    options = dict(zip(command[9::2], command[10::2], strict=True))
    assert options["--driver-url"] == EXECUTOR["SPARK_DRIVER_URL"]
    assert options["--executor-id"] == "4"
    assert options["--hostname"] == "10.0.0.9"
    assert options["--podName"] == "nightly-exec-4"


def test_only_spark_starts_executors() -> None:
    with pytest.raises(MisconfiguredError, match="SPARK_DRIVER_URL is not set: only Spark starts this command"):
        executor_command({})


def test_an_image_without_java_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(MisconfiguredError, match="needs an image with PySpark and Java 17"):
        executor_command(EXECUTOR)
