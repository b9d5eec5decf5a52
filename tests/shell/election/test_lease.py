"""Tests of a Lease with contents that others have written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord

from clustertrigger.core.instants import parse_instant
from clustertrigger.shell.election.lease import LeaseLock
from clustertrigger.shell.kube.api_server import ApiServer


class Stored(ApiServer):
    """An API server that stores one Lease."""

    def __init__(self, spec: Any) -> None:
        self.lease: dict[str, Any] = {"metadata": {"resourceVersion": "1"}, "spec": spec}

    async def get(self, path: str) -> dict[str, Any]:
        return self.lease

    async def replace(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self.lease = dict(body)
        return self.lease


@pytest.mark.parametrize("spec", [None, [], "text", 5, {"acquireTime": 5, "renewTime": [], "leaseDurationSeconds": {}}])
async def test_a_lease_with_odd_contents_is_replaced(spec: Any) -> None:
    api = Stored(spec)
    lock = LeaseLock(api, "system", "lease", "me", 5)
    found, record = await lock.get("lease", "system")
    assert found
    assert await lock.update("lease", "system", LeaderElectionRecord("me", "15", record.acquire_time, None))
    assert api.lease["spec"]["holderIdentity"] == "me"


OURS = {"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": "2026-03-02T12:00:00.000000Z"}


@pytest.mark.parametrize(
    "acquired", ["0000-01-01T00:00:00.000000Z", "0001-01-01T00:00:00+14:00", "soon", "2026-03-02T12:00:00.000000Z"]
)
async def test_a_time_that_cannot_be_read_is_replaced(acquired: str) -> None:
    """Otherwise, the replica that holds the Lease would end, whenever it is elected."""
    api = Stored({**OURS, "acquireTime": acquired})
    lock = LeaseLock(api, "system", "lease", "me", 5)
    found, record = await lock.get("lease", "system")
    assert found
    # The library keeps the time since when this replica has held the Lease.
    renewed = LeaderElectionRecord("me", "15", record.acquire_time, "2026-03-02 12:00:05")
    assert await lock.update("lease", "system", renewed)
    written = api.lease["spec"]["acquireTime"]
    assert parse_instant(written).year >= 2026
    assert written == acquired or not acquired.startswith("2026")
