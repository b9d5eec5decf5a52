"""Tests of `kubectl clustertrigger watch` against a real API server; a story tests it with real logs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clustertrigger.cli.main import main
from harness.cluster.accounts import service_account_kubeconfig
from harness.control_plane.cluster import Cluster
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import rarely
from harness.control_plane.sandbox import Sandbox
from harness.control_plane.tokens import grant, token_of

Watch = Callable[..., int]


@pytest.fixture
def watch(sandbox: Sandbox) -> Watch:
    """Runs the command, as the administrator unless another kubeconfig is given; returns its exit code."""

    def command(*arguments: str, kubeconfig: Path = sandbox.kube.kubeconfig) -> int:
        return main(["watch", "-n", sandbox.namespace, "--kubeconfig", str(kubeconfig), *arguments])

    return command


def fire(sandbox: Sandbox, name: str, token: str) -> str:
    """Requests a run; returns its Job's name."""
    sandbox.request_run(name, token)
    newest = eventually(lambda: [run for run in sandbox.history(name) if run["slot"] == f"manual/{token}"])[0]
    return str(newest["job_id"])


def later(act: Callable[[], object], seconds: float = 2.0) -> threading.Thread:
    def wait_and_act() -> None:
        time.sleep(seconds)
        act()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread


def test_a_run_is_followed_from_its_pod_to_its_end(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, watch: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    operator()
    sandbox.trigger("long", rarely())
    job = fire(sandbox, "long", "a")
    kubelet.wait(job, "ImagePullBackOff", "no such image")
    ending = later(lambda: kubelet.complete(job))
    assert watch("long") == 0
    ending.join()
    first, second, *_, last = capsys.readouterr().out.splitlines()
    assert first == f"{job}, fired for manual/a"
    assert second == "waiting for the Pod: ImagePullBackOff: no such image"
    assert last.startswith(f"{job} completed after ")
    assert last.endswith(": 5 clusters of 1,000 documents in /results/test")


def test_a_failed_run_is_exit_code_1_and_says_why(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, watch: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    operator()
    sandbox.trigger("failing", rarely())
    job = fire(sandbox, "failing", "a")
    ending = later(lambda: kubelet.fail(job, '{"status": "failed", "error": "no column \'embedding\'"}', exit_code=2))
    assert watch("failing", "--run", job) == 1
    ending.join()
    assert capsys.readouterr().out.splitlines()[-1].endswith(" s: no column 'embedding'")
    assert watch("failing") == 1, "of a run that is over, the outcome"
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{job} failed after ")


def test_a_requested_run_is_awaited(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, watch: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a script, `kubectl annotate … && … watch …`: the operator has not read the request yet."""
    first = operator()
    sandbox.trigger("asked", rarely())
    old = fire(sandbox, "asked", "old")
    kubelet.complete(old)
    eventually(lambda: sandbox.history("asked")[0]["status"] == "completed")
    first.kill()
    sandbox.request_run("asked", "new")

    def bring_back() -> None:
        operator()
        new = eventually(lambda: [run for run in sandbox.history("asked") if run["slot"] == "manual/new"])[0]
        kubelet.fail(new["job_id"], "it broke")

    back = later(bring_back)
    assert watch("asked") == 1
    back.join()
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "waiting for the requested run (clustertrigger.dev/run-requested: new)"
    assert old not in "".join(shown)
    assert "it broke" in shown[-1]


def test_a_requested_run_that_does_not_start(
    operator: StartOperator,
    sandbox: Sandbox,
    kubelet: Kubelet,
    watch: Watch,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The outcome of an earlier run is not an answer in this case."""
    first = operator()
    sandbox.trigger("off", rarely())
    kubelet.complete(fire(sandbox, "off", "old"))
    eventually(lambda: sandbox.history("off")[0]["status"] == "completed")
    ready = sandbox.condition("off", "Ready")["message"]
    first.kill()
    sandbox.edit("off", {"status": "disabled"})
    sandbox.request_run("off", "new")
    asked = "kubectl clustertrigger: the requested run (clustertrigger.dev/run-requested: new)"
    with monkeypatch.context() as impatient:
        impatient.setattr("clustertrigger.cli.watch._REQUEST_SECONDS", 2.0)
        assert watch("off") == 1
    assert capsys.readouterr().err == f"{asked} did not start within 2 s: {ready}\n"
    back = later(operator)
    assert watch("off") == 1
    back.join()
    assert capsys.readouterr().err == f"{asked} did not start: kubectl describe clustertrigger off says why\n"


def test_a_run_whose_job_is_deleted_ends(
    operator: StartOperator, sandbox: Sandbox, watch: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    operator()
    sandbox.trigger("deleted", rarely())
    job = fire(sandbox, "deleted", "a")
    deletion = later(lambda: sandbox.delete_job(job))
    assert watch("deleted") == 1
    deletion.join()
    assert capsys.readouterr().out.splitlines()[-1] == f"{job} failed: the Job was deleted before it ended"


def test_without_the_right_to_list_pods_the_outcome_is_shown(
    cluster: Cluster,
    operator: StartOperator,
    sandbox: Sandbox,
    kubelet: Kubelet,
    watch: Watch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    operator()
    sandbox.trigger("hidden", rarely())
    job = fire(sandbox, "hidden", "a")
    token_of(sandbox.kube, sandbox.namespace, "viewer")
    rule = {"apiGroups": ["clustertrigger.dev"], "resources": ["clustertriggers"], "verbs": ["get"]}
    grant(sandbox.kube, sandbox.namespace, "viewer", rule)
    viewer = service_account_kubeconfig(cluster.plane.kubeconfig, sandbox.namespace, "viewer", tmp_path / "viewer")
    ending = later(lambda: kubelet.complete(job))
    assert watch("hidden", kubeconfig=viewer) == 0
    ending.join()
    shown = capsys.readouterr().out.splitlines()
    assert shown[1].startswith("no progress to show, only the outcome: pods is forbidden: ")
    assert shown[2].startswith(f"{job} completed")


@pytest.mark.parametrize("namespace", ["../..", "a/b", "A", "x" * 64, "a%2Fb"])
def test_an_invalid_namespace_is_reported(sandbox: Sandbox, namespace: str, capsys: pytest.CaptureFixture[str]) -> None:
    kubeconfig = str(sandbox.kube.kubeconfig)
    assert main(["watch", "nightly", "--kubeconfig", kubeconfig, "--namespace", namespace]) == 1
    assert f"--namespace: {namespace!r} is not a valid namespace name: write up to 63" in capsys.readouterr().err


def test_missing_triggers_and_runs(
    operator: StartOperator, sandbox: Sandbox, watch: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    operator()
    assert watch("nowhere") == 1
    prefix = "kubectl clustertrigger: "
    assert capsys.readouterr().err == (
        f"{prefix}no ClusterTrigger 'nowhere' in namespace '{sandbox.namespace}': "
        "kubectl get clustertriggers lists them\n"
    )
    assert watch("../collections/products") == 1
    assert "no ClusterTrigger '../collections/products' in namespace" in capsys.readouterr().err
    sandbox.trigger("never", rarely())
    eventually(lambda: sandbox.status("never"))
    assert watch("never") == 1
    coming = sandbox.status("never")["next_scheduled_at"]
    assert capsys.readouterr().err == f"{prefix}trigger 'never' has not run yet: its next run is at {coming}\n"
    assert watch("never", "--run", "x") == 1
    assert capsys.readouterr().err.startswith(f"{prefix}--run: 'x' is not in the trigger's history: ")


def test_wrong_usage(watch: Watch) -> None:
    assert watch() == 2
