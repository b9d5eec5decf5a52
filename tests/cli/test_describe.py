"""Tests of `kubectl clustertrigger describe`: its lines as pure functions, and the screen against a real API server."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from clustertrigger.api.status import Execution
from clustertrigger.api.stored import read_part
from clustertrigger.cli.describe import drift_line, history_line
from clustertrigger.cli.main import main
from clustertrigger.core.drift.drift_series import Point
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import cron, events, rarely, rerun
from harness.control_plane.sandbox import Sandbox
from harness.control_plane.tokens import grant
from tests.cli.test_results import result
from tests.cli.test_watch import fire

T = datetime(2026, 1, 1, tzinfo=UTC)


def run(status: str, took: int | None) -> Execution:
    entry: Object = {"job_id": "a", "slot": "b", "triggered_at": T, "status": status, "execution_time_ms": took}
    return read_part(Execution, entry)


@pytest.mark.parametrize(
    ("runs", "unicode", "plain"),
    [
        ([], True, ""),
        ([run("completed", 1000)], True, "█"),
        ([run("completed", None)], True, "▁"),
        ([run("running", None), run("completed", 500), run("failed", 9), run("completed", 1000)], True, "█✗▅…"),
        ([run("running", None), run("completed", 500), run("failed", 9), run("completed", 1000)], False, "@x+~"),
    ],
)
def test_runs_as_a_line(runs: list[Execution], unicode: bool, plain: str) -> None:
    assert history_line(runs, unicode).plain == plain


def point(value: float, fires: bool = False) -> Point:
    return Point(T, value, threshold=0.3, fires=fires)


@pytest.mark.parametrize(
    ("points", "plain"),
    [
        ([], ""),
        ([point(0.0)], "▁"),
        ([point(0.3), point(0.15), point(-1.0)], "█▅▁"),
        ([point(0.3), point(0.6, fires=True)], "▅█"),
        ([Point(T, 0.0)], "▁"),
    ],
)
def test_drift_as_a_line(points: list[Point], plain: str) -> None:
    assert drift_line(points, unicode=True).plain == plain


def described(sandbox: Sandbox, capsys: pytest.CaptureFixture[str], name: str, *arguments: str) -> str:
    capsys.readouterr()
    assert (
        main(["describe", name, "-n", sandbox.namespace, "--kubeconfig", str(sandbox.kube.kubeconfig), *arguments]) == 0
    )
    return capsys.readouterr().out


def test_the_whole_screen(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, capsys: pytest.CaptureFixture[str]
) -> None:
    unseen = described_before_it_is_seen(sandbox, capsys)
    assert "Check that the operator runs" in unseen
    operator()
    kubelet.complete(fire(sandbox, "nightly", "a"), result("perl"))
    eventually(lambda: sandbox.history("nightly")[0]["status"] == "completed")
    kubelet.fail(fire(sandbox, "nightly", "b"), '{"status": "failed", "error": "no column"}', exit_code=2)
    eventually(lambda: sandbox.history("nightly")[0]["status"] == "failed")

    screen = described(sandbox, capsys, "nightly")
    lines = screen.splitlines()
    assert lines[0] == f"{sandbox.namespace}/nightly  active"
    fields = {line[:12].strip(): line[12:] for line in lines if line[:12].strip()}
    assert fields["About"] == "Every morning"
    assert fields["Type"] == "cron  30 2 * * * Europe/Berlin"
    assert fields["Clusters"] == "col_products by kmeans (n_clusters 5)"
    assert fields["Conditions"].startswith("ready          The schedule is live: 30 2 * * * Europe/Berlin (")
    assert " 02:30:00 CE" in fields["Next"]
    assert fields["Runs"] == "1 completed, 1 failed (1 in a row)"
    assert any("✗  the last 2 runs, oldest first" in line for line in lines)
    assert "no column" in screen
    assert "4 clusters of 2,000 documents" in fields["Found"]
    assert "RunFailed: " in screen
    scope = f"--kubeconfig={sandbox.kube.kubeconfig} -n {sandbox.namespace}"
    assert fields["What to do"] == f"See why the last run failed: kubectl clustertrigger logs nightly {scope}"
    assert len(lines) <= 40, "one screen"
    assert json.loads(described(sandbox, capsys, "nightly", "-o", "json"))["status"]["failure_count"] == 1
    assert described(sandbox, capsys, "nightly", "-o", "name") == "clustertrigger.clustertrigger.dev/nightly\n"
    assert len(described(sandbox, capsys, "nightly", "-o", "wide").splitlines()) > len(lines)


def described_before_it_is_seen(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> str:
    sandbox.trigger("nightly", {**cron("30 2 * * *", "Europe/Berlin"), "description": "Every morning"})
    return described(sandbox, capsys, "nightly")


def test_other_kinds(operator: StartOperator, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    operator()
    sandbox.trigger("counting", events(100))
    sandbox.trigger("quiet", rarely(status="paused"))
    sandbox.trigger("lost", {**rarely(), "execution_config": None, "cluster_id": "cluster_nowhere"})
    sandbox.trigger("again", rerun("nightly-1-2", rarely(), retry_failed_only=True))
    for name in ("counting", "quiet", "lost", "again"):
        eventually(lambda name=name: sandbox.status(name))  # type: ignore[misc]
    assert "Next        after 100 events; 0 so far\n" in described(sandbox, capsys, "counting")
    assert "Next        nothing: the trigger is paused\n" in described(sandbox, capsys, "quiet")
    lost = described(sandbox, capsys, "lost")
    assert "Clusters    as defined by ClusterDefinition 'cluster_nowhere'\n" in lost
    assert "not ready" in lost
    assert "What to do  Apply the ClusterDefinition, or correct the id: kubectl get clusterdefinitions" in lost
    again = described(sandbox, capsys, "again")
    assert "Action      batch_rerun  batch_id nightly-1-2, retry_failed_only true\n" in again
    assert "What to do  Set batch_id to a run that is still in a trigger's history: kubectl get" in again


def test_missing_rights_hide_only_their_part(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox.trigger("nightly", rarely())
    rule = {"apiGroups": ["clustertrigger.dev"], "resources": ["clustertriggers"], "verbs": ["get"]}
    grant(sandbox.kube, sandbox.namespace, "jane", rule, kind="User")
    screen = described(sandbox, capsys, "nightly", "--as", "jane")
    assert "Events      you do not have the right to read the events of this namespace\n" in screen
    assert " --as=jane -n " in screen or "kubectl get pods -A" in screen
