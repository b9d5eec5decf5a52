"""Runs Kopf beside everything else of the process, and keeps it from running the process."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import kopf

from clustertrigger.shell.settings import Settings

logger = logging.getLogger(__name__)

_PAUSE = 2.0
_FIRST_BACKOFFS = (1, 1, 2, 3, 5)
_LONGEST_BACKOFF = 10


async def run_kopf(
    registry: kopf.OperatorRegistry,
    settings: Settings,
    namespaces: Sequence[str],
    take_back_signals: Callable[[], None],
) -> None:
    """Serves until cancelled.

    Kopf ends for good when it is answered by an error that it does not expect, such as the 404 of an API server
    that has just started and does not know its CRDs yet. Then it is started again.

    Args:
        registry: holds the handlers.
        settings: say where the admission webhook is served.
        namespaces: those whose objects are admitted; none for all.
        take_back_signals: Kopf takes SIGTERM for itself, and would stop long before the Lease is given up.
    """
    while True:
        tasks = await kopf.spawn_tasks(
            registry=registry,
            settings=_kopf_settings(settings),
            standalone=True,
            clusterwide=not namespaces,
            namespaces=namespaces,
        )
        take_back_signals()
        try:
            await kopf.run_tasks(tasks, ignored=_NotKopfs())
        except Exception as error:
            logger.warning("The admission webhook broke off, starting again in %.0f s: %s", _PAUSE, error)
        else:
            logger.warning("The admission webhook has ended, starting again in %.0f s", _PAUSE)
        await asyncio.sleep(_PAUSE)


class _NotKopfs(Collection["asyncio.Task[Any]"]):
    """The tasks that Kopf must let live when it ends: by itself, it would cancel every younger task of the process."""

    _HOME = str(Path(kopf.__file__).parent)

    def __contains__(self, task: object) -> bool:
        code = getattr(task.get_coro(), "cr_code", None) if isinstance(task, asyncio.Task) else None
        return code is None or not code.co_filename.startswith(self._HOME)

    def __iter__(self) -> Iterator[asyncio.Task[Any]]:
        return (task for task in asyncio.all_tasks() if task in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Patience:
    """Seconds to wait before each further attempt: without end, so that no outage is too long."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain(_FIRST_BACKOFFS, itertools.repeat(_LONGEST_BACKOFF))


def _kopf_settings(settings: Settings) -> kopf.OperatorSettings:
    kopf_settings = kopf.OperatorSettings()
    kopf_settings.posting.enabled = False
    kopf_settings.scanning.disabled = True
    kopf_settings.networking.error_backoffs = _Patience()
    kopf_settings.process.ultimate_exiting_timeout = None
    kopf_settings.admission.server = kopf.WebhookServer(
        addr="0.0.0.0",  # noqa: S104 - the API server calls from outside the Pod
        port=settings.webhook_port,
        certfile=settings.webhook_cert_dir / "tls.crt",
        pkeyfile=settings.webhook_cert_dir / "tls.key",
    )
    return kopf_settings
