"""One run, from its slot to its end."""

from __future__ import annotations

from tests.conftest import StartOperator
from tests.control_plane.kube import eventually
from tests.control_plane.kubelet import Kubelet
from tests.control_plane.manifests import rarely
from tests.control_plane.proxy import Proxy
from tests.control_plane.sandbox import Sandbox


def test_a_short_run_costs_three_writes(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    operator(through=proxy)
    sandbox.trigger("short", rarely())
    eventually(lambda: sandbox.status("short"))
    before = len(proxy.writes())
    sandbox.request_run("short", "now")
    job = eventually(lambda: sandbox.jobs("short"))[0]["metadata"]["name"]
    kubelet.complete(job)
    eventually(lambda: sandbox.status("short"), until=lambda status: status["execution_count"] == 1)
    writes = [f"{r.method} {r.path}" for r in proxy.writes()[before:] if not r.path.endswith("/events")]
    assert len(writes) == 3, writes
