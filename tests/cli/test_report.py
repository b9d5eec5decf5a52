"""`kubectl clustertrigger report`: what Pod is made, and what is said; the whole way is a story on a real cluster."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from clustercontract.run import RunResult
from clustertrigger.api.status import Execution
from clustertrigger.api.stored import read_part
from clustertrigger.cli import report_reader
from clustertrigger.cli.main import main
from clustertrigger.cli.report import place_of
from clustertrigger.cli.report_pod import Place, reader_pod
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import rarely
from harness.control_plane.sandbox import Sandbox
from tests.cli.test_watch import fire

OWNER = {"name": "search.nightly", "uid": "1234"}


def run(uri: str) -> Execution:
    entry: Object = {
        "job_id": "j", "slot": "manual/a", "triggered_at": "2026-01-01T00:00:00Z", "status": "completed",
        "results_uri": uri,
    }  # fmt: skip
    return read_part(Execution, entry)


def job(name: str, claim: str) -> Object:
    """A run's Job, as far as it matters here."""
    container = {
        "name": "worker", "image": "worker:1", "imagePullPolicy": "Never",
        "volumeMounts": [{"name": "v", "mountPath": "/results"}, {"name": "w", "mountPath": "/tmp"}],
    }  # fmt: skip
    volumes = [{"name": "w", "emptyDir": {}}, {"name": "v", "persistentVolumeClaim": {"claimName": claim}}]
    pod = {"containers": [container], "volumes": volumes, "imagePullSecrets": [{"name": "registry"}]}
    return {"metadata": {"name": name}, "spec": {"template": {"spec": pod}}}


@pytest.mark.parametrize(
    ("uri", "results", "jobs", "said", "place"),
    [
        ("/results/b/a/j", {}, [], None, {"uri": "/results/b/a/j/report.html", "claim": "clustertrigger-results"}),
        ("/results/b/a/j", {"volume": "mine"}, [], None, {"claim": "mine"}),
        ("/results/b/a/j", {"volume": "new"}, [job("j", "old")], None, {"claim": "old", "image_pull_policy": "Never",
                                                                       "image_pull_secrets": ("registry",)}),
        ("/results/b/a/j", {"volume": "mine"}, [job("x", "other")], None, {"claim": "mine",
                                                                          "image_pull_secrets": ("registry",)}),
        ("/results/b/a/j", {"volume": "mine"}, [job("j", "old")], "said", {"claim": "said"}),
        ("s3://bucket/p/b/a/j", {"secret_name": "keys", "endpoint": "https://s3", "region": "eu"}, [job("x", "o")],
         None,
         {"uri": "s3://bucket/p/b/a/j/report.html", "claim": None, "secret": "keys", "endpoint": "https://s3",
          "region": "eu"}),
    ],
)  # fmt: skip
def test_where_a_report_lies(
    uri: str, results: Object, jobs: list[Object], said: str | None, place: dict[str, Any]
) -> None:
    policy = {"results": results, "node_selector": {"a": "b"}, "tolerations": [{"operator": "Exists"}]}
    found = place_of({"spec": {"run": policy}}, run(uri), jobs, claim=said, image="worker:1")
    assert {name: getattr(found, name) for name in place} == place
    assert (found.image, found.node_selector) == ("worker:1", {"a": "b"})
    assert place_of({"spec": {}}, run(uri), jobs, claim=said, image="i").tolerations == ()


def test_the_pod_may_read_and_nothing_else() -> None:
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


def read_in_pod(asked: Object) -> subprocess.CompletedProcess[bytes]:
    """As in the Pod: the source as text, with nothing of this project on the path."""
    words = [sys.executable, "-I", "-c", Path(report_reader.__file__).read_text(), json.dumps(asked)]
    return subprocess.run(words, capture_output=True, check=False)


def test_the_reader_in_the_pod(tmp_path: Path) -> None:
    content = b"<html>" + bytes(range(256)) * 4096
    file = tmp_path / "report.html"
    file.write_bytes(content)
    done = read_in_pod({"uri": str(file)})
    assert (done.returncode, done.stderr) == (0, b"")
    assert gzip.decompress(done.stdout) == content
    missing = read_in_pod({"uri": str(tmp_path / "missing")})
    assert (missing.returncode, missing.stderr.decode()) == (3, f"{tmp_path}/missing is not there\n")
    folder = read_in_pod({"uri": str(tmp_path)})
    assert folder.returncode == 1
    assert b"Is a directory" in folder.stderr


def test_what_there_is_not(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, capsys: pytest.CaptureFixture[str]
) -> None:
    operator()
    sandbox.trigger("nightly", rarely())
    eventually(lambda: sandbox.status("nightly"))

    def said(*arguments: str) -> str:
        capsys.readouterr()
        scope = ["-n", sandbox.namespace, "--kubeconfig", str(sandbox.kube.kubeconfig)]
        assert main(["report", "nightly", *arguments, *scope]) == 1
        return capsys.readouterr().err.removeprefix("kubectl clustertrigger: ").strip()

    assert said().startswith("no run of trigger 'nightly' has completed")
    first = fire(sandbox, "nightly", "a")
    assert said("--run", first) == f"--run: '{first}' is pending: only completed runs have a report"
    assert said("--run", "x").startswith("--run: 'x' is not in the trigger's history")
    kubelet.complete(first, RunResult(status="completed", results_uri="/results/a/b/c"))
    eventually(lambda: sandbox.history("nightly")[0]["status"] == "completed")
    missing = "no PersistentVolumeClaim {0!r} in namespace {1!r}: name the one that holds the results with --claim"
    assert said() == missing.format("clustertrigger-results", sandbox.namespace)
    assert said("--claim", "mine") == missing.format("mine", sandbox.namespace)
    assert said("--claim", "../secrets/x") == missing.format("../secrets/x", sandbox.namespace)
    sandbox.delete_job(first)
    eventually(lambda: not sandbox.jobs())
    assert said() == "the worker's image is not known: the Jobs of past runs are gone: name it with --image"
    pods = f"/api/v1/namespaces/{sandbox.namespace}/pods"
    assert sandbox.kube.items(pods) == []


def test_a_pod_that_does_not_start_is_said_and_deleted(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    operator()
    monkeypatch.setattr("clustertrigger.cli.report_pod._STARTUP", 3)
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
