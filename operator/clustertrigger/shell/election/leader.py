"""Elects the replica that fires, with the client library's leader election, and releases the Lease in an orderly way.

Design record: docs/design/election.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection

from clustertrigger.shell.election.lease import LeaseLock
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.settings import Settings

logger = logging.getLogger(__name__)

_STANDBY_PERIOD = 0.5
"""Seconds between a standby's reads of the Lease, which is how long a released Lease stays unused."""

_ENDED = "the leader's work ended"

Lead = Callable[[], Coroutine[Any, Any, None]]


async def lead_when_elected(settings: Settings, api: ApiServer, metrics: Metrics, lead: Lead) -> None:
    """Runs `lead` whenever this replica holds the Lease, and releases the Lease at once when it is cancelled.

    Args:
        settings: Whether there is an election, and its timing.
        api: The API server, which stores the Lease.
        metrics: Metrics that show which replica leads.
        lead: Fires triggers; it is cancelled when the Lease is lost.
    """
    if not settings.leader_election:
        metrics.leader.set(1)
        await lead()
        raise RuntimeError(_ENDED)
    patience = settings.lease_renew_seconds / 2
    lock = LeaseLock(api, settings.lease_namespace, settings.lease_name, settings.identity, patience)
    try:
        while True:
            await _one_term(settings, lock, metrics, lead)
    finally:
        metrics.leader.set(0)
        await asyncio.shield(lock.release())


async def _one_term(settings: Settings, lock: LeaseLock, metrics: Metrics, lead: Lead) -> None:
    """Returns when the Lease is lost.

    The library renews the Lease even if the work that it started has ended. A replica whose work has ended must not
    keep the Lease from others. Therefore the end of the work ends the term, and is an error.
    """
    leading: asyncio.Future[asyncio.Task[None]] = asyncio.get_running_loop().create_future()

    async def started() -> None:
        if (task := asyncio.current_task()) is not None:
            leading.set_result(task)
        metrics.leader.set(1)
        logger.info("This replica (%s) is the leader", settings.identity)
        await lead()
        raise RuntimeError(_ENDED)

    async def stopped() -> None:
        metrics.leader.set(0)
        logger.warning("This replica lost the Lease and stops firing")

    def elected() -> Coroutine[Any, Any, None]:
        # The library reads the period before each renewal, which writes.
        config.retry_period = settings.lease_retry_seconds
        return started()

    config = Config(
        lock,
        lease_duration=settings.lease_duration_seconds,
        renew_deadline=settings.lease_renew_seconds,
        retry_period=settings.lease_retry_seconds,
        onstarted_leading=elected,
        onstopped_leading=stopped,
    )
    config.retry_period = _STANDBY_PERIOD
    election = asyncio.create_task(LeaderElection(config).run())
    begun: set[asyncio.Future[Any]] = {election, leading}
    try:
        await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
        if leading.done():
            await asyncio.wait({election, leading.result()}, return_when=asyncio.FIRST_COMPLETED)
        work_has_ended = not election.done()
    finally:
        tasks = {election, *([leading.result()] if leading.done() else ())}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        # One error is raised at the most: the others must not be reported as never retrieved.
        errors = [task.exception() for task in tasks if not task.cancelled()]
    if error := next(filter(None, errors), None):
        raise error
    if work_has_ended:
        raise RuntimeError("the leader's work was cancelled")
