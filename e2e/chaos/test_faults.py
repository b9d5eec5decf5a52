"""Tests temporary faults of the operator's environment.

No slot is lost or fires twice, nothing is retried in a tight loop, and all triggers fire within seconds after a fault.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.chaos.preloads import HostNames, SettableClock
from harness.cluster.errors import ClusterError
from harness.control_plane.cluster import RELEASE, SYSTEM, Cluster
from harness.control_plane.consistency import assert_consistent, pause_and_settle
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.manifests import interval
from harness.control_plane.operator_process import OperatorProcess
from harness.control_plane.proxy import Answer, Fault, Proxy, Request
from harness.control_plane.sandbox import Sandbox

SEED = 20261122
TRIGGERS = 6
PERIOD = 2
RECOVERY = 10
"""Maximum number of seconds from the end of a fault until every trigger fires a later slot."""
MOST_REQUESTS = 60
"""Maximum number of requests per second.

Without a fault, six triggers with an interval of two seconds cause about ten. As many attempts may fail.
"""
MOST_PROCESSOR = 0.6
"""Maximum CPU usage as a share of a core."""
HOUR, DAY = 3600, 86_400


class Stage:
    """Six interval triggers, and the operator that fires them."""

    def __init__(self, sandbox: Sandbox, process: OperatorProcess, proxy: Proxy | None, seconds: float) -> None:
        self.sandbox, self.process, self.proxy, self.seconds = sandbox, process, proxy, seconds
        self.names = [f"steady-{n}" for n in range(TRIGGERS)]
        for name in self.names:
            sandbox.trigger(name, interval(PERIOD, concurrency_policy="Allow", history_limit=100))
        for name in self.names:
            eventually(lambda name=name: sandbox.slots(name))  # type: ignore[misc]

    @contextmanager
    def fault(self) -> Iterator[None]:
        """Lasts as long as the context, and then verifies that the operator recovers."""
        requests, used, began = self._requests(), self.process.cpu_seconds(), time.monotonic()
        yield
        lasted = time.monotonic() - began
        ended = self.sandbox.kube.now()
        assert self.process.running()
        asked, used = (self._requests() - requests) / lasted, (self.process.cpu_seconds() - used) / lasted
        assert asked < MOST_REQUESTS, f"{asked:.0f} requests a second: it turns in circles"
        assert used < MOST_PROCESSOR, f"{100 * used:.0f} % of a core: it turns in circles"
        took = self._recovered(ended)
        print(
            f"fault of {lasted:.0f} s: {asked:.1f} requests a second, {100 * used:.0f} % of a core, "
            f"well {took:.1f} s after"
        )

    def balance(self) -> None:
        """Verifies that every slot has exactly one Job, or is reported as missed."""
        for name in self.names:
            pause_and_settle(self.sandbox, name, 60)
            assert_consistent(self.sandbox, name)

    def _requests(self) -> int:
        return len(self.proxy.requests) if self.proxy else 0

    def _recovered(self, ended: datetime) -> float:
        began = time.monotonic()
        for name in self.names:
            left = RECOVERY + PERIOD - (time.monotonic() - began)
            eventually(
                lambda name=name: self.sandbox.slots(name)[-1] > ended,  # type: ignore[misc]
                max(left, 0.1),
                what=f"{name} firing again",
            )
        return time.monotonic() - began


@pytest.fixture
def seconds(full: bool) -> float:
    """Duration of a fault in seconds."""
    return 30 if full else 6


def test_the_api_server_is_killed(
    cluster: Cluster, operator: StartOperator, sandbox: Sandbox, busy_kubelet: None, seconds: float
) -> None:
    stage = Stage(sandbox, operator(), None, seconds)
    with stage.fault():
        cluster.plane.kill_api_server()
        time.sleep(seconds)
        cluster.plane.start_api_server()
    stage.balance()


def test_etcd_stops(
    cluster: Cluster, operator: StartOperator, sandbox: Sandbox, busy_kubelet: None, proxy: Proxy, seconds: float
) -> None:
    stage = Stage(sandbox, operator(through=proxy), proxy, seconds)
    with stage.fault():
        cluster.plane.stop_etcd()
        time.sleep(seconds)
        cluster.plane.start_etcd()
        eventually(lambda: _writes(sandbox), 60, what="an API server that writes")
    stage.balance()


def test_every_watch_is_answered_410(
    operator: StartOperator, sandbox: Sandbox, busy_kubelet: None, proxy: Proxy, seconds: float
) -> None:
    stage = Stage(sandbox, operator(through=proxy), proxy, seconds)

    def gone(request: Request) -> Fault | None:
        return Answer(410, "Expired") if "watch=true" in request.query else None

    with stage.fault():
        proxy.rule = gone
        proxy.cut()
        proxy.mend()
        time.sleep(seconds)
        proxy.rule = None
    stage.balance()


def test_every_write_fails(
    operator: StartOperator, sandbox: Sandbox, busy_kubelet: None, proxy: Proxy, seconds: float
) -> None:
    stage = Stage(sandbox, operator(through=proxy), proxy, seconds)
    chance, over = random.Random(SEED), threading.Event()
    faults: list[Fault] = [Answer(409, "Conflict"), Answer(429, "TooManyRequests", retry_after=1), Answer(500), "drop"]
    faults += ["lose", over]

    def fails(request: Request) -> Fault | None:
        return chance.choice(faults) if request.writes and "/events" not in request.path else None

    with stage.fault():
        proxy.rule = fails
        time.sleep(seconds)
        proxy.rule = None
        over.set()
    stage.balance()


def test_names_do_not_resolve(
    cluster: Cluster,
    operator: StartOperator,
    sandbox: Sandbox,
    busy_kubelet: None,
    proxy: Proxy,
    seconds: float,
    tmp_path: Path,
) -> None:
    names = _or_skip(HostNames, tmp_path)
    names.resolve("api.chaos.test", "127.0.0.1")
    port = proxy.url.rpartition(":")[2]
    kubeconfig = cluster.kubeconfig_by(f"http://api.chaos.test:{port}", tmp_path / "named.kubeconfig")
    stage = Stage(sandbox, operator(kubeconfig=kubeconfig, environ=names.environment), proxy, seconds)
    with stage.fault():
        names.forget()
        proxy.cut()
        proxy.mend()
        time.sleep(seconds)
        names.resolve("api.chaos.test", "127.0.0.1")
    stage.balance()


def test_the_token_expires_and_is_rotated(
    cluster: Cluster, operator: StartOperator, sandbox: Sandbox, busy_kubelet: None, seconds: float, tmp_path: Path
) -> None:
    """The new token replaces the file of the old one without a notification, as the kubelet does it."""
    token = tmp_path / "token"
    token.write_text(_token(cluster, "first"))
    config = yaml.safe_load(cluster.operator_kubeconfig.read_text())
    config["users"][0]["user"] = {"tokenFile": str(token)}
    kubeconfig = tmp_path / "token.kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config))
    stage = Stage(sandbox, operator(kubeconfig=kubeconfig), None, seconds)
    with stage.fault():
        cluster.kube.delete(_secret("first"))
        eventually(lambda: stage.process.metric("clustertrigger_api_errors_total", code="401"), 60, what="a 401")
        time.sleep(seconds)
        token.write_text(_token(cluster, "second"))
    stage.balance()
    cluster.kube.delete(_secret("second"))


def test_the_clock_is_stepped(
    operator: StartOperator, sandbox: Sandbox, busy_kubelet: None, proxy: Proxy, seconds: float, tmp_path: Path
) -> None:
    """The clock is set forward and back by an hour and a day; the API server's time shows that it is wrong."""
    clock = _or_skip(SettableClock, tmp_path)
    process = operator(through=proxy, environ=clock.environment)
    stage = Stage(sandbox, process, proxy, seconds)
    for step in (HOUR, -HOUR, DAY, -DAY):
        with stage.fault():
            clock.step(step)
            time.sleep(seconds)
            skew = process.metric("clustertrigger_clock_skew_seconds")
            assert skew == pytest.approx(step, abs=3)
            assert all(abs(slot - sandbox.kube.now()) < timedelta(minutes=5) for slot in sandbox.slots("steady-0"))
            clock.step(0)
    stage.balance()
    for name in stage.names:
        assert sandbox.events(name, "SlotsMissed") == [], "a step of the clock is no reason to miss a slot"


def _writes(sandbox: Sandbox) -> bool:
    try:
        sandbox.kube.patch(f"/api/v1/namespaces/{sandbox.namespace}", {"metadata": {"labels": {"alive": "yes"}}})
    except Exception:  # the API server does not respond, or reports an error
        return False
    return True


def _secret(name: str) -> str:
    return f"/api/v1/namespaces/{SYSTEM}/secrets/bound-to-{name}"


def _token(cluster: Cluster, name: str) -> str:
    """Returns a token that is valid as long as a Secret exists."""
    secrets = f"/api/v1/namespaces/{SYSTEM}/secrets"
    bound = cluster.kube.create(secrets, {"metadata": {"name": f"bound-to-{name}"}})
    reference = {"apiVersion": "v1", "kind": "Secret", "name": f"bound-to-{name}", "uid": bound["metadata"]["uid"]}
    request: dict[str, Any] = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 3600, "boundObjectRef": reference},
    }
    accounts = f"/api/v1/namespaces/{SYSTEM}/serviceaccounts/{RELEASE}/token"
    return str(cluster.kube.create(accounts, request)["status"]["token"])


def _or_skip(kind: Any, directory: Path) -> Any:
    try:
        return kind(directory)
    except ClusterError as error:
        pytest.skip(f"needs Debian's libraries: {error}")
