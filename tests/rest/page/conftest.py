"""Readers of the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from harness.control_plane.api_process import ApiProcess
from harness.control_plane.sandbox import Sandbox
from harness.control_plane.tokens import token_of
from tests.rest.page.readers import Reader


@pytest.fixture
def stranger(shared_service: ApiProcess) -> Iterator[Reader]:
    """A browser without a session."""
    with httpx.Client(base_url=shared_service.url, trust_env=False, timeout=60) as http:
        yield Reader(http, "")


@contextmanager
def _signed_in(service: ApiProcess, sandbox: Sandbox, name: str) -> Iterator[Reader]:
    token = token_of(sandbox.kube, sandbox.namespace, name, role=f"clustertrigger-{name}")
    with httpx.Client(base_url=service.url, trust_env=False, timeout=60) as http:
        http.headers["Cache-Control"] = "no-cache"  # what a test has written elsewhere is seen at once
        reader = Reader(http, token)
        assert reader.sign_in().status_code == 303
        yield reader


@pytest.fixture
def editor(shared_service: ApiProcess, sandbox: Sandbox) -> Iterator[Reader]:
    """The browser of a signed-in user who can edit triggers of the sandbox's namespace."""
    with _signed_in(shared_service, sandbox, "editor") as reader:
        yield reader


@pytest.fixture
def viewer(shared_service: ApiProcess, sandbox: Sandbox) -> Iterator[Reader]:
    """The browser of a signed-in user who can see triggers of the sandbox's namespace."""
    with _signed_in(shared_service, sandbox, "viewer") as reader:
        yield reader
