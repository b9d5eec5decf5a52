"""Tests of requests to the API server: what they contain, and which answers are accepted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_kube_config

from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.shell.kube.api_server import AGENT, ApiServer
from clustertrigger.shell.metrics.process import Metrics
from harness.control_plane import manifests
from harness.control_plane.cluster import SYSTEM, Cluster
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.sandbox import Sandbox


@pytest.fixture
async def api(cluster: Cluster) -> AsyncIterator[ApiServer]:
    configuration = Configuration()
    await load_kube_config(  # type: ignore[no-untyped-call]
        config_file=str(cluster.kube.kubeconfig), client_configuration=configuration
    )
    async with ApiServer(configuration, Metrics(), connections=2) as api:
        yield api


def managers(written: Object) -> set[str]:
    return {entry["manager"] for entry in written["metadata"]["managedFields"]}


async def test_writes_have_the_field_manager_clustertrigger(api: ApiServer, sandbox: Sandbox) -> None:
    written = await api.create(paths.custom("clustertriggers", sandbox.namespace), manifests.trigger("one", rarely()))
    assert managers(written) == {"clustertrigger"}
    assert AGENT.startswith("clustertrigger/")


def test_the_operator_is_the_field_manager_of_its_status_and_its_jobs(
    operator: StartOperator, sandbox: Sandbox
) -> None:
    operator()
    sandbox.trigger("one", rarely())
    sandbox.request_run("one", "now")
    (job,) = eventually(lambda: sandbox.jobs("one"))

    def writers() -> set[str]:
        entries = sandbox.get("one")["metadata"]["managedFields"]
        return {entry["manager"] for entry in entries if "f:trigger_id" in entry["fieldsV1"].get("f:status", {})}

    assert eventually(writers) == {"clustertrigger"}
    assert "clustertrigger" in managers(job)


@pytest.mark.parametrize("character", ["x", "é", "\\", "👾", "\t"], ids=["x", "e", "backslash", "monster", "tab"])
async def test_long_warnings_are_accepted(api: ApiServer, sandbox: Sandbox, character: str) -> None:
    """The server warns of unknown fields in headers that are as long as the names of the fields."""
    body = manifests.trigger("odd", {**rarely(), **{f"{number}{character * 5000}": 1 for number in range(20)}})
    written = await api.create(paths.custom("clustertriggers", sandbox.namespace), body)
    assert written["metadata"]["name"] == "odd"


def rarely() -> Object:
    return manifests.spec("cron", {"cron_expression": "0 0 1 1 *"})


@pytest.mark.parametrize("trouble", [PermissionError("token"), ConfigException("empty"), KeyError("token")], ids=repr)
def test_an_unreadable_token_is_a_temporary_error(cluster: Cluster, trouble: Exception) -> None:
    """Reading the token fails, as while the kubelet replaces the file, or if the kubeconfig's command fails."""

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
