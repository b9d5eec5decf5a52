"""Work that dies: no single write ends a task, and a leader whose work has ended gives the Lease up at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_kube_config

from clustertrigger.shell.election.leader import lead_when_elected
from clustertrigger.shell.kube.api_server import ApiError, ApiServer
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.settings import Settings
from harness.control_plane.cluster import SYSTEM, Cluster
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.manifests import interval
from harness.control_plane.proxy import Answer, Fault, Proxy, Request
from harness.control_plane.sandbox import Sandbox

LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/clustertrigger"
NONSENSE = [
    Answer(200, text="<html>welcome</html>"),
    Answer(201, text=""),
    Answer(200, text="null"),
    Answer(200, text="[]"),
    Answer(200, text='{"kind":'),
    Answer(200, text='{"kind": "Event"}'),
    Answer(200, text='{"kind": "ClusterTrigger", "metadata": null}'),
]


@pytest.fixture
def no_lease(sandbox: Sandbox) -> Iterator[None]:
    sandbox.kube.delete(LEASE)
    yield
    sandbox.kube.delete(LEASE)


@pytest.mark.parametrize("written", ["/events", "/status"])
def test_answers_that_make_no_sense_end_nothing(
    operator: StartOperator, sandbox: Sandbox, busy_kubelet: None, proxy: Proxy, written: str
) -> None:
    """Whatever stands in front of an API server may answer 200 with a page of its own."""
    process = operator(through=proxy)
    sandbox.trigger("steady", interval(1, concurrency_policy="Allow"))
    eventually(lambda: sandbox.history("steady"))
    nonsense = list(NONSENSE) * 2

    def answer(request: Request) -> Fault | None:
        return nonsense.pop() if nonsense and request.writes and written in request.path else None

    proxy.rule = answer
    eventually(lambda: not nonsense, 60)
    proxy.rule = None
    count = sandbox.status("steady")["execution_count"]
    eventually(lambda: sandbox.status("steady")["execution_count"] > count + 2, 60)
    sandbox.trigger("later", interval(3600, start_immediately=True))
    eventually(lambda: sandbox.events("later", "RunCreated"), 30, what="an event that is written again")
    assert process.running()


@pytest.mark.parametrize("trouble", [PermissionError("token"), ConfigException("empty"), KeyError("token")], ids=repr)
def test_a_token_that_cannot_be_read_is_an_error_that_passes(cluster: Cluster, trouble: Exception) -> None:
    """As while the kubelet replaces the file, or of a command that the kubeconfig names."""

    async def ask() -> None:
        configuration = await _operators_configuration(cluster)
        async with ApiServer(configuration, Metrics(), connections=2) as api:
            known = await api.get(f"/api/v1/namespaces/{SYSTEM}/pods")

            async def fails(_: Configuration) -> None:
                raise trouble

            configuration.refresh_api_key_hook = fails  # type: ignore[assignment]
            with pytest.raises(ApiError, match="credentials cannot be read") as refused:
                await api.get(f"/api/v1/namespaces/{SYSTEM}/pods")
            assert refused.value.status == 0
            configuration.refresh_api_key_hook = None
            assert (await api.get(f"/api/v1/namespaces/{SYSTEM}/pods"))["kind"] == known["kind"]

    asyncio.run(ask())


async def _operators_configuration(cluster: Cluster) -> Configuration:
    configuration = Configuration()
    await load_kube_config(  # type: ignore[no-untyped-call]
        config_file=str(cluster.operator_kubeconfig), client_configuration=configuration
    )
    return configuration


async def _raises() -> None:
    await asyncio.sleep(0.5)
    raise ArithmeticError("a mistake")


async def _returns() -> None:
    await asyncio.sleep(0.5)


async def _is_cancelled() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("work", [_raises, _returns, _is_cancelled])
def test_a_leader_whose_work_has_ended_gives_the_lease_up_at_once(
    cluster: Cluster, sandbox: Sandbox, no_lease: None, work: Callable[[], Awaitable[None]]
) -> None:
    settings = Settings(worker_image="worker:test", lease_namespace=SYSTEM, identity="dying")
    metrics = Metrics()

    async def lead() -> None:
        await work()

    async def term() -> BaseException | None:
        configuration = await _operators_configuration(cluster)
        async with ApiServer(configuration, metrics, connections=2) as api, asyncio.timeout(5):
            try:
                await lead_when_elected(settings, api, metrics, lead)
            except TimeoutError:
                raise
            except Exception as error:
                return error
            return None

    assert asyncio.run(term()) is not None, "its end is an error, so that the process ends"
    lease = sandbox.kube.get(LEASE)["spec"]
    assert lease["holderIdentity"] == "", "a lease of 15 s that nobody renews would keep the others waiting"
    assert metrics.registry.get_sample_value("clustertrigger_leader") == 0
