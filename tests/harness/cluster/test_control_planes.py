"""Tests of a separate control plane, and of failures of its parts."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cluster.accounts import service_account_kubeconfig
from harness.cluster.choose import KIND, chosen
from harness.cluster.control_planes import ControlPlane, control_plane
from harness.cluster.files import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with control_plane() as plane:
        yield plane


def kubectl(kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = ["kubectl", "--kubeconfig", str(kubeconfig), "--request-timeout=60s", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def eventually(kubeconfig: Path, *arguments: str, seconds: float = 60) -> str:
    deadline = time.monotonic() + seconds
    while True:
        answer = kubectl(kubeconfig, *arguments)
        if answer.returncode == 0 and answer.stdout:
            return answer.stdout
        if time.monotonic() > deadline:
            raise AssertionError(answer.stderr or "no output")
        time.sleep(0.2)


def test_controllers_run(plane: ControlPlane) -> None:
    image = ["--image=nowhere.invalid/none:1"]
    assert kubectl(plane.kubeconfig, "create", "job", "makes-a-pod", *image).returncode == 0
    assert "makes-a-pod" in eventually(
        plane.kubeconfig, "get", "pods", "--selector=job-name=makes-a-pod", "--output=name"
    )


def test_rights_are_checked(plane: ControlPlane, tmp_path: Path) -> None:
    assert kubectl(plane.kubeconfig, "create", "serviceaccount", "reader").returncode == 0
    reader = service_account_kubeconfig(plane.kubeconfig, "default", "reader", tmp_path / "kubeconfig")
    refused = kubectl(reader, "get", "pods")
    assert "system:serviceaccount:default:reader" in refused.stderr
    assert kubectl(plane.kubeconfig, "create", "rolebinding", "reader", "--clusterrole=view",
                   "--serviceaccount=default:reader").returncode == 0  # fmt: skip
    assert eventually(reader, "auth", "can-i", "list", "pods") == "yes\n"
    assert kubectl(reader, "get", "pods").returncode == 0


def test_the_api_server_is_restarted_if_etcd_starts_late(plane: ControlPlane) -> None:
    """The API server ends when etcd does not answer within 20 s, which a busy disk can cause."""
    plane.kill_api_server()
    plane.stop_etcd()
    late = threading.Timer(23, plane.start_etcd)
    late.start()
    plane.start_api_server()
    late.join()
    assert kubectl(plane.kubeconfig, "get", "namespaces").returncode == 0


def test_a_killed_api_server_refuses_and_comes_back_with_its_data(plane: ControlPlane) -> None:
    assert kubectl(plane.kubeconfig, "create", "configmap", "before").returncode == 0
    server = plane.server
    plane.kill_api_server()
    assert "refused" in kubectl(plane.kubeconfig, "get", "configmap", "before").stderr
    plane.start_api_server()
    assert plane.server == server
    assert kubectl(plane.kubeconfig, "get", "configmap", "before").returncode == 0


def test_without_etcd_requests_fail_until_it_returns(plane: ControlPlane) -> None:
    plane.stop_etcd()
    assert kubectl(plane.kubeconfig, "create", "configmap", "lost").returncode != 0
    plane.start_etcd()
    assert "namespace/default" in eventually(plane.kubeconfig, "get", "namespace", "default", "--output=name")


def test_without_controllers_jobs_create_no_pods(plane: ControlPlane) -> None:
    plane.stop_controller_manager()
    assert kubectl(plane.kubeconfig, "create", "job", "waits", "--image=nowhere.invalid/none:1").returncode == 0
    time.sleep(2)
    pods = ["get", "pods", "--selector=job-name=waits", "--output=name"]
    assert kubectl(plane.kubeconfig, *pods).stdout == ""
    plane.start_controller_manager()
    assert "waits" in eventually(plane.kubeconfig, *pods)


KILLED = """
import os, signal
from harness.cluster.debian import ControlPlane
plane = ControlPlane()
plane.start()
print(plane.directory, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(chosen() == KIND, reason="kind clusters of killed tests are listed by `kind get clusters`")
def test_remains_of_a_killed_test_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A temporary directory of its own: a test beside this one would remove what is left, too.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    left = Path(killed.stdout.strip())
    assert left.is_dir(), killed.stderr
    assert kubectl(left / "kubeconfig", "get", "namespaces").returncode == 0
    with control_plane() as other:
        assert not left.exists()
        assert other.directory != left
