"""Fixtures for these tests: a separate control plane, and whether they run in full (``make chaos`` sets CHAOS=full)."""

from __future__ import annotations

import os

import pytest

pytest.register_assert_rewrite("harness.control_plane")

from harness.control_plane.fixtures import busy_kubelet, cluster, kubelet, no_lease, operator, proxy, sandbox  # noqa: E402

__all__ = ["busy_kubelet", "cluster", "full", "kubelet", "no_lease", "operator", "proxy", "sandbox"]


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether the tests run in full length; otherwise, each takes about a minute."""
    return os.environ.get("CHAOS") == "full"
