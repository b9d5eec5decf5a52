"""The composition root: the only place where objects are wired. `python -m clustertrigger.main`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

import kopf
import uvloop
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException

from clustertrigger import __version__, handlers
from clustertrigger.api.names import LABEL_MANAGED_BY, MANAGED_BY
from clustertrigger.core.decision import Observed
from clustertrigger.core.jobs.jobs import RunDefaults
from clustertrigger.core.resources.catalog import Catalog
from clustertrigger.core.resources.trigger import Owner
from clustertrigger.kopf_loop import run_kopf
from clustertrigger.shell import garbage
from clustertrigger.shell.clock import ClusterClock
from clustertrigger.shell.drift_metrics import DriftCollector
from clustertrigger.shell.election import lead_when_elected
from clustertrigger.shell.endpoints import serve_endpoints
from clustertrigger.shell.events.endpoint import EventsEndpoint, serve_events
from clustertrigger.shell.http_server import allow_many_files
from clustertrigger.shell.kube import paths
from clustertrigger.shell.kube.api_server import ApiError, ApiServer
from clustertrigger.shell.kube.credentials import load_configuration
from clustertrigger.shell.kube.reading import read_deep_objects
from clustertrigger.shell.kube.reflector import Reflector
from clustertrigger.shell.logs import set_up_logging
from clustertrigger.shell.metrics import Metrics
from clustertrigger.shell.observed.creators import Creators
from clustertrigger.shell.observed.intake import Known, References, Runs, Triggers
from clustertrigger.shell.observed.stores import REFERENCE_KINDS, jobs_of, pods_of, references_of, triggers_of
from clustertrigger.shell.reconciling.agenda import Agenda
from clustertrigger.shell.reconciling.job_writer import JobWriter
from clustertrigger.shell.reconciling.reconciler import Reconciler
from clustertrigger.shell.reconciling.recorder import Recorder
from clustertrigger.shell.settings import Settings, SettingsError, read_settings
from clustertrigger.shell.sources import Proxies
from clustertrigger.shell.trigger_metrics import NotReadyCollector

logger = logging.getLogger("clustertrigger.main")  # __name__ is __main__ here

_SELECTOR = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
_UNKNOWN_CLUSTER = ""
_STARTUP_PAUSE = 2.0


class Operator:
    """One operator process."""

    def __init__(
        self,
        settings: Settings,
        configuration: Configuration,
        take_back_signals: Callable[[], None] = lambda: None,
    ) -> None:
        self._take_back_signals = take_back_signals
        self._settings = settings
        self._configuration = configuration
        self.metrics = Metrics()
        self._clock = ClusterClock(self.metrics.clock_skew.set)
        self._namespaces: Sequence[str | None] = settings.watch_namespaces or (None,)
        self._agenda = Agenda(self._clock, self.metrics)
        self._triggers = Triggers(self._agenda.now, self.metrics, settings.worker_priority_classes)
        self._leads = False
        # Other replicas know the same triggers: one of them speaks.
        for collector in (DriftCollector, NotReadyCollector):
            self.metrics.registry.register(collector(lambda: self._triggers.notable() if self._leads else ()))
        self._runs = Runs(self._run_changed)
        self._references = References(Catalog(), self._namespace_changed)
        self._waiting_for: str | None = "the API server"

    async def run(self) -> None:
        """Runs until cancelled, or until a part of it fails."""
        settings = self._settings
        async with (
            ApiServer(
                self._configuration,
                self.metrics,
                connections=settings.concurrency + 32,
                reload=load_configuration,
                hear=self._clock.hear,
            ) as api,
            serve_endpoints(settings.http_port, self.metrics, lambda: self._waiting_for) as port,
            serve_events(settings.events_port, settings.events_cert_dir, self._events_endpoint(api)),
        ):
            logger.info("ClusterTrigger %s starts; endpoints on port %d", __version__, port)
            reflectors = [r for namespace in self._namespaces for r in self._reflect(api, namespace)]
            await self._until_known(reflectors)
            async with asyncio.TaskGroup() as tasks:
                for reflector in reflectors:
                    tasks.create_task(reflector.run())
                if settings.webhook_port:
                    creators = Creators(api)
                    tasks.create_task(creators.run())
                    tasks.create_task(
                        run_kopf(self._webhooks(creators), settings, settings.watch_namespaces, self._take_back_signals)
                    )
                cluster_id = await self._cluster_id(api)
                # Not a task: on SIGTERM the Lease is given up before anything else ends.
                await lead_when_elected(settings, api, self.metrics, lambda: self._lead(api, cluster_id))

    def _reflect(self, api: ApiServer, namespace: str | None) -> list[Reflector[Any]]:
        """In the order in which they are read first: no trigger is seen before what it refers to."""
        references = [
            Reflector(api, paths.custom(kind, namespace), references_of(self._references, kind, namespace))
            for kind in REFERENCE_KINDS
        ]
        return [
            *references,
            Reflector(api, paths.custom("clustertriggers", namespace), triggers_of(self._triggers, namespace)),
            Reflector(api, paths.jobs(namespace), jobs_of(self._runs, namespace), _SELECTOR),
            Reflector(api, paths.pods(namespace), pods_of(self._runs, namespace), _SELECTOR),
        ]

    async def _until_known(self, reflectors: Sequence[Reflector[Any]]) -> None:
        """Nothing is decided before everything is known that decisions rest on."""
        while True:
            try:
                with garbage.exempt():
                    for reflector in reflectors:
                        await reflector.read()
                break
            except ApiError as error:
                hint = " (are the CRDs installed?)" if error.status == 404 else ""
                self._waiting_for = f"the API server: {error}{hint}"
                logger.warning("Waiting for %s", self._waiting_for)
                await asyncio.sleep(_STARTUP_PAUSE)
        self._waiting_for = None

    def _events_endpoint(self, api: ApiServer) -> EventsEndpoint:
        namespaces = self._settings.watch_namespaces
        return EventsEndpoint(
            api,
            self._clock,
            self._triggers,
            self.metrics,
            namespaces,
            waiting_for=lambda: self._waiting_for,
            proxies=Proxies(self._settings.events_trusted_proxies),
        )

    def _webhooks(self, creators: Creators) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        handlers.register_login(registry, self._configuration)
        handlers.register_webhooks(
            registry, self._references.catalog, self._settings.worker_priority_classes, creators.admitted
        )
        return registry

    async def _lead(self, api: ApiServer, cluster_id: str) -> None:
        """What only the leader does. A new leader looks at every trigger once."""
        settings = self._settings
        recorder = Recorder(api, self._clock, self.metrics, settings.identity)
        reconciler = Reconciler(
            api=api,
            clock=self._clock,
            known=Known(self._triggers, self._runs, self._references),
            jobs=JobWriter(api, self._clock, self._runs, self.metrics),
            recorder=recorder,
            agenda=self._agenda,
            metrics=self.metrics,
            surroundings=Observed(cluster_id=cluster_id, defaults=_run_defaults(settings)),
        )
        self._agenda.clear_times()
        for key in self._triggers.all_keys():
            self._agenda.now(key)
        self._leads = True
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._agenda.run())
                tasks.create_task(recorder.run())
                tasks.create_task(reconciler.look_ahead())
                for _ in range(settings.concurrency):
                    tasks.create_task(reconciler.work())
        finally:
            self._leads = False

    async def _cluster_id(self, api: ApiServer) -> str:
        try:
            return str((await api.get(paths.namespace("kube-system")))["metadata"]["uid"])
        except ApiError as error:
            logger.info("internal_id stays empty: kube-system cannot be read: %s", error)
            return _UNKNOWN_CLUSTER

    def _run_changed(self, owner: Owner) -> None:
        if key := self._triggers.key_of(owner):
            self._agenda.now(key)

    def _namespace_changed(self, namespace: str) -> None:
        for key in self._triggers.all_keys(namespace):
            self._agenda.now(key)


def _run_defaults(settings: Settings) -> RunDefaults:
    return RunDefaults(
        image=settings.worker_image,
        image_pull_policy=settings.worker_image_pull_policy,
        image_pull_secrets=settings.worker_image_pull_secrets,
        results_uri=settings.results_uri,
        results_volume=settings.results_volume,
    )


async def _run_until_signalled(settings: Settings) -> None:
    loop = asyncio.get_running_loop()

    def heed_signals() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, running.cancel)

    operator = Operator(settings, await load_configuration(), take_back_signals=heed_signals)
    running = asyncio.create_task(operator.run())
    heed_signals()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def main() -> int:
    """Runs the operator until SIGTERM; 2 when it cannot start."""
    try:
        settings = read_settings()
    except SettingsError as error:
        print(f"clustertrigger: {error}", file=sys.stderr)  # noqa: T201 - there is no log yet
        return 2
    set_up_logging(settings.log_format, settings.log_level)
    read_deep_objects()
    garbage.look_rarely()
    allow_many_files()
    try:
        uvloop.run(_run_until_signalled(settings))
    except ConfigException as error:
        logger.error("No cluster to talk to: %s", error)
        return 2
    except BaseExceptionGroup:
        logger.exception("A part of the operator has failed: it ends, to be started again")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
