"""Tests of a run's page and its report: it is fetched with the reader's rights, and shown in a sandbox."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from clustercontract.run import RunResult
from harness.control_plane.api_process import ApiProcess
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import rarely
from harness.control_plane.sandbox import Sandbox
from harness.control_plane.tokens import grant
from tests.cli.test_watch import fire
from tests.rest.page.exec_node import ExecNode
from tests.rest.page.readers import Reader

RULES: list[Object] = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "get", "delete"]},
    {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create", "get"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list"]},
]
CLAIM = "clustertrigger-results"


def may_read_reports(sandbox: Sandbox, account: str, rules: list[Object] = RULES) -> None:
    """Gives a service account the rights that the documentation lists."""
    grant(sandbox.kube, sandbox.namespace, account, *rules)


def completed(sandbox: Sandbox, kubelet: Kubelet, folder: Path, name: str = "nightly") -> str:
    """Creates a trigger with a run whose results are in a folder; returns the run's page."""
    sandbox.trigger(name, rarely())
    job = fire(sandbox, name, "a")
    kubelet.complete(job, RunResult(status="completed", num_clusters=3, num_documents=900, results_uri=str(folder)))
    eventually(lambda: sandbox.history(name)[0]["status"] == "completed")
    return f"/triggers/{sandbox.namespace}/{name}/runs/{job}"


def claimed(sandbox: Sandbox) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claims = f"/api/v1/namespaces/{sandbox.namespace}/persistentvolumeclaims"
    sandbox.kube.create(claims, {"metadata": {"name": CLAIM}, "spec": spec})


@pytest.fixture
def node(sandbox: Sandbox, tmp_path: Path) -> Iterator[ExecNode]:
    with ExecNode(sandbox.kube, sandbox.namespace, tmp_path) as node:
        yield node


def test_the_report_of_a_run(
    editor: Reader, sandbox: Sandbox, operator: StartOperator, kubelet: Kubelet, node: ExecNode, tmp_path: Path
) -> None:
    operator()
    claimed(sandbox)
    may_read_reports(sandbox, "editor")
    content = b"<h1>Report</h1>" + random.Random(1).randbytes(300_000)
    (tmp_path / "report.html").write_bytes(content)
    path = completed(sandbox, kubelet, tmp_path)
    assert f'href="{path}"' in editor.get(path.partition("/runs/")[0]).text, "the trigger's page leads to it"

    page = editor.get(path)
    assert page.status_code == 200
    assert 'sandbox="allow-scripts"' in page.text
    assert "frame-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    for words in ("900", str(tmp_path), "Open the report"):
        assert words in page.text, words
    assert node.pods == [], "nothing is started before it is asked for"

    answer = editor.post(f"{path}/report", {"csrf": editor.csrf(path)})
    assert answer.status_code == 200, answer.text
    assert answer.content == content
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'; ")
    assert "frame-ancestors 'self'" in policy
    assert "allow-same-origin" not in policy
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert len(node.programs) == 1
    eventually(lambda: node.left() == [], what="the Pod is deleted")


def test_a_deleted_report(
    editor: Reader, sandbox: Sandbox, operator: StartOperator, kubelet: Kubelet, node: ExecNode, tmp_path: Path
) -> None:
    operator()
    may_read_reports(sandbox, "editor", [*RULES, {
        "apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get"]
    }])  # fmt: skip
    path = completed(sandbox, kubelet, tmp_path)
    csrf = editor.csrf(path)
    answer = editor.post(f"{path}/report", {"csrf": csrf})
    assert answer.status_code == 404
    assert f"the claim with the results, &#39;{CLAIM}&#39;, does not exist" in answer.text
    claimed(sandbox)
    answer = editor.post(f"{path}/report", {"csrf": csrf})
    assert answer.status_code == 404
    assert f"{tmp_path}/report.html does not exist: the folders of older runs are deleted" in answer.text
    assert answer.headers["content-security-policy"].startswith("sandbox "), "it is shown in the frame"
    eventually(lambda: node.left() == [])


def test_readers_without_rights(
    editor: Reader, viewer: Reader, stranger: Reader, sandbox: Sandbox, operator: StartOperator, kubelet: Kubelet,
    node: ExecNode, tmp_path: Path,
) -> None:  # fmt: skip
    operator()
    claimed(sandbox)
    may_read_reports(sandbox, "editor", [RULES[0], RULES[2]])
    path = completed(sandbox, kubelet, tmp_path)
    for reader in (viewer, editor):
        page = reader.get(path)
        assert page.status_code == 200
        assert "Open the report" not in page.text
        assert "create and get <code>pods/exec</code>" in page.text
        assert "<iframe" not in page.text
    csrf = editor.csrf(path.partition("/runs/")[0])
    answer = editor.post(f"{path}/report", {"csrf": csrf})
    assert answer.status_code == 403
    assert "ask for the right to create and get pods/exec in the namespace" in answer.text
    assert node.programs == []
    eventually(lambda: node.left() == [])
    assert editor.post(f"{path}/report", {"csrf": "0" * 64}).status_code == 403
    assert editor.post(f"{path}/report", {"csrf": csrf}, Origin="http://evil.example").status_code == 403
    assert stranger.post(f"{path}/report", {"csrf": csrf}).status_code == 401
    assert len(node.pods) == 1, "of the one request that was the reader's own"


def test_a_run_without_a_report(
    editor: Reader, sandbox: Sandbox, operator: StartOperator, kubelet: Kubelet, shared_service: ApiProcess
) -> None:
    operator()
    may_read_reports(sandbox, "editor")
    sandbox.trigger("failing", rarely())
    job = fire(sandbox, "failing", "a")
    path = f"/triggers/{sandbox.namespace}/failing/runs/{job}"
    assert "There is no report yet, because the run has not ended." in editor.get(path).text
    kubelet.fail(job, '{"status": "failed", "error": "no column <b>"}', exit_code=2)
    eventually(lambda: sandbox.history("failing")[0]["status"] == "failed")
    text = editor.get(path).text
    assert "There is no report, because the run failed." in text
    assert "no column &lt;b&gt;" in text
    assert editor.get(f"{path}x").status_code == 404
    csrf = editor.csrf(path.partition("/runs/")[0])
    answer = editor.post(f"{path}/report", {"csrf": csrf})
    assert answer.status_code == 404
    assert "only completed runs with results have one" in answer.text
