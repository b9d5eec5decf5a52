"""The composition root: the only place that connects all objects. `python -m clustertrigger.main`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NoReturn

import kopf
import uvloop
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException

from clustertrigger import __version__, handlers
from clustertrigger.api.names import LABEL_MANAGED_BY, MANAGED_BY
from clustertrigger.core.actions.work import RunDefaults
from clustertrigger.core.decision import Observed
from clustertrigger.core.environment import SettingsError
from clustertrigger.core.json_text import read_deep_objects
from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.resources.catalog import REFERENTS, Catalog
from clustertrigger.core.resources.trigger import Owner
from clustertrigger.kopf_loop import Watcher
from clustertrigger.net.endless import Work, start_endless
from clustertrigger.net.heap import return_freed_memory
from clustertrigger.net.sources import Proxies
from clustertrigger.shell import garbage
from clustertrigger.shell.admission.creators import Creators
from clustertrigger.shell.clock import ClusterClock
from clustertrigger.shell.election.leader import lead_when_elected
from clustertrigger.shell.events.endpoint import EventsEndpoint, serve_events
from clustertrigger.shell.events.own_events import OwnEvents
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.kube.credentials import load_configuration
from clustertrigger.shell.logs import set_up_logging
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.metrics.triggers import TriggerCollector
from clustertrigger.shell.notifications.courier import Courier
from clustertrigger.shell.notifications.sending import Sender
from clustertrigger.shell.observed.census import Census
from clustertrigger.shell.observed.kinds import Kind, Kinds
from clustertrigger.shell.observed.known import Known
from clustertrigger.shell.observed.queues import Queues
from clustertrigger.shell.observed.references import References
from clustertrigger.shell.observed.runs import Runs
from clustertrigger.shell.observed.triggers import Triggers
from clustertrigger.shell.reconciling.admissions import Admissions
from clustertrigger.shell.reconciling.agenda import Agenda
from clustertrigger.shell.reconciling.inquiries import Inquiries
from clustertrigger.shell.reconciling.job_writer import JobWriter
from clustertrigger.shell.reconciling.reconciler import Executors, Reconciler
from clustertrigger.shell.serving.endpoints import serve_endpoints
from clustertrigger.shell.serving.http_server import allow_many_files
from clustertrigger.shell.settings import Settings, read_settings
from clustertrigger.shell.status.recorder import Recorder
from clustertrigger.shell.status.status_writer import StatusWriter

logger = logging.getLogger("clustertrigger.main")  # __name__ is __main__ here

_SELECTOR = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
_UNKNOWN_CLUSTER = ""
_STARTUP_PAUSE = 2.0
_OTHER_REQUESTS = 128
"""Maximum number of concurrent requests besides reconciliations: counts of events, reviews of senders, names of
creators, Kubernetes events, Kueue's Workloads, lists, and the Lease, which must not wait for the others.
"""
_LONGEST_END = 20.0
"""Seconds for releasing the Lease and finishing responses, of the 30 that the kubelet grants by default."""
_END_OF_KOPF = 15.0
"""Seconds for the watcher to end, which itself waits for Kopf's tasks."""
_END_OF_A_TASK = 5.0
"""Seconds for any other background task to end."""
_STACK = 2**24
"""Stack size in bytes, for deeply nested JSON; see `read_deep_objects`."""


class Operator:
    """One process of the operator."""

    def __init__(self, settings: Settings, configuration: Configuration) -> None:
        self._settings = settings
        self._configuration = configuration
        self.metrics = Metrics()
        self._clock = ClusterClock(self.metrics.clock_skew.set)
        self._agenda = Agenda(self._clock, self.metrics, settings.concurrency)
        self._catalog = Catalog()
        self._triggers = Triggers(self._agenda.now, self.metrics, settings.permitted, self._catalog.batches)
        self._leads = False
        # Other replicas know the same triggers. Only one of them reports them.
        self.metrics.registry.register(TriggerCollector(lambda: self._triggers.notable() if self._leads else ()))
        self._runs = Runs(self._run_changed)
        self._kinds = self._all_kinds()
        self._complete = asyncio.Event()
        self._waiting_for: str | None = "the API server"
        self.failed = asyncio.Event()
        """Set when a part has failed, so that the process ends even if another part does not."""

    async def run(self) -> None:
        """Runs until it is cancelled, or until a part of it fails."""
        settings = self._settings
        async with (
            ApiServer(
                self._configuration,
                self.metrics,
                connections=self._agenda.limits.workers + _OTHER_REQUESTS,
                reload=load_configuration,
                hear=self._clock.hear,
            ) as api,
            serve_endpoints(settings.http_port, self.metrics, lambda: self._waiting_for) as port,
            serve_events(settings.events_port, settings.events_cert_dir, events := self._events_endpoint(api)),
        ):
            logger.info("ClusterTrigger %s is starting; endpoints on port %d", __version__, port)
            async with asyncio.TaskGroup() as tasks:
                try:
                    await self._watch_and_lead(tasks, api, events)
                finally:
                    self.failed.set()

    async def _watch_and_lead(self, tasks: asyncio.TaskGroup, api: ApiServer, events: EventsEndpoint) -> None:
        settings = self._settings
        statuses = StatusWriter(api, self._triggers)
        creators = Creators(self._triggers, statuses)
        if settings.webhook_port:
            self._start(tasks, creators.run)
        census, watcher = self._watching(api, creators)
        await self._until_reached(census.reachable)
        self._start(tasks, watcher.run, patience=_END_OF_KOPF)
        await self._until_reached(census.take)
        garbage.exempt_what_is_loaded()
        self._waiting_for = None
        self._start(tasks, census.run)
        cluster_id = await self._cluster_id(api)
        # This is not a task: on SIGTERM, the Lease is released before anything else ends.
        lead = partial(self._lead, api, statuses, OwnEvents(events.commits, self._triggers), cluster_id)
        await lead_when_elected(settings, api, self.metrics, lead)

    def _start(self, tasks: asyncio.TaskGroup, work: Work, patience: float = _END_OF_A_TASK) -> None:
        """Starts a background task. Its end for any reason ends the operator."""
        start_endless(tasks, work, patience=patience, failed=self.failed.set)

    def _all_kinds(self) -> Kinds:
        catalog = self._catalog
        referents = tuple(
            Kind(
                referent.plural,
                partial(paths.custom, referent.plural),
                References(partial(catalog.put, referent), partial(catalog.remove, referent), self._namespace_changed),
            )
            for referent in REFERENTS
        )
        pod_templates = References(
            catalog.put_pod_template,
            catalog.remove_pod_template,
            self._namespace_changed,
            part=lambda raw: raw,
            edition=lambda metadata: metadata["resourceVersion"],  # A changed label does not change the generation.
        )
        return Kinds(
            referents,
            Kind("podtemplates", paths.pod_templates, pod_templates),
            Kind("clustertriggers", partial(paths.custom, "clustertriggers"), self._triggers),
            Kind("jobs", paths.jobs, self._runs.jobs, _SELECTOR),
            Kind("pods", paths.pods, self._runs.pods, _SELECTOR),
        )

    def _watching(self, api: ApiServer, creators: Creators) -> tuple[Census, Watcher]:
        """Runs Kopf, and the tasks that find out what Kopf cannot report."""

        def register(registry: kopf.OperatorRegistry) -> None:
            if self._settings.webhook_port:
                handlers.register_webhooks(
                    registry,
                    self._catalog,
                    self._settings.permitted,
                    self._settings.notifications,
                    creators.admitted,
                )

        watcher = Watcher(
            self._settings,
            self._configuration,
            api.credentials,
            self._kinds,
            register=register,
            news_may_be_missing=lambda: census.ask(),  # noqa: PLW0108 - it is made below
        )
        census = Census(
            api, self._kinds.all(), self._settings.watch_namespaces or (None,), watcher.watch_anew, self._complete
        )
        return census, watcher

    async def _until_reached(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Waits until everything is known that decisions depend on."""
        while True:
            try:
                await attempt()
                return
            except ApiError as error:
                hint = " (are the CRDs installed?)" if error.is_not_found else ""
                self._waiting_for = f"the API server: {error}{hint}"
                logger.warning("Waiting for %s", self._waiting_for)
                await asyncio.sleep(_STARTUP_PAUSE)

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

    async def _lead(self, api: ApiServer, statuses: StatusWriter, events: OwnEvents, cluster_id: str) -> None:
        """Runs the leader's tasks. A new leader reconciles every trigger once, and first those that are due."""
        settings = self._settings
        recorder = Recorder(api, self._clock, self.metrics, settings.identity)
        sender = Sender(
            settings.notifications, settings.notify_credentials_dir, settings.notify_ca_file, clock=self._clock
        )
        courier = Courier(self._triggers, sender, self._agenda.now, recorder, self.metrics)
        jobs = JobWriter(api, self._clock, self._runs, self.metrics)
        reconciler = Reconciler(
            statuses=statuses,
            clock=self._clock,
            known=Known(self._triggers, self._runs, self._catalog, self._complete),
            executors=Executors(
                jobs,
                Inquiries(api, self._clock, self._runs),
                events,
                courier,
            ),
            recorder=recorder,
            agenda=self._agenda,
            metrics=self.metrics,
            surroundings=Observed(
                cluster_id=cluster_id, defaults=_run_defaults(settings), permissions=settings.notifications
            ),
        )
        self._agenda.begin(self._triggers.slots())
        self._leads = True
        try:
            async with asyncio.TaskGroup() as tasks:
                self._start(tasks, self._agenda.run)
                self._start(tasks, recorder.run)
                self._start(tasks, courier.run)
                self._start(tasks, Queues(api, self._runs).run)
                self._start(tasks, Admissions(api, self._clock, self._runs, jobs).run)
                self._start(tasks, reconciler.look_ahead)
                self._start(tasks, reconciler.answer)
                for _ in range(self._agenda.limits.workers):
                    self._start(tasks, reconciler.work)
        finally:
            self._leads = False

    async def _cluster_id(self, api: ApiServer) -> str:
        try:
            return str((await api.get(paths.namespace("kube-system")))["metadata"]["uid"])
        except (ApiError, LookupError, TypeError) as error:
            logger.info("status.internal_id stays empty, because reading the namespace kube-system failed: %s", error)
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
        spark=settings.spark,
        results_uri=settings.results_uri,
        results_volume=settings.results_volume,
    )


async def _operate(settings: Settings, over: asyncio.Event) -> None:
    """Runs an operator until `over` is set.

    Raises:
        RuntimeError: it has ended before, or it has failed, and some of its tasks have not stopped.
        BaseExceptionGroup: it has failed.
    """
    operator = Operator(settings, await load_configuration())
    running = asyncio.create_task(operator.run())
    ends = [asyncio.create_task(event.wait()) for event in (over, operator.failed)]
    await asyncio.wait({running, *ends}, return_when=asyncio.FIRST_COMPLETED)
    was_asked = over.is_set()
    if was_asked:
        running.cancel()
    for end in ends:
        end.cancel()
    await asyncio.wait({running}, timeout=_LONGEST_END)
    if not running.done():
        logger.warning("Exiting after %.0f s although some tasks have not stopped", _LONGEST_END)
    elif not running.cancelled():
        running.result()
    if not was_asked:
        raise RuntimeError("the operator ended, although it must run until it receives a signal")


def _run_until_signalled(settings: Settings) -> None:
    """Runs an operator until SIGTERM or SIGINT, outside of the main thread, in which Kopf would handle the signals.

    The event loop is not closed, because closing it would cancel tasks that are about to end, and Kopf's watchers never
    end if they are cancelled twice.
    """
    loop = uvloop.new_event_loop()
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(over.set))
    threading.stack_size(_STACK)
    with concurrent.futures.ThreadPoolExecutor(1, "operator") as thread:
        thread.submit(loop.run_until_complete, _operate(settings, over)).result()


def main() -> int:
    """Runs the operator until SIGTERM. Returns 2 if it cannot start."""
    try:
        settings = read_settings()
    except SettingsError as error:
        print(f"clustertrigger: {error}", file=sys.stderr)  # noqa: T201 - The log is not set up yet.
        return 2
    set_up_logging(settings.log_format, settings.log_level)
    read_deep_objects()
    garbage.look_rarely()
    return_freed_memory()
    allow_many_files()
    try:
        _run_until_signalled(settings)
    except ConfigException as error:
        logger.error("Connecting to a cluster failed: %s", error)
        return 2
    except (Exception, BaseExceptionGroup):
        logger.exception("The operator has failed; exiting so that it is restarted")
        return 1
    return 0


def end(code: int) -> NoReturn:
    """Ends the process at once. Otherwise, Python would wait for threads, and destroy objects that are still in use."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    end(main())
