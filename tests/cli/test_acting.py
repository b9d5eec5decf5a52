"""Tests of `run`, `pause`, `resume` and `reset` against a real API server and a real operator."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from clustertrigger.cli.acting import why_not_now
from clustertrigger.cli.main import main
from clustertrigger.core.trigger_state import TriggerState
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import rarely
from harness.control_plane.sandbox import Sandbox

Ctr = Callable[..., int]
PREFIX = "kubectl clustertrigger: "


@pytest.fixture
def ctr(sandbox: Sandbox) -> Ctr:
    """Runs the program in the sandbox's namespace, as the administrator; returns its exit code."""

    def command(name: str, *arguments: str) -> int:
        return main([name, *arguments, "-n", sandbox.namespace, "--kubeconfig", str(sandbox.kube.kubeconfig)])

    return command


def title(name: str) -> str:
    return f"clustertrigger.clustertrigger.dev/{name}"


def test_a_run_is_requested_and_fires(
    operator: StartOperator, sandbox: Sandbox, ctr: Ctr, capsys: pytest.CaptureFixture[str]
) -> None:
    operator()
    sandbox.trigger("nightly", rarely(concurrency_policy="Allow"))
    for number in (1, 2):
        assert ctr("run", "nightly") == 0
        said = capsys.readouterr()
        assert said.out == f"{title('nightly')} run requested\n"
        assert said.err == f"kubectl clustertrigger watch nightly -n {sandbox.namespace} follows it\n"
        eventually(lambda number=number: len(sandbox.history("nightly")) == number)  # type: ignore[misc]


def test_a_run_is_waited_for_to_its_end(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, ctr: Ctr, capsys: pytest.CaptureFixture[str]
) -> None:
    operator()
    sandbox.trigger("nightly", rarely())

    def play(end: Callable[[str], None], count: int) -> threading.Thread:
        def follow() -> None:
            history = eventually(lambda: sandbox.history("nightly"), until=lambda runs: len(runs) == count)
            end(str(history[0]["job_id"]))

        thread = threading.Thread(target=follow)
        thread.start()
        return thread

    ends: list[tuple[Callable[[str], None], int, str]] = [
        (kubelet.complete, 0, ": 5 clusters of 1,000 documents in /results/test"),
        (lambda job: kubelet.fail(job, "it broke"), 1, "it broke"),
    ]
    for count, (end, code, last) in enumerate(ends, 1):
        player = play(end, count)
        assert ctr("run", "nightly", "--wait") == code
        player.join()
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "waiting for the operator to start the run"
        assert lines[1].startswith(f"{sandbox.history('nightly')[0]['job_id']}, fired for manual/")
        assert lines[-1].endswith(last)


def test_a_refused_run_names_the_remedy(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, ctr: Ctr, capsys: pytest.CaptureFixture[str]
) -> None:
    operator()
    sandbox.trigger("nightly", rarely(max_consecutive_failures=1))
    assert ctr("run", "nightly") == 0
    job = eventually(lambda: sandbox.history("nightly"))[0]["job_id"]
    capsys.readouterr()
    assert ctr("run", "nightly", "--wait") == 1
    assert capsys.readouterr().err == (
        f"{PREFIX}trigger 'nightly' has an active run, {job}, and run.concurrency_policy is Forbid: "
        "kubectl clustertrigger watch nightly follows that run\n"
    )
    kubelet.fail(job, "it broke")
    eventually(lambda: sandbox.status("nightly").get("status") == "failed")
    assert ctr("run", "nightly") == 1
    assert "has stopped after 1 failed run in a row: correct the cause, then kubectl clustertrigger reset nightly" in (
        capsys.readouterr().err
    )
    assert ctr("resume", "nightly") == 0
    said = capsys.readouterr()
    assert said.out == f"{title('nightly')} unchanged: spec.status is active already\n"
    assert "kubectl clustertrigger reset nightly lets it fire again" in said.err
    assert ctr("reset", "nightly") == 0
    assert capsys.readouterr().out == f"{title('nightly')} reset: 1 failed run in a row cleared\n"
    eventually(lambda: sandbox.status("nightly").get("status") == "active")
    assert ctr("run", "nightly") == 0
    assert ctr("run", "nobody") == 1
    assert "no ClusterTrigger 'nobody'" in capsys.readouterr().err


def test_an_ignored_request_gets_the_reason(
    operator: StartOperator, sandbox: Sandbox, ctr: Ctr, capsys: pytest.CaptureFixture[str]
) -> None:
    """The trigger is paused between the command's check and its request: the operator's event explains the outcome."""
    first = operator()
    sandbox.trigger("nightly", rarely())
    eventually(lambda: sandbox.status("nightly"))
    first.kill()

    def pause() -> None:
        eventually(lambda: "annotations" in sandbox.get("nightly")["metadata"])
        sandbox.edit("nightly", {"status": "paused"})
        operator()

    requested = threading.Thread(target=pause)
    requested.start()
    assert ctr("run", "nightly", "--wait") == 1
    requested.join()
    said = capsys.readouterr().err
    assert said.startswith(f"{PREFIX}the run did not start: "), said
    assert "the trigger is paused: set spec.status: active and request again" in said


def test_pause_and_resume(sandbox: Sandbox, ctr: Ctr, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox.trigger("one", rarely())
    sandbox.trigger("two", rarely(status="disabled"), labels={"kustomize.toolkit.fluxcd.io/name": "apps"})
    assert ctr("pause", "one", "two") == 0
    assert [sandbox.get(name)["spec"]["status"] for name in ("one", "two")] == ["paused", "paused"]
    said = capsys.readouterr()
    assert said.out.splitlines() == [f"{title('one')} paused", f"{title('two')} paused (was disabled)"]
    assert said.err == "two is managed by Flux, which may set spec.status back: change it at the source too\n"
    assert ctr("pause", "one") == 0
    assert capsys.readouterr().out == f"{title('one')} unchanged: spec.status is paused already\n"
    assert ctr("run", "one") == 1
    assert "is paused by spec.status and cannot run: kubectl clustertrigger resume one" in (capsys.readouterr().err)
    assert ctr("resume", "one", "two") == 0
    assert capsys.readouterr().out.splitlines() == [f"{title('one')} resumed", f"{title('two')} resumed"]
    assert sandbox.get("one")["spec"]["status"] == "active"
    assert ctr("pause", "one", "nobody") == 1
    assert sandbox.get("one")["spec"]["status"] == "paused", "those before the wrong one are done"


def test_a_missing_right_to_change_a_trigger_is_reported(
    sandbox: Sandbox, ctr: Ctr, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.trigger("one", rarely())
    for words in (["run", "one"], ["pause", "one"], ["reset", "one"]):
        assert ctr(*words, "--as", "jane") == 1
        said = capsys.readouterr().err
        assert 'User "jane" cannot get resource "clustertriggers"' in said
        assert said.endswith(": ask for that right\n")


def seen(*, spec: Object | None = None, generation: int = 1, **status: object) -> TriggerState:
    return TriggerState(
        {
            "metadata": {"name": "a", "namespace": "b", "generation": 1},
            "spec": {**rarely(), **(spec or {})},
            "status": {"observedGeneration": generation, "status": "active", **status},
        }
    )


ACTIVE = [{"job_id": "j", "slot": "manual/a", "triggered_at": "2026-01-01T00:00:00Z", "status": "running"}]


@pytest.mark.parametrize(
    ("state", "obstacle"),
    [
        (seen(), None),
        (seen(generation=0), None),
        (seen(spec={"status": "failed"}), "is failed by spec.status"),
        (seen(status="failed", consecutive_failures=5), "has stopped after 5 failed runs in a row"),
        (seen(status="failed", generation=0), None),
        (seen(history=ACTIVE), "has an active run, j"),
        (seen(spec={"run": {"concurrency_policy": "Replace"}}, history=ACTIVE), None),
        (seen(spec={"run": {}}, history=ACTIVE), "has an active run, j"),
    ],
)
def test_reasons_against_a_run(state: TriggerState, obstacle: str | None) -> None:
    why = why_not_now(state)
    assert why is None if obstacle is None else why is not None and why.startswith(obstacle)
