"""Tests of `kubectl clustertrigger list` against a real API server."""

from __future__ import annotations

import json

import pytest
import yaml

from clustertrigger.cli.main import main
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import events, interval, rarely
from harness.control_plane.sandbox import Sandbox
from tests.cli.test_watch import fire


def listed(sandbox: Sandbox, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    scope = [] if "-A" in arguments else ["-n", sandbox.namespace]
    assert main(["list", *scope, "--kubeconfig", str(sandbox.kube.kubeconfig), *arguments]) == 0
    return capsys.readouterr().out


def test_states_next_slots_and_problems(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, capsys: pytest.CaptureFixture[str]
) -> None:
    operator()
    sandbox.trigger("broken", rarely(), labels={"team": "a"})
    sandbox.trigger("counting", events(100))
    sandbox.trigger("lost", rarely(collection_id="col_nowhere"))
    sandbox.trigger("quiet", interval(86_400, status="paused"))
    sandbox.trigger("well", rarely(), labels={"team": "b"})
    kubelet.fail(fire(sandbox, "broken", "a"), '{"status": "failed", "error": "no column"}', exit_code=2)
    kubelet.complete(fire(sandbox, "well", "a"))
    eventually(lambda: [sandbox.history(name)[0]["status"] for name in ("broken", "well")] == ["failed", "completed"])
    eventually(lambda: sandbox.condition("lost", "Ready") and sandbox.status("quiet") and sandbox.status("counting"))

    header, *lines = listed(sandbox, capsys).splitlines()
    assert header.split() == ["NAME", "TYPE", "STATE", "NEXT", "LAST", "RUN", "PROBLEM"]
    rows = {line.split()[0]: line for line in lines}
    assert list(rows) == ["broken", "counting", "lost", "quiet", "well"]
    assert rows["broken"].split(None, 3)[1:3] == ["interval", "active"]
    assert rows["broken"].endswith("the last run failed: no column")
    assert "failed " in rows["broken"]
    assert rows["counting"].split() == ["counting", "event", "active", "0/100", "events"]
    assert "not ready" in rows["lost"]
    assert "no Collection with spec.collection_id or metadata.name 'col_nowhere'" in rows["lost"]
    assert rows["quiet"].split() == ["quiet", "interval", "paused"]
    assert "in 2" in rows["well"]
    assert rows["well"].split()[-1] == "ago"

    wide = listed(sandbox, capsys, "-o", "wide").splitlines()
    assert wide[0].split() == [
        "NAME", "TYPE", "STATE", "SCHEDULE", "NEXT", "SLOT", "LAST", "RUN", "RUNS", "FAILED", "AGE", "PROBLEM",
    ]  # fmt: skip
    assert sandbox.status("well")["next_scheduled_at"] in wide[-1]
    assert len(listed(sandbox, capsys, "-l", "team in (a, b)").splitlines()) == 3
    names = [f"clustertrigger.clustertrigger.dev/{name}" for name in rows]
    assert listed(sandbox, capsys, "-o", "name").splitlines() == names
    everywhere = listed(sandbox, capsys, "-A", "-o", "name").splitlines()
    assert {f"{sandbox.namespace}/{name}" for name in names} <= set(everywhere)
    assert listed(sandbox, capsys, "-A").split()[0] == "NAMESPACE"

    objects = json.loads(listed(sandbox, capsys, "-o", "json"))
    assert yaml.safe_load(listed(sandbox, capsys, "-o", "yaml"))["items"] == objects["items"]
    assert [item["kind"] for item in objects["items"]] == ["ClusterTrigger"] * 5
    done = sandbox.kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(objects))
    assert done.returncode == 0, done.stderr


def test_no_triggers(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "-n", sandbox.namespace, "--kubeconfig", str(sandbox.kube.kubeconfig)]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"no ClusterTriggers in namespace '{sandbox.namespace}'\n")
    assert json.loads(listed(sandbox, capsys, "-o", "json"))["items"] == []
    assert main(["list", "-A", "-l", "a=b", "--kubeconfig", str(sandbox.kube.kubeconfig)]) == 0
    assert capsys.readouterr().err == "no ClusterTriggers in any namespace with labels a=b\n"
    assert main(["list", "-l", "a in", "--kubeconfig", str(sandbox.kube.kubeconfig)]) == 1
    assert "unable to parse requirement" in capsys.readouterr().err


def test_many_are_listed_page_by_page(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clustertrigger.cli.kube.client._PAGE", 3)
    for number in range(8):
        sandbox.trigger(f"t-{number}", rarely())
    assert len(listed(sandbox, capsys, "-o", "name").splitlines()) == 8
