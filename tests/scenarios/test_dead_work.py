"""Tests that no answer to a write ends a task of the operator."""

from __future__ import annotations

import pytest

from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.manifests import interval
from harness.control_plane.proxy import Answer, Fault, Proxy, Request
from harness.control_plane.sandbox import Sandbox

NONSENSE = [
    Answer(200, text="<html>welcome</html>"),
    Answer(201, text=""),
    Answer(200, text="null"),
    Answer(200, text="[]"),
    Answer(200, text='{"kind":'),
    Answer(200, text='{"kind": "Event"}'),
    Answer(200, text='{"kind": "ClusterTrigger", "metadata": null}'),
]


@pytest.mark.parametrize("written", ["/events", "/status"])
def test_answers_that_make_no_sense_end_nothing(
    operator: StartOperator, sandbox: Sandbox, busy_kubelet: None, proxy: Proxy, written: str
) -> None:
    """A proxy in front of an API server can answer 200 with its own page."""
    process = operator(through=proxy)
    sandbox.trigger("steady", interval(1, concurrency_policy="Allow"))
    eventually(lambda: sandbox.history("steady"))
    nonsense = list(NONSENSE) * 2

    def answer(request: Request) -> Fault | None:
        return nonsense.pop() if nonsense and request.writes and written in request.path else None

    proxy.rule = answer
    eventually(lambda: not nonsense)
    proxy.rule = None
    count = sandbox.status("steady")["execution_count"]
    eventually(lambda: sandbox.status("steady").get("execution_count", 0) > count + 2)
    sandbox.trigger("later", interval(3600, start_immediately=True))
    eventually(lambda: sandbox.events("later", "RunCreated"), what="an event that is written again")
    assert process.running()
