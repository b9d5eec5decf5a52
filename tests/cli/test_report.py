"""Tests of `kubectl clustertrigger report`: the location of a report, and messages; a story tests the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clustercontract.run import RunResult
from clustertrigger.api.status import Execution
from clustertrigger.api.stored import read_part
from clustertrigger.cli.main import main
from clustertrigger.results.pod import place_of
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import rarely
from harness.control_plane.sandbox import Sandbox
from tests.cli.test_watch import fire


def run(uri: str) -> Execution:
    entry: Object = {
        "job_id": "j", "slot": "manual/a", "triggered_at": "2026-01-01T00:00:00Z", "status": "completed",
        "results_uri": uri,
    }  # fmt: skip
    return read_part(Execution, entry)


def job(name: str, claim: str) -> Object:
    """A run's Job, with the fields that these tests need."""
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
def test_the_location_of_a_report(
    uri: str, results: Object, jobs: list[Object], said: str | None, place: dict[str, Any]
) -> None:
    policy = {"results": results, "node_selector": {"a": "b"}, "tolerations": [{"operator": "Exists"}]}
    found = place_of({"spec": {"run": policy}}, run(uri), jobs, claim=said, image="worker:1")
    assert {name: getattr(found, name) for name in place} == place
    assert (found.image, found.node_selector) == ("worker:1", {"a": "b"})
    assert place_of({"spec": {}}, run(uri), jobs, claim=said, image="i").tolerations == ()


def test_a_report_in_the_earlier_location_of_results() -> None:
    """The history contains the claim longer than the Job exists, but not how to access a bucket."""
    entry, now = replace(run("/results/b/a/j"), volumes=["old", "data"]), {"volume": "new"}
    for results in (now, {"uri": "s3://bucket/p", "secret_name": "keys"}):
        found = place_of({"spec": {"run": {"results": results}}}, entry, [], claim=None, image="i")
        assert (found.uri, found.claim, found.secret) == ("/results/b/a/j/report.html", "old", None)
    assert place_of({"spec": {"run": {"results": now}}}, entry, [job("j", "own")], claim=None, image="i").claim == "own"
    with pytest.raises(LookupError, match=r"the results of run 'j' are in s3://bucket/p/b/a/j, but run\.results of"):
        place_of({"spec": {"run": {"results": {"uri": "x"}}}}, run("s3://bucket/p/b/a/j"), [], claim=None, image="i")


def test_missing_triggers_and_runs(
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
    missing = "no PersistentVolumeClaim {0!r} in namespace {1!r}: set --claim to the claim with the results"
    assert said() == missing.format("clustertrigger-results", sandbox.namespace)
    assert said("--claim", "mine") == missing.format("mine", sandbox.namespace)
    assert said("--claim", "../secrets/x") == missing.format("../secrets/x", sandbox.namespace)
    sandbox.delete_job(first)
    eventually(lambda: not sandbox.jobs())
    assert said() == "the worker's image is not known, because the Jobs of past runs were deleted: set --image"
    pods = f"/api/v1/namespaces/{sandbox.namespace}/pods"
    assert sandbox.kube.items(pods) == []
