"""Runs Kopf beside everything else of the process, and keeps it from running the process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import kopf

from clustertrigger.shell.settings import Settings


async def run_kopf(
    registry: kopf.OperatorRegistry,
    settings: Settings,
    namespaces: Sequence[str],
    take_back_signals: Callable[[], None],
) -> None:
    """Watches and serves until cancelled.

    Args:
        registry: holds the handlers.
        settings: say where the admission webhook is served, if at all.
        namespaces: those to watch; none for all.
        take_back_signals: Kopf takes SIGTERM for itself, and would stop long before the Lease is given up.

    Raises:
        RuntimeError: Kopf has ended by itself.
    """
    ours = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=registry,
        settings=_kopf_settings(settings),
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
    )
    take_back_signals()
    await kopf.run_tasks(tasks, ignored=ours)
    raise RuntimeError("Kopf has stopped watching")


def _kopf_settings(settings: Settings) -> kopf.OperatorSettings:
    kopf_settings = kopf.OperatorSettings()
    kopf_settings.posting.enabled = False
    kopf_settings.scanning.disabled = True
    kopf_settings.queueing.idle_timeout = 1.0
    kopf_settings.process.ultimate_exiting_timeout = None
    if settings.webhook_port:
        folder = settings.webhook_cert_dir
        kopf_settings.admission.server = kopf.WebhookServer(
            addr="0.0.0.0",  # noqa: S104 - the API server calls from outside the Pod
            port=settings.webhook_port,
            certfile=folder / "tls.crt",
            pkeyfile=folder / "tls.key",
        )
    return kopf_settings
