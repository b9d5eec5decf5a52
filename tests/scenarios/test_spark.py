"""Tests of a run with Spark on a real API server: its driver creates executors with the rights of the chart's role.

There is no kubelet: the test runs the Pods of this namespace as processes of this machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from clustercontract.run import RUN_SPEC_VARIABLE
from clustertrigger.api.names import ANNOTATION_PLACEMENT, LABEL_ROLE, ROLE_EXECUTOR
from clustertrigger.core.kube import paths
from harness.cluster.files import REPOSITORY
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Kube, Object, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import interval
from harness.control_plane.sandbox import Sandbox
from harness.helm import find_helm

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java")]

ACCOUNT = "spark-driver"
_LONG = 120.0
"""Seconds in which Java starts on a busy machine."""
DRIVER = f"""
import os, sys, time
from pathlib import Path
from clustercontract.run import RunSpec
from clusterworker.process.errors import RunError
from clusterworker.process.progress import Progress
from clusterworker.spark.executors import started

scratch = Path(sys.argv[1])
engine = RunSpec.model_validate_json(os.environ["{RUN_SPEC_VARIABLE}"]).engine

def mark(number):
    while not (scratch / "go").exists():
        time.sleep(0.1)
    (scratch / f"part-{{number}}").write_text("done")

try:
    with started(engine, "products-1", scratch, 2 << 30, Progress()) as executors:
        executors.carry_out(mark, list(range(6)), Progress())
except RunError as error:
    sys.exit(f"failed: {{error}}")
"""


class Machine:
    """Runs the Pods of a namespace as processes.

    Args:
        sandbox: The namespace.
        folder: Folder for their files.
    """

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self._kube, self._namespace, self._folder = sandbox.kube, sandbox.namespace, folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def executors(self) -> list[Object]:
        """The executors' current Pods."""
        return self._kube.items(f"{paths.pods(self._namespace)}?labelSelector={LABEL_ROLE}%3D{ROLE_EXECUTOR}")

    def start(self, pod: Object, program: list[str], **environment: str) -> subprocess.Popen[bytes]:
        """Starts a process with a Pod's variables, and sets the Pod's status to running."""
        name = pod["metadata"]["name"]
        address = f"127.0.0.{len(self._processes) + 2}"  # Spark's ports are the same in all Pods
        fields = {
            "metadata.name": name,
            "metadata.namespace": self._namespace,
            "metadata.uid": pod["metadata"]["uid"],
            "status.podIP": address,
            f"metadata.annotations['{ANNOTATION_PLACEMENT}']": "",  # only a queue sets it
        }
        (container,) = pod["spec"]["containers"]
        own = {
            variable["name"]: fields[variable["valueFrom"]["fieldRef"]["fieldPath"]]
            if "valueFrom" in variable
            else variable.get("value", "")
            for variable in container["env"]
        }
        scratch = self._folder / name
        scratch.mkdir()
        server = urlsplit(self._kube.server)
        own |= {
            "KUBERNETES_SERVICE_HOST": str(server.hostname),
            "KUBERNETES_SERVICE_PORT": str(server.port),
            "PYTHONPATH": str(REPOSITORY / "operator"),
            "SPARK_LOCAL_DIRS": str(scratch),
            **environment,
        }
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(program, env={**os.environ, **own}, stdout=log, stderr=log, cwd=scratch)
        self._processes[name] = process
        ready = [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady", "PodScheduled")]
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": ready}
        self._kube.patch(f"{paths.pods(self._namespace)}/{name}/status", {"status": status})
        return process

    def start_executors(self) -> bool:
        """Starts the processes of new Pods; returns False, so that a wait continues."""
        for pod in self.executors():
            if pod["metadata"]["name"] not in self._processes:
                self.start(pod, [sys.executable, "-m", "clusterworker", *pod["spec"]["containers"][0]["args"]])
        return False

    def kill(self, name: str) -> None:
        """Ends an executor's process, and removes its Pod."""
        self._processes[name].kill()
        self._kube.delete(f"{paths.pods(self._namespace)}/{name}?gracePeriodSeconds=0")

    def stop(self) -> None:
        """Ends all processes."""
        for process in self._processes.values():
            process.kill()
            process.wait()


@pytest.fixture
def machine(sandbox: Sandbox, tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(sandbox, tmp_path)
    yield machine
    machine.stop()
    for log in sorted(tmp_path.glob("*.log")):
        sys.stdout.write(f"--- {log.name}\n{log.read_text(errors='replace')[-4000:]}\n")


def kubeconfig(kube: Kube, namespace: str, file: Path) -> Path:
    """A kubeconfig of the driver's account, in place of the token that a kubelet mounts."""
    request = {"spec": {"expirationSeconds": 3600}}
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts/{ACCOUNT}"
    token = kube.create(f"{account}/token", request)["status"]["token"]
    config = yaml.safe_load(kube.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    file.write_text(yaml.safe_dump(config))
    return file


def bound(sandbox: Sandbox) -> None:
    """Creates the account, and binds it to the chart's ClusterRole."""
    manifests = yaml.safe_load_all(find_helm(namespace="ops").render("clustertrigger", {"spark": {"enabled": True}}))
    role = next(one for one in manifests if one and one["metadata"]["name"] == "clustertrigger-spark-driver")
    own = {**role, "kind": "Role", "metadata": {"name": ACCOUNT}}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT}
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": sandbox.namespace}
    binding: Object = {"kind": "RoleBinding", "metadata": {"name": ACCOUNT}, "roleRef": reference}
    account: Object = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}}
    sandbox.apply(account, own, {**binding, "apiVersion": role["apiVersion"], "subjects": [subject]})


def driver(sandbox: Sandbox, kubelet: Kubelet, machine: Machine, tmp_path: Path) -> Any:
    """The process of the run's Pod."""
    (job,) = eventually(lambda: sandbox.jobs("products"))
    pod = kubelet.pod_of(job["metadata"]["name"])
    config = kubeconfig(sandbox.kube, sandbox.namespace, tmp_path / "kubeconfig")
    scratch = tmp_path / "parts"
    scratch.mkdir()
    return machine.start(pod, [sys.executable, "-c", DRIVER, str(scratch)], KUBECONFIG=str(config))


def test_a_driver_makes_executors_and_replaces_a_lost_one(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, machine: Machine, tmp_path: Path
) -> None:
    operator(spark_image="spark:test")
    bound(sandbox)
    resources = {"requests": {"cpu": "100m", "memory": "1Gi"}}
    engine = {"type": "spark", "executors": 2, "executor": {"resources": resources}}
    sandbox.trigger("products", interval(3600, start_immediately=True, service_account_name=ACCOUNT, engine=engine))
    process = driver(sandbox, kubelet, machine, tmp_path)

    first = eventually(machine.executors, _LONG, until=lambda found: len(found) == 2, what="two executors")
    for pod in first:
        (owner,) = pod["metadata"]["ownerReferences"]
        assert owner["kind"] == "Pod"
        (container,) = pod["spec"]["containers"]
        assert (container["image"], container["args"]) == ("spark:test", ["executor"])
        assert container["resources"]["limits"]["memory"] == "1Gi"
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert not any("projected" in volume for volume in pod["spec"]["volumes"])
    lost = first[0]["metadata"]["name"]
    machine.start_executors()
    machine.kill(lost)
    names = {pod["metadata"]["name"] for pod in first}
    eventually(
        lambda: [pod for pod in machine.executors() if pod["metadata"]["name"] not in names],
        _LONG,
        what="an executor in place of the lost one",
    )
    (tmp_path / "parts/go").touch()
    eventually(lambda: machine.start_executors() or process.poll() is not None, _LONG, what="the driver has ended")
    assert process.poll() == 0
    assert sorted(file.name for file in (tmp_path / "parts").glob("part-*")) == [f"part-{n}" for n in range(6)]
    eventually(lambda: not machine.executors(), what="executors are gone with their run")


def test_without_the_right_it_says_whose(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, machine: Machine, tmp_path: Path
) -> None:
    operator(spark_image="spark:test")
    sandbox.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}})
    sandbox.trigger(
        "products", interval(3600, start_immediately=True, service_account_name=ACCOUNT, engine={"type": "spark"})
    )
    process = driver(sandbox, kubelet, machine, tmp_path)
    assert process.wait(_LONG) == 1
    (log,) = tmp_path.glob("products-*.log")
    said = log.read_text().splitlines()[-1]
    assert said.startswith("failed: "), said
    assert f"system:serviceaccount:{sandbox.namespace}:{ACCOUNT}" in said
    assert json.dumps("forbidden")[1:-1] in said
