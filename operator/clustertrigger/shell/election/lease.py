"""Implements the Lease that replicas compete for, as a lock of the client library's election.

The library's own lock (kubernetes 37) cannot create a Lease, writes local time as UTC, waits five minutes for a
response, and ends the election when a connection breaks. This one uses the operator's own client.
"""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime
from typing import Any

from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.baselock import BaseLock

from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.shell.kube.api_server import ApiServer

logger = logging.getLogger(__name__)

_NO_ANSWER = 0
_ATTEMPTS = 3


class LeaseLock(BaseLock):
    """One Lease of coordination.k8s.io.

    Args:
        api: The API server.
        namespace: Namespace of the Lease.
        name: Name of the Lease.
        identity: Identity of this replica.
        patience: Seconds to wait for a response.
    """

    def __init__(self, api: ApiServer, namespace: str, name: str, identity: str, patience: float) -> None:
        super().__init__(name, namespace, identity)
        self._api = api
        self._patience = patience
        self._leases = paths.leases(namespace)
        self._path = paths.lease(namespace, name)
        self._lease: dict[str, Any] | None = None
        """The Lease as last read or written. An update succeeds only if this is still the current version."""

    async def get(self, name: str, namespace: str) -> tuple[bool, Any]:
        """Returns the record, or (False, the reason)."""
        try:
            async with asyncio.timeout(self._patience):
                self._lease = await self._api.get(self._path)
        except TimeoutError:
            return False, _as_library_error(_NO_ANSWER, "no answer in time")
        except ApiError as error:
            if not error.is_not_found:
                logger.warning("Reading the Lease failed: %s", error)
            return False, _as_library_error(error.status, error.message)
        return True, _record(_spec_in(self._lease))

    async def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:
        """Creates the Lease. Returns False if another replica was faster."""
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "namespace": namespace},
            "spec": _spec(election_record),
        }
        return await self._write(self._api.create(self._leases, body))

    async def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        """Acquires or renews the Lease. Returns False if another replica was faster."""
        assert self._lease is not None  # noqa: S101 - The library reads before it writes.
        body = {**self._lease, "spec": {**_spec_in(self._lease), **_spec(updated_record)}}
        return await self._write(self._api.replace(self._path, body))

    async def release(self) -> None:
        """Empties the Lease if this replica holds it, so that another replica does not wait until it expires."""
        for _ in range(_ATTEMPTS):
            # A cancelled renewal may have been executed.
            found, _ = await self.get(self.name, self.namespace)
            spec = _spec_in(self._lease or {})
            if not found or spec.get("holderIdentity") != self.identity:
                return
            spec = {**spec, "holderIdentity": "", "leaseDurationSeconds": 1}
            if await self._write(self._api.replace(self._path, {**(self._lease or {}), "spec": spec})):
                return

    async def _write(self, request: Any) -> bool:
        try:
            async with asyncio.timeout(self._patience):
                self._lease = await request
        except (ApiError, TimeoutError) as error:
            # Another replica was faster, which is normal in an election.
            if not (isinstance(error, ApiError) and error.is_conflict):
                logger.warning("Writing the Lease failed: %s", str(error) or "no answer in time")
            return False
        return True


def _spec_in(lease: dict[str, Any]) -> dict[str, Any]:
    spec = lease.get("spec")
    return spec if isinstance(spec, dict) else {}


def _record(spec: dict[str, Any]) -> LeaderElectionRecord:
    duration = spec.get("leaseDurationSeconds")
    return LeaderElectionRecord(
        spec.get("holderIdentity") or None,
        None if duration is None else str(duration),
        spec.get("acquireTime"),
        spec.get("renewTime"),
    )


def _spec(record: LeaderElectionRecord) -> dict[str, Any]:
    return {
        "holderIdentity": record.holder_identity,
        "leaseDurationSeconds": int(float(record.lease_duration or 1)),
        "acquireTime": _micro_time(record.acquire_time),
        "renewTime": _micro_time(record.renew_time),
    }


def _micro_time(text: str | None) -> str:
    """Returns RFC 3339 with microseconds. A time of the library without an offset is local time."""
    try:
        instant = datetime.fromisoformat(text or "").astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        # Anybody who may write the Lease can set its times; an API server stores the year 0, too.
        instant = datetime.now(UTC)
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _as_library_error(status: int, message: str) -> ApiException:
    error = ApiException(status=status, reason=message)
    error.body = json.dumps({"code": status})
    return error
