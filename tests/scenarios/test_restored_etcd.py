"""Tests of etcd that is restored from a backup: the restored objects apply, whether versions are lower or higher."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import pytest

from harness.cluster.kind_control_plane import KindControlPlane
from harness.control_plane.cluster import Cluster
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import collection, interval, rarely
from harness.control_plane.sandbox import Sandbox


class Backup:
    """A backup of etcd's data, taken while etcd is stopped."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        if isinstance(cluster.plane, KindControlPlane):
            pytest.skip("etcd's data are inside kind's node")
        self._plane = cluster.plane
        patient = httpx.HTTPTransport(retries=6)  # etcd needs some time until it listens.
        self._etcd = httpx.Client(base_url=self._plane.etcd_url, timeout=60, transport=patient)
        self._data, self._copy = cluster.plane.kubeconfig.parent / "etcd", directory / "backup"
        self._plane.stop_etcd()
        shutil.copytree(self._data, self._copy)
        self._plane.start_etcd()

    def restore(self, *, bumps: bool) -> None:
        """Restores the data in the order of the documentation, including a restart of the controllers.

        Without the restart, the controllers would complete the restored Job again, from memory
        (https://kubernetes.io/docs/tasks/administer-cluster/configure-upgrade-etcd/#restoring-an-etcd-cluster).

        Args:
            bumps: Whether the versions rise above all that were seen, and former ones count as compacted, as by the
                options --bump-revision and --mark-compacted of etcdutl.
        """
        highest = self._write()
        self._plane.stop_controller_manager()
        self._plane.kill_api_server()
        self._plane.stop_etcd()
        shutil.rmtree(self._data)
        shutil.copytree(self._copy, self._data)
        self._plane.start_etcd()
        if bumps:
            while (version := self._write()) < highest + 100:
                pass
            self._etcd.post("/v3/kv/compaction", json={"revision": version}).raise_for_status()
        self._plane.start_api_server()
        self._plane.start_controller_manager()

    def _write(self) -> int:
        """Writes something that is not Kubernetes', and returns its version."""
        answer = self._etcd.post("/v3/kv/put", json={"key": "eA==", "value": "eA=="}).raise_for_status()
        return int(answer.json()["header"]["revision"])


def test_what_is_there_now_counts(
    cluster: Cluster, operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, tmp_path: Path
) -> None:
    process = operator()
    for name in ("kept", "edited", "deleted"):
        sandbox.trigger(name, rarely())
    sandbox.trigger("running", interval(86_400, start_immediately=True))
    (entry,) = eventually(lambda: sandbox.history("running"))
    for name in ("kept", "edited", "deleted"):
        eventually(lambda: sandbox.condition(name, "Ready").get("status") == "True")

    backup = Backup(cluster, tmp_path)
    eventually(lambda: sandbox.get("kept"), what="an API server that answers again")
    for n in range(20):
        sandbox.edit("edited", {"description": f"number {n}"})
    sandbox.delete("deleted")
    sandbox.trigger("later", rarely())
    sandbox.create("collections", collection("later", "col_later"))
    kubelet.complete(entry["job_id"])
    eventually(lambda: sandbox.status("running").get("execution_count", 0) == 1)
    eventually(lambda: sandbox.condition("later", "Ready").get("status") == "True")
    eventually(lambda: process.metric("clustertrigger_triggers") == 4)
    backup.restore(bumps=False)

    # Nothing of what came after the backup has happened.
    assert sandbox.status("running").get("execution_count", 0) == 0
    eventually(lambda: process.metric("clustertrigger_triggers") == 4, what="one gone, and one back")
    for name in ("edited", "deleted", "kept"):
        generation = sandbox.edit(name, {"description": "noticed"})["metadata"]["generation"]
        eventually(
            lambda: sandbox.status(name).get("observedGeneration") == generation, 90, what=f"{name} being noticed"
        )
    sandbox.request_run("deleted", "now")
    eventually(lambda: sandbox.history("deleted"))
    sandbox.edit("kept", {"execution_config": {"collection_ids": ["col_later"]}})
    eventually(lambda: sandbox.condition("kept", "Ready").get("reason") == "CollectionNotFound")
    kubelet.complete(entry["job_id"])
    eventually(lambda: sandbox.status("running").get("execution_count", 0) == 1)
    assert any("restored from a backup" in line["message"] for line in process.log_lines())
    assert process.running()


def test_a_deleted_trigger_is_back_although_versions_are_higher(
    cluster: Cluster, operator: StartOperator, sandbox: Sandbox, tmp_path: Path
) -> None:
    """No version of a known object is lower than before: only the deleted trigger shows the restore."""
    process = operator()
    for name in ("kept", "deleted"):
        sandbox.trigger(name, rarely())
    for name in ("kept", "deleted"):
        eventually(lambda: sandbox.condition(name, "Ready").get("status") == "True")
    backup = Backup(cluster, tmp_path)
    eventually(lambda: sandbox.get("kept"), what="an API server that answers again")
    eventually(lambda: process.metric("clustertrigger_triggers") == 2)
    sandbox.delete("deleted")
    eventually(lambda: process.metric("clustertrigger_triggers") == 1)
    backup.restore(bumps=True)
    eventually(lambda: process.metric("clustertrigger_triggers") == 2, 90, what="the deleted one")
    sandbox.request_run("deleted", "now")
    eventually(lambda: sandbox.history("deleted"), 90)
    assert process.running()
