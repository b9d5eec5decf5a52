"""Tests of how Flux and Argo CD judge triggers in every state: their own code on objects of a live API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually, trigger_path
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import cron, interval, rarely
from harness.control_plane.sandbox import Sandbox
from harness.gitops import Verdict, judge, why_not

EXAMPLES = Path(__file__).parents[2] / "examples"
KIND = "clustertrigger.dev_ClusterTrigger"
HEALTH: str = yaml.safe_load((EXAMPLES / "argocd-health.yaml").read_text())["data"][
    f"resource.customizations.health.{KIND}"
]
ACTIONS: dict[str, Any] = yaml.safe_load(
    yaml.safe_load((EXAMPLES / "argocd-actions.yaml").read_text())["data"][f"resource.customizations.actions.{KIND}"]
)
SCRIPTS = {definition["name"]: definition["action.lua"] for definition in ACTIONS["definitions"]}
FINALIZER = "example.org/held"

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"the judges cannot be compiled: {why_not()}")


def verdict(trigger: Object) -> Verdict:
    (found,) = judge([trigger], health=HEALTH, actions=ACTIONS["discovery.lua"])
    return found


@pytest.fixture
def held(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The sandbox, for a trigger whose deletion is delayed."""
    yield sandbox
    sandbox.kube.patch(trigger_path(sandbox.namespace, "deleting"), {"metadata": {"finalizers": None}})


def test_every_state(operator: StartOperator, held: Sandbox, kubelet: Kubelet) -> None:
    sandbox = held
    sandbox.trigger("new", rarely())
    new = verdict(sandbox.get("new"))
    assert (new.kstatus, new.health) == ("InProgress", "Progressing"), new

    operator()
    at_once = interval(3600, start_immediately=True)
    sandbox.trigger("running", at_once)
    sandbox.trigger("queued", interval(3600, start_immediately=True, queue_name="line"))
    sandbox.trigger("failing", at_once)
    sandbox.trigger("stopped", interval(3600, start_immediately=True, max_consecutive_failures=1))
    sandbox.trigger("paused", {**rarely(), "status": "paused"})
    sandbox.trigger("stalled", cron("61 * * * *"))
    sandbox.trigger("lacking", rarely(collection_id="col_later"))
    sandbox.trigger("deleting", rarely(), finalizers=[FINALIZER])
    kubelet.start(eventually(lambda: sandbox.history("running"))[0]["job_id"])
    for name in ("failing", "stopped"):
        kubelet.fail(eventually(lambda: sandbox.history(name))[0]["job_id"], "no such column", exit_code=2)
        eventually(lambda: sandbox.status(name).get("failure_count") == 1)
    eventually(lambda: sandbox.condition("stalled", "Stalled"))
    eventually(lambda: sandbox.condition("lacking", "Ready"))
    eventually(lambda: sandbox.condition("paused", "Ready"))
    eventually(lambda: "queued" in sandbox.condition("queued", "Running").get("message", ""))
    eventually(lambda: sandbox.status("deleting"))
    sandbox.delete("deleting")

    expected = {
        "new": ("Current", "Healthy"),
        "running": ("Current", "Healthy"),
        "queued": ("Current", "Healthy"),
        "failing": ("Current", "Healthy"),
        "stopped": ("Failed", "Degraded"),
        "paused": ("Current", "Healthy"),
        "stalled": ("Failed", "Degraded"),
        "lacking": ("InProgress", "Progressing"),
        "deleting": ("Terminating", "Progressing"),
    }
    found = {name: verdict(sandbox.get(name)) for name in expected}
    assert {name: (each.kstatus, each.health) for name, each in found.items()} == expected
    assert "no such column" in found["failing"].health_message
    assert "'61 * * * *'" in found["stalled"].health_message
    assert found["stalled"].message
    assert found["running"].actions == ("pause", "run")
    assert found["paused"].actions == ("resume", "run")
    assert found["stopped"].actions == ("pause", "reset", "run")


def test_actions_do_what_they_say(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    operator()
    sandbox.trigger("one", {**rarely(max_consecutive_failures=1)})
    eventually(lambda: sandbox.status("one"))
    act(sandbox, "pause")
    eventually(lambda: sandbox.status("one").get("status") == "paused")
    act(sandbox, "resume")
    eventually(lambda: sandbox.status("one").get("status") == "active")
    act(sandbox, "run")
    (entry,) = eventually(lambda: sandbox.history("one"))
    assert entry["slot"].startswith("manual/argocd-")
    kubelet.fail(entry["job_id"], "no such column", exit_code=2)
    eventually(lambda: sandbox.status("one").get("status") == "failed")
    act(sandbox, "reset")
    eventually(lambda: sandbox.status("one").get("status") == "active")
    assert sandbox.status("one").get("consecutive_failures", 0) == 0


def act(sandbox: Sandbox, name: str) -> None:
    """Runs an action as Argo CD does: the changes of its script are sent as a patch."""
    before = sandbox.get("one")
    (found,) = judge([before], action=SCRIPTS[name])
    assert found.changed is not None
    spec = {"status": found.changed["spec"].get("status")}
    sandbox.edit("one", spec, annotations=found.changed["metadata"].get("annotations") or {})
