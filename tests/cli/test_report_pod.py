"""Tests of the Pod that reads results: it can only read, and it is deleted whatever happens."""

from __future__ import annotations

import threading

import pytest

from clustercontract.run import RunResult
from clustertrigger.api.status import Execution
from clustertrigger.api.stored import read_part
from clustertrigger.cli.main import main
from clustertrigger.results.pod import Place, place_of, reader_pod
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import rarely
from harness.control_plane.sandbox import Sandbox
from tests.cli.test_watch import fire

OWNER = {"name": "search.nightly", "uid": "1234"}


def test_the_pod_can_only_read() -> None:
    claim = reader_pod(OWNER, Place("/results/x/report.html", claim="c", image="i"))
    (container,) = claim["spec"]["containers"]
    assert {"name": "results", "mountPath": "/results", "readOnly": True} in container["volumeMounts"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert claim["spec"]["automountServiceAccountToken"] is False
    assert claim["spec"]["activeDeadlineSeconds"] <= 600
    assert claim["metadata"]["generateName"] == "search-nightly-report-"
    bucket = reader_pod(OWNER, Place("s3://b/k", secret="keys", image="i"))
    assert {volume["name"] for volume in bucket["spec"]["volumes"]} == {"scratch", "secret"}
    assert (
        "clustertrigger.dev/trigger"
        not in reader_pod({**OWNER, "name": "n" * 64}, Place("s3://b/k"))["metadata"]["labels"]
    )


def test_the_pod_is_placed_as_the_runs_of_its_trigger() -> None:
    """With a ReadWriteOnce claim, it must be on the node that the trigger's affinity chooses."""
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}]}}}  # fmt: skip
    policy = {
        "affinity": affinity,
        "runtime_class_name": "gvisor",
        "image_pull_secrets": [{"name": "registry"}],
        "pod_labels": {"example.com/team": "search", "clustertrigger.dev/role": "run"},
        "pod_annotations": {"sidecar.istio.io/inject": "false"},
    }
    entry = {"job_id": "j", "slot": "manual/a", "triggered_at": "2026-01-01T00:00:00Z", "status": "completed"}
    run = read_part(Execution, {**entry, "results_uri": "/results/b/a/j"})
    pod = reader_pod(OWNER, place_of({"spec": {"run": policy}}, run, [], claim=None, image="i"))
    assert pod["spec"]["affinity"] == affinity
    assert pod["spec"]["runtimeClassName"] == "gvisor"
    assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["metadata"]["annotations"] == {"sidecar.istio.io/inject": "false"}
    assert pod["metadata"]["labels"]["example.com/team"] == "search"
    assert pod["metadata"]["labels"]["clustertrigger.dev/role"] == "report"


def test_a_pod_that_does_not_start_is_reported_and_deleted(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    operator()
    monkeypatch.setattr("clustertrigger.results.reading.STARTUP", 3)
    sandbox.trigger("nightly", rarely())
    first = fire(sandbox, "nightly", "a")
    kubelet.complete(first, RunResult(status="completed", results_uri="s3://bucket/a/b/c"))
    eventually(lambda: sandbox.history("nightly")[0]["status"] == "completed")
    pods = f"/api/v1/namespaces/{sandbox.namespace}/pods?labelSelector=clustertrigger.dev/role%3Dreport"
    made: list[Object] = []

    def refuse() -> None:
        (pod,) = eventually(lambda: sandbox.kube.items(pods))
        made.append(pod)
        kubelet.write(
            pod["metadata"]["name"], "Pending", {"waiting": {"reason": "ErrImagePull", "message": "no\nimage"}}
        )

    player = threading.Thread(target=refuse)
    player.start()
    assert main(["report", "nightly", "-n", sandbox.namespace, "--kubeconfig", str(sandbox.kube.kubeconfig)]) == 1
    player.join()
    *waiting, failed = capsys.readouterr().err.splitlines()
    name = made[0]["metadata"]["name"]
    assert f"waiting for the Pod {name}: ErrImagePull no image" in waiting
    assert failed.startswith(
        f"kubectl clustertrigger: the Pod {name}, which reads the results, did not start within 3 s"
    )
    assert made[0]["spec"]["containers"][0]["image"] == "worker:test"
    assert sandbox.kube.items(pods) == []
    assert len(sandbox.history("nightly")) == 1, "the operator passes the Pod over"
