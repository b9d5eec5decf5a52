"""Tests of `kubectl clustertrigger drift` on a cluster: the chart, the table, and the repeated computation."""

from __future__ import annotations

import json
import threading

import pytest

from clustercontract.check import CHECK_SPEC_VARIABLE, RECOMPUTE_SLOT, CheckResult
from clustertrigger.cli.main import main
from harness.control_plane.checks import QUIET, about_to_check, found, jobs, measured, the_check
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import rarely
from harness.control_plane.sandbox import Sandbox


def drift(sandbox: Sandbox, *arguments: str) -> int:
    """Runs the command; returns its exit code."""
    return main(["drift", "-n", sandbox.namespace, "--kubeconfig", str(sandbox.kube.kubeconfig), *arguments])


def test_on_a_cluster(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, capsys: pytest.CaptureFixture[str]
) -> None:
    about_to_check(sandbox, "drifting")
    sandbox.trigger("other", rarely())
    assert drift(sandbox, "drifting") == 0
    assert "nothing has been measured yet" in capsys.readouterr().out
    assert drift(sandbox, "drifting", "--recompute") == 1
    assert "there is no measurement to compute again: nothing has been measured yet" in capsys.readouterr().err
    assert drift(sandbox, "other") == 1
    assert "trigger 'other' is of type interval: only conditional triggers are measured" in capsys.readouterr().err
    assert drift(sandbox, "nobody") == 1
    assert f"no ClusterTrigger 'nobody' in namespace '{sandbox.namespace}'" in capsys.readouterr().err

    operator()
    check = the_check(sandbox, "drifting")
    kubelet.complete(check, found(0.084))
    measured(sandbox, "drifting")
    assert drift(sandbox, "drifting") == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert lines[0] == f"{sandbox.namespace}/drifting  cosine_drift > 0.3 every 1h"
    assert lines[1].startswith("baseline: 6,000 documents of 384 dimensions, run first, ")
    assert lines[2] == f"last check: {QUIET}"
    assert any("0.3 │┄" in line for line in lines)
    assert lines[-1].split()[1:] == ["0.084", "0.3", "0.002", "6000", "to", "3000", "no"], printed
    assert drift(sandbox, "drifting", "-o", "json") == 0
    (said,) = json.loads(capsys.readouterr().out)["measurements"]
    assert (said["value"], said["fires"]) == (0.084, False)

    before = sandbox.get("drifting")["metadata"]["resourceVersion"]
    for value, code, last in ((0.084, 0, "every number agrees"), (0.085, 1, "1 number differs by more than 1e-6")):
        assert recompute(sandbox, kubelet, found(value)) == code
        assert capsys.readouterr().out.splitlines()[-1].startswith(last)
    assert recompute(sandbox, kubelet, found(0.084), sidecar="istio-proxy") == 0, "the end of the worker is the end"
    assert "every number agrees" in capsys.readouterr().out
    lost = CheckResult(status="completed", obstacle="baseline_missing", error="/results/b.npz: does not exist")
    assert recompute(sandbox, kubelet, lost) == 1
    assert "the measurement cannot be computed again: /results/b.npz: does not exist" in capsys.readouterr().err
    assert jobs(sandbox, "drifting", "recompute") == [], "it clears up"
    assert sandbox.get("drifting")["metadata"]["resourceVersion"] == before, "the operator passes it over"

    sandbox.delete_job(check)
    eventually(lambda: not sandbox.jobs("drifting"))
    assert drift(sandbox, "drifting", "--recompute") == 1
    assert (
        f"the check's Job {check}, which defines what to compute, is deleted: wait for the next check at"
        in capsys.readouterr().err
    )


def recompute(sandbox: Sandbox, kubelet: Kubelet, result: CheckResult, *, sidecar: str = "") -> int:
    """Runs the command with --recompute; its worker ends with a result, and a sidecar keeps running if there is one."""
    seen: list[Object] = []

    def play() -> None:
        (job,) = eventually(lambda: jobs(sandbox, "drifting", "recompute"))
        seen.append(sandbox.job(job))
        if sidecar:
            kubelet.complete_beside(job, sidecar, result)
        else:
            kubelet.complete(job, result)

    player = threading.Thread(target=play)
    player.start()
    code = drift(sandbox, "drifting", "--recompute")
    player.join()
    (container,) = seen[0]["spec"]["template"]["spec"]["containers"]
    said = {variable["name"]: variable["value"] for variable in container["env"]}
    assert json.loads(said[CHECK_SPEC_VARIABLE])["slot"] == RECOMPUTE_SLOT
    return code
