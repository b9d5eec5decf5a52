"""Tests of `kubectl clustertrigger results` against a real API server."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from clustercontract.brief import CentralDocument, ClusterBrief, EnrichmentBrief, NodeBrief
from clustercontract.run import RunResult
from clustertrigger.cli.main import main
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import enrichment, rarely, taxonomy
from harness.control_plane.sandbox import Sandbox
from tests.cli.test_watch import fire

Results = Callable[..., int]


def result(first: str, noise: int = 0) -> RunResult:
    clusters = [
        ClusterBrief(
            cluster_id=0,
            name=first,
            num_documents=1_200,
            central_documents=[
                CentralDocument(document_id="librust-http-dev", text="HTTP for Rust"),
                CentralDocument(document_id="librust-url-dev"),
            ],
        ),
        ClusterBrief(cluster_id=1, name="fonts", num_documents=300),
    ]
    return RunResult(
        status="completed",
        num_clusters=4,
        num_documents=2_000,
        num_noise=noise,
        results_uri="/results/here",
        clusters=clusters,
    )


@pytest.fixture
def results(sandbox: Sandbox) -> Results:
    """Runs the command; returns its exit code."""

    def command(*arguments: str) -> int:
        return main(["results", "-n", sandbox.namespace, "--kubeconfig", str(sandbox.kube.kubeconfig), *arguments])

    return command


def ended(sandbox: Sandbox, name: str, status: str) -> None:
    eventually(lambda: sandbox.history(name)[0]["status"] == status)


def test_runs_and_the_clusters_of_the_newest(
    operator: StartOperator,
    sandbox: Sandbox,
    kubelet: Kubelet,
    results: Results,
    capsys: pytest.CaptureFixture[str],
) -> None:
    operator()
    sandbox.trigger("nightly", rarely())
    first = fire(sandbox, "nightly", "a")
    kubelet.complete(first, result("perl"))
    ended(sandbox, "nightly", "completed")
    second = fire(sandbox, "nightly", "b")
    kubelet.complete(second, result("rust", noise=77))
    ended(sandbox, "nightly", "completed")
    third = fire(sandbox, "nightly", "c")
    kubelet.fail(third, '{"status": "failed", "error": "no column \'embedding\'"}', exit_code=2)
    ended(sandbox, "nightly", "failed")

    assert results("nightly") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["RUN", "TRIGGERED", "STATUS", "CLUSTERS", "DOCUMENTS", "TIME", "RESULTS"]
    assert [line.split()[0] for line in lines[1:4]] == [third, second, first]
    assert lines[1].endswith("   no column 'embedding'")
    assert lines[2].split()[2:] == ["completed", "4", "2,000", lines[2].split()[5], "/results/here"]
    assert lines[4:] == [
        "",
        f"{second}: 4 clusters of 2,000 documents, 77 in no cluster",
        "#   NAME    DOCUMENTS   SHARE   MOST CENTRAL",
        "0   rust        1,200   60.0%   librust-http-dev  HTTP for Rust",
        "                                librust-url-dev",
        "1   fonts         300   15.0%",
        "2 smaller clusters are in /results/here/centroids.parquet",
    ]

    assert results("nightly", "--run", first) == 0, "its Pod is still there"
    assert "0   perl " in capsys.readouterr().out
    sandbox.delete_job(first)
    eventually(lambda: sandbox.kubectl("get", "pods", "-l", f"job-name={first}", "-o", "name").stdout == "")
    assert results("nightly", "--run", first) == 1
    assert capsys.readouterr().err == (
        f"kubectl clustertrigger: --run: the Pod of '{first}' was deleted: its clusters are in "
        "/results/here/metrics.json\n"
    )
    sandbox.delete_job(second)
    assert results("nightly", "--run", second) == 0, "the newest completed run's are in the status"

    capsys.readouterr()
    assert results("nightly", "-o", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [run["job_id"] for run in told["runs"]] == [third, second, first]
    assert told["result"]["job_id"] == second
    assert told["result"]["num_noise"] == 77
    assert told["result"]["clusters"][0]["central_documents"][0]["document_id"] == "librust-http-dev"


def test_missing_triggers_and_runs(
    operator: StartOperator,
    sandbox: Sandbox,
    kubelet: Kubelet,
    results: Results,
    capsys: pytest.CaptureFixture[str],
) -> None:
    operator()
    sandbox.trigger("young", rarely())
    eventually(lambda: sandbox.status("young"))
    assert results("young") == 1
    assert capsys.readouterr().err == "kubectl clustertrigger: trigger 'young' has not run yet\n"
    job = fire(sandbox, "young", "a")
    assert results("young") == 0
    assert len(capsys.readouterr().out.splitlines()) == 2, "no run has completed"
    assert results("young", "--run", job) == 1
    assert capsys.readouterr().err == (
        f"kubectl clustertrigger: --run: '{job}' is pending: only completed runs have clusters\n"
    )
    assert results("young", "--run", "x") == 1
    assert "--run: 'x' is not in the trigger's history" in capsys.readouterr().err
    kubelet.complete(job, RunResult(status="completed", num_clusters=0, num_documents=20, num_noise=20))
    ended(sandbox, "young", "completed")
    assert results("young") == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{job}: 0 clusters of 20 documents, 20 in no cluster"


def test_the_nodes_of_an_enrichment(
    operator: StartOperator,
    sandbox: Sandbox,
    kubelet: Kubelet,
    results: Results,
    capsys: pytest.CaptureFixture[str],
) -> None:
    operator()
    sandbox.create("taxonomies", taxonomy())
    sandbox.trigger("labels", enrichment(rarely()))
    job = fire(sandbox, "labels", "a")
    nodes = [
        NodeBrief(node_id="n1", label="Games", num_documents=1_200),
        NodeBrief(node_id="n2", label="Fonts", num_documents=300),
    ]
    brief = EnrichmentBrief(
        taxonomy_id="tax_topics",
        results_uri="/results/here",
        num_nodes=9,
        num_assigned=1_900,
        num_taken_over=1_000,
        nodes_without_documents=4,
        nodes=nodes,
    )
    found = RunResult(status="completed", num_documents=2_000, results_uri="/results/here", enrichment=brief)
    kubelet.complete(job, found)
    ended(sandbox, "labels", "completed")
    capsys.readouterr()

    assert results("labels") == 0
    assert capsys.readouterr().out.splitlines()[3:] == [
        f"{job}: 1,900 of 2,000 documents (95.0%) have a node of tax_topics, 1,000 of them taken over",
        "NODE   LABEL   DOCUMENTS   SHARE",
        "n1     Games       1,200   60.0%",
        "n2     Fonts         300   15.0%",
        "3 more nodes have documents: /results/here/metrics.json",
        "4 of 9 nodes have no documents",
    ]
    assert results("labels", "-o", "json") == 0
    said = json.loads(capsys.readouterr().out)["result"]["enrichment"]
    assert (said["num_assigned"], [node["label"] for node in said["nodes"]]) == (1_900, ["Games", "Fonts"])
    assert main(["describe", "labels", "-n", sandbox.namespace, "--kubeconfig", str(sandbox.kube.kubeconfig)]) == 0
    told = capsys.readouterr().out
    assert "taxonomy_enrichment  collection_id col_products, taxonomy_id tax_topics" in told
    assert "1,900 of 2,000 documents (95.0%) have a node of tax_topics" in told
