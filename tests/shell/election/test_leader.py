"""Tests that a leader whose work has ended releases the Lease immediately."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import load_kube_config

from clustertrigger.shell.election.leader import lead_when_elected
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.settings import Settings
from harness.control_plane.cluster import LEASE, SYSTEM, Cluster
from harness.control_plane.sandbox import Sandbox


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
def test_a_leader_whose_work_has_ended_releases_the_lease(
    cluster: Cluster, sandbox: Sandbox, no_lease: None, work: Callable[[], Awaitable[None]]
) -> None:
    settings = Settings(worker_image="worker:test", lease_namespace=SYSTEM, identity="dying")
    metrics = Metrics()

    async def lead() -> None:
        await work()

    async def term() -> BaseException | None:
        configuration = await _operators_configuration(cluster)
        async with ApiServer(configuration, metrics, connections=2) as api, asyncio.timeout(60):
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
