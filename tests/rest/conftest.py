"""clustertrigger-api beside a real API server, and callers with their rights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.control_plane.api_process import ApiProcess
from harness.control_plane.cluster import Cluster
from harness.control_plane.sandbox import Sandbox
from harness.control_plane.tokens import own_token, token_of
from tests.rest import published
from tests.rest.callers import Caller


@pytest.fixture(scope="session")
def shared_service(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    """A service that the tests of this process share, with the rights that the chart gives it."""
    directory = tmp_path_factory.mktemp("api")
    settings = {"token_file": own_token(cluster, directory), "requests_per_second": 0}
    service = ApiProcess(cluster.kube.server, cluster.kube.ca, directory / "api.log", settings)
    yield service
    assert service.stop() == 0
    assert not service.mistakes()


@pytest.fixture
def start_service(cluster: Cluster, tmp_path: Path) -> Iterator[Callable[..., ApiProcess]]:
    """Starts a service with other settings."""
    started: list[ApiProcess] = []

    def start(**settings: Any) -> ApiProcess:
        log = tmp_path / f"api-{len(started)}.log"
        server = str(settings.pop("server", cluster.kube.server))
        started.append(ApiProcess(server, cluster.kube.ca, log, settings))
        return started[-1]

    yield start
    for service in started:
        service.stop()
        assert not service.mistakes()


@pytest.fixture
def caller(shared_service: ApiProcess, sandbox: Sandbox) -> Iterator[Caller]:
    """A caller who can edit in the sandbox's namespace, and reads without the cache."""
    token = token_of(sandbox.kube, sandbox.namespace, "editor", role="clustertrigger-editor")
    with Caller(shared_service.url, sandbox.namespace, token) as caller:
        caller.http.headers["Cache-Control"] = "no-cache"
        yield caller


@pytest.fixture
def nobody(shared_service: ApiProcess, sandbox: Sandbox) -> Iterator[Caller]:
    """A caller without rights."""
    token = token_of(sandbox.kube, sandbox.namespace, "nobody")
    with Caller(shared_service.url, sandbox.namespace, token) as caller:
        yield caller


@pytest.fixture
def anonymous(shared_service: ApiProcess) -> Iterator[httpx.Client]:
    """A caller without a token."""
    hooks = {"response": [published.check]}
    with httpx.Client(base_url=shared_service.url, trust_env=False, timeout=60, event_hooks=hooks) as client:
        yield client
