"""Tests of a whole cluster of plain processes, from `up` to `down`."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.cluster.debian import program_image
from harness.cluster.debian.cluster import DebianCluster, cgroup_name
from harness.cluster.debian.packages import require_debian
from harness.cluster.errors import ClusterError
from harness.cluster.files import REPOSITORY

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

POD = f"""\
apiVersion: v1
kind: Pod
metadata: {{name: holder}}
spec:
  automountServiceAccountToken: false
  containers:
  - name: main
    image: {program_image.PAUSE}
    imagePullPolicy: Never
    securityContext: {{runAsNonRoot: true, runAsUser: 65532, readOnlyRootFilesystem: true}}
"""


@dataclass
class Shell:
    """The command line, for one directory."""

    directory: Path

    def __call__(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "harness.cluster", command, "--directory", str(self.directory), *arguments]
        environment = {**os.environ, "CLUSTER": "debian"}
        return subprocess.run(argv, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        argv = ["kubectl", "--kubeconfig", str(self.directory / "kubeconfig"), *arguments]
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=True).stdout

    def rules(self) -> str:
        """Returns the rules of iptables in the cluster's own network."""
        init = json.loads((self.directory / "run/init.json").read_text())["pid"]
        return _rules("nsenter", f"--target={init}", "--net")

    def traces(self) -> list[str]:
        """Returns what this cluster uses on the machine: processes, mounts, network devices, control groups, files."""
        found = [str(self.directory)] if self.directory.exists() else []
        found += [path for path in _mounts() if path.startswith(str(self.directory))]
        found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/{cgroup_name(self.directory)}")]
        found += [str(path) for path in Path("/sys/fs/cgroup").glob(cgroup_name(self.directory))]
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().decode(errors="replace")
                group = (process / "cgroup").read_text()
            except OSError:
                continue
            if f"{self.directory}/" in words or cgroup_name(self.directory) in group:
                found.append(words.replace("\0", " ")[:200])
        return found


def _mounts() -> list[str]:
    return [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def _devices() -> dict[str, str]:
    """The machine's network devices and their clusters, which other tests create and delete at the same time."""
    devices = json.loads(subprocess.check_output(["ip", "-json", "link"]))
    return {device["ifname"]: device.get("ifalias", "") for device in devices}


def _rules(*enter: str) -> str:
    return subprocess.check_output([*enter, "iptables-save"], text=True)


def _until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.1)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    try:
        require_debian()
    except ClusterError as error:
        pytest.skip(str(error))
    if os.geteuid() != 0:
        pytest.skip("a cluster of plain processes needs root")
    shell = Shell(tmp_path / "cluster")
    yield shell
    shell("down")


def test_up_up_status_down(shell: Shell) -> None:
    first = shell("up")
    assert first.returncode == 0, first.stderr
    assert str(shell.directory / "kubeconfig") in first.stdout
    record = str(shell.directory / "link.json")
    device = f"ctcluster{json.loads(Path(record).read_text())['index']}"
    assert _devices()[device] == record
    pids = {path.name: path.read_text() for path in (shell.directory / "run").glob("*.json")}

    second = shell("up")
    assert second.returncode == 0, second.stderr
    assert "nothing to do" in second.stderr
    assert pids == {path.name: path.read_text() for path in (shell.directory / "run").glob("*.json")}

    status = shell("status")
    assert status.returncode == 0, status.stdout
    assert "kube-apiserver" in status.stdout
    assert " ready " in status.stdout

    shell.kubectl("apply", "-f", "-", stdin=POD)
    shell.kubectl("wait", "--for=condition=Ready", "pod/holder", "--timeout=60s")
    assert [trace for trace in shell.traces() if "/pause" in trace]

    # kube-proxy writes the names of Services into its rules: into those of the cluster's network, and no other's.
    service = f"marked-{uuid.uuid4().hex}"
    shell.kubectl("create", "service", "clusterip", service, "--tcp=80")
    _until(lambda: service in shell.rules())
    assert service not in _rules()

    down = shell("down")
    assert down.returncode == 0, down.stderr
    assert shell.traces() == []
    assert record not in _devices().values()
    assert service not in _rules()
    assert shell("status").returncode == 1


def test_a_crash_is_repaired_by_up_and_removed_by_down(shell: Shell) -> None:
    assert shell("up").returncode == 0
    shell.kubectl("apply", "-f", "-", stdin=POD)
    shell.kubectl("wait", "--for=condition=Ready", "pod/holder", "--timeout=60s")
    shell.kubectl("create", "configmap", "kept")

    _kill_everything(shell.directory)
    status = shell("status")
    assert status.returncode == 1
    assert "stopped" in status.stdout

    assert shell("up").returncode == 0
    assert "configmap/kept" in shell.kubectl("get", "configmap", "kept", "--output", "name")
    shell.kubectl("wait", "--for=condition=Ready", "pod/holder", "--timeout=60s")

    _kill_everything(shell.directory)
    assert shell("down").returncode == 0
    assert shell.traces() == []


def test_down_finds_a_cluster_whose_records_are_lost(shell: Shell, tmp_path: Path) -> None:
    assert shell("up").returncode == 0
    shell.directory.rename(tmp_path / "elsewhere")
    assert shell.traces()
    assert shell("down").returncode == 0
    assert shell.traces() == []


def test_two_clusters_side_by_side(shell: Shell, tmp_path: Path) -> None:
    other = Shell(tmp_path / "other")
    try:
        assert shell("up").returncode == 0
        assert other("up").returncode == 0
        for each in (shell, other):
            each.kubectl("apply", "-f", "-", stdin=POD)
            each.kubectl("wait", "--for=condition=Ready", "pod/holder", "--timeout=60s")
        servers = {
            each.kubectl("config", "view", "--output=jsonpath={.clusters[0].cluster.server}") for each in (shell, other)
        }
        assert len(servers) == 2
        assert DebianCluster(shell.directory).host_address != DebianCluster(other.directory).host_address
        assert other("down").returncode == 0
        shell.kubectl("wait", "--for=condition=Ready", "pod/holder", "--timeout=5s")
    finally:
        other("down")


def _kill_everything(directory: Path) -> None:
    for path in (directory / "run").glob("*.json"):
        os.kill(json.loads(path.read_text())["pid"], signal.SIGKILL)
        if path.stem == "init":
            break  # the kernel has ended all others
