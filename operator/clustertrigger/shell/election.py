"""Which replica fires: Lease leader election of the client library, bounded in time and given up in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import aiohttp
from kubernetes.aio import client
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from clustertrigger.shell.metrics import Metrics
from clustertrigger.shell.settings import Settings

logger = logging.getLogger(__name__)

Lead = Callable[[], Coroutine[Any, Any, None]]


class _BoundedLeaseLock(LeaseLock):
    """The library waits five minutes for an answer, and lets a broken connection end the election: not so here."""

    def __init__(self, name: str, namespace: str, identity: str, api: client.ApiClient, patience: float) -> None:
        super().__init__(name, namespace, identity, api)
        self._patience = patience

    async def get(self, name: str, namespace: str) -> Any:
        return await self._bounded(super().get(name, namespace), lambda error: (False, _Unanswered(error)))

    async def create(self, name: str, namespace: str, election_record: Any) -> Any:
        return await self._bounded(super().create(name, namespace, election_record), lambda _: False)

    async def update(self, name: str, namespace: str, updated_record: Any) -> Any:
        return await self._bounded(super().update(name, namespace, updated_record), lambda _: False)

    def time_str_to_iso(self, str_time: str) -> str | None:
        # The library writes local time and calls it UTC.
        try:
            return datetime.fromisoformat(str_time).astimezone(UTC).isoformat().replace("+00:00", "Z")
        except ValueError:
            return None

    async def _bounded(self, request: Awaitable[Any], otherwise: Callable[[Exception], Any]) -> Any:
        try:
            return await asyncio.wait_for(request, self._patience)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return otherwise(error)


class _Unanswered(client.ApiException):
    def __init__(self, error: Exception) -> None:
        super().__init__(status=0, reason=str(error) or type(error).__name__)


async def lead_when_elected(
    settings: Settings, configuration: client.Configuration, metrics: Metrics, lead: Lead
) -> None:
    """Runs `lead` while this replica holds the Lease, again and again; on cancellation the Lease is given up at once.

    Args:
        settings: whether there is an election, and its times.
        configuration: of the API server.
        metrics: show who leads.
        lead: fires triggers; is cancelled when the Lease is lost.
    """
    if not settings.leader_election:
        metrics.leader.set(1)
        await lead()
        return
    async with client.ApiClient(configuration) as api:
        lock = _BoundedLeaseLock(
            settings.lease_name, settings.lease_namespace, settings.identity, api, settings.lease_renew_seconds / 2
        )
        try:
            while True:
                await _one_term(settings, lock, metrics, lead)
        finally:
            metrics.leader.set(0)
            await asyncio.shield(_release(lock))


async def _one_term(settings: Settings, lock: _BoundedLeaseLock, metrics: Metrics, lead: Lead) -> None:
    failure: list[BaseException] = []

    async def started() -> None:
        metrics.leader.set(1)
        logger.info("This replica (%s) is the leader", settings.identity)
        try:
            await lead()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            failure.append(error)
            raise

    async def stopped() -> None:
        metrics.leader.set(0)
        logger.warning("The Lease was lost: this replica stops firing")

    config = Config(
        lock,
        lease_duration=settings.lease_duration_seconds,
        renew_deadline=settings.lease_renew_seconds,
        retry_period=settings.lease_retry_seconds,
        onstarted_leading=started,
        onstopped_leading=stopped,
    )
    await LeaderElection(config).run()
    if failure:
        raise failure[0]


async def _release(lock: _BoundedLeaseLock) -> None:
    """Empties the Lease if it is ours, so that another replica need not wait for it to run out."""
    lease = lock.lease_reference
    if lease is None or lease.spec is None or lease.spec.holder_identity != lock.identity:
        return
    lease.spec.holder_identity = ""
    lease.spec.lease_duration_seconds = 1
    try:
        async with asyncio.timeout(2):
            await lock.api_instance.replace_namespaced_lease(lock.name, lock.namespace, lease)
    except (client.ApiException, aiohttp.ClientError, TimeoutError, OSError) as error:
        logger.info("The Lease could not be given up and runs out by itself: %s", error)
