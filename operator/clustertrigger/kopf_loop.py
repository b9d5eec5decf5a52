"""Runs Kopf, and restarts it when it ends. This file contains all measures for that, with their reasons.

Kopf ends at every unexpected response of the API server, and relies on a restart of the process
(https://github.com/nolar/kopf/pull/509). A leader must not end each time an API server restarts. Therefore Kopf is
restarted in the same process, and most of the reasons to end are removed:

* An error in a watch other than 410 ends Kopf. It is restarted, and the observed objects stay in memory.
* 404 ends Kopf. An API server that has just started responds with it, because it does not know the CRDs yet. Kopf sees
  a broken connection instead, which it retries. The same holds for a 401 that persists with a new token.
* A kind that is not found at the start is never watched. Kopf is restarted if it does not watch all kinds soon.
* Kopf lists all objects from etcd at first. For 10,000 custom resources, this costs the API server five times as much
  as a list from its memory. With `initial_streaming`, Kopf reads from memory on servers that have the feature WatchList
  (from Kubernetes 1.32). On an older server, a watch from version 0 does the same
  (https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-watch), and `shell.observed.census`
  determines when all objects have been reported.
* When `kopf.run_tasks` ends, it cancels every younger task of the loop, including tasks that are not Kopf's
  (https://docs.kopf.dev/en/stable/embedding/). Therefore this file starts and awaits Kopf's tasks itself. Kopf has no
  thread of its own, because two threads would wait for Python's lock for up to five milliseconds each time, also in the
  middle of a burst.
* Kopf removes its finalizer from objects and reads its annotations, and any user can forge both. Here the finalizer has
  a random name, and objects contain no state of Kopf.
* Kopf drops its state of an object only when it receives the event of its deletion, which a broken watch can miss. No
  handler needs this state, so none is stored.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import version
from typing import Any

import aiohttp
import kopf
from aiohttp.client_middlewares import ClientHandlerType
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory
from kubernetes.aio.client import Configuration

from clustertrigger import handlers
from clustertrigger.net.unawaited import retrieve_error
from clustertrigger.shell.admission.server import AdmissionServer
from clustertrigger.shell.kube.api_server import AGENT
from clustertrigger.shell.kube.credentials import Credentials, CredentialsError
from clustertrigger.shell.kube.session import open_session
from clustertrigger.shell.observed.kinds import Kinds
from clustertrigger.shell.settings import Settings

logger = logging.getLogger(__name__)

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 5.0
_BACKOFFS = (1, 1, 2, 3, *[5] * 60)
"""Seconds between attempts of a request, five minutes in all.

After that time, etcd has compacted the version that a watch would continue from, and a restart is not more expensive.
"""
_STARTUP = timedelta(seconds=20)
"""Seconds until all kinds must be watched."""
_END = 10.0
"""Seconds for Kopf's tasks to end."""


class Watcher:
    """Runs Kopf, and restarts it when it ends.

    Args:
        settings: Settings of the admission webhook.
        configuration: Address of the API server.
        credentials: The operator's credentials.
        kinds: The watched kinds.
        register: Registers further handlers.
        news_may_be_missing: Called when watches were restarted or interrupted.
    """

    def __init__(
        self,
        settings: Settings,
        configuration: Configuration,
        credentials: Credentials,
        kinds: Kinds,
        *,
        register: Callable[[kopf.OperatorRegistry], None],
        news_may_be_missing: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._configuration = configuration
        self._credentials = credentials
        self._kinds = kinds
        self._register = register
        self._news_may_be_missing = news_may_be_missing
        self._namespaces = settings.watch_namespaces
        self._paths = {kind.path(namespace) for kind in kinds.all() for namespace in self._namespaces or (None,)}
        self._watched: set[str] = set()
        """Paths that Kopf has requested since its last start."""
        self._interrupted: set[str] = set()
        self._anew = asyncio.Event()

    def watch_anew(self, reason: str) -> None:
        """Restarts all watches."""
        logger.warning("Restarting all watches: %s", reason)
        self._anew.set()

    async def run(self) -> None:
        """Watches the kinds and serves the webhook until it is cancelled."""
        pause = _FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                await self._run_once()
            except Exception as error:
                if time.monotonic() - began > _STARTUP.total_seconds():
                    pause = _FIRST_PAUSE
                logger.warning("Kopf stopped; restarting it in %.0f s: %s", pause, error or type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            self._news_may_be_missing()

    async def _run_once(self) -> None:
        """Returns when all watches must restart; raises Kopf's error."""
        self._watched.clear()
        self._anew.clear()
        tasks = await kopf.spawn_tasks(
            registry=self._registry(),
            settings=self._kopf_settings(),
            memories=_NoMemories(),
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
        )
        ends = [
            asyncio.create_task(self._anew.wait()),
            asyncio.create_task(self._until_all_watched()),
        ]
        try:
            waiting: set[asyncio.Task[Any]] = {*tasks, *ends}
            while not self._anew.is_set():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if task.cancelled() or (task.result() is None and task in tasks):
                        raise RuntimeError(f"its task {task.get_name()} stopped")
        finally:
            for task in (*tasks, *ends):
                task.cancel()
            await asyncio.wait([*tasks, *ends], timeout=_END)
            for task in (*tasks, *ends):
                # If two tasks fail at the same time, one error is reported, and the other one must not be reported as
                # never retrieved.
                retrieve_error(task)

    async def _until_all_watched(self) -> None:
        await asyncio.sleep(_STARTUP.total_seconds())
        if missing := sorted(self._paths - self._watched):
            raise RuntimeError(f"it does not watch {', '.join(missing)}")

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        where = f"in {', '.join(self._namespaces)}" if self._namespaces else "in all namespaces"
        what = ", ".join(kind.plural for kind in self._kinds.all())
        handlers.register_startup(registry, f"Kopf {version('kopf')} watches {what} {where}")
        handlers.register_login(registry, self._connect)
        handlers.register_watches(registry, self._kinds)
        self._register(registry)
        return registry

    def _kopf_settings(self) -> kopf.OperatorSettings:
        settings = kopf.OperatorSettings()
        settings.process.ultimate_exiting_timeout = None
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.networking.error_backoffs = _BACKOFFS
        settings.networking.connect_timeout = 5.0
        settings.networking.request_timeout = 30.0
        settings.watching.initial_streaming = True
        settings.watching.reconnect_backoff = _FIRST_PAUSE
        settings.watching.inactivity_timeout = 90.0  # The API server sends bookmarks about every minute.
        for kind in self._kinds.all():
            if kind.selector:
                settings.watching.label_selectors[kind.plural] = kind.selector
        settings.queueing.idle_timeout = (
            0.1  # If thousands of objects are listed at once, only few are handled concurrently.
        )
        settings.queueing.error_delays = (1, 2, 5)
        settings.persistence.finalizer = f"clustertrigger.dev/{secrets.token_hex(16)}"
        settings.persistence.diffbase_storage = _NoDiffBase()
        settings.persistence.progress_storage = _NoProgress()
        if self._settings.webhook_port:
            settings.admission.server = AdmissionServer(self._settings.webhook_port, self._settings.webhook_cert_dir)
        return settings

    async def _connect(self) -> kopf.AiohttpSession:
        session = open_session(self._configuration, 0, f"{AGENT} kopf/{version('kopf')}", middlewares=[self._ask])
        return kopf.AiohttpSession(server=self._configuration.host, aiohttp_session=session)

    async def _ask(self, request: aiohttp.ClientRequest, ask: ClientHandlerType) -> aiohttp.ClientResponse:
        """Sends a request of Kopf."""
        path = request.url.path
        watches = request.url.query.get("watch") == "true"
        begins = watches and "resourceVersion" not in request.url.query
        if begins and path in self._watched:
            logger.info("The watch of %s is too old; listing again", path)
        try:
            response = await self._ask_as_ourselves(request, ask)
            if begins and response.status in (400, 422):
                response.release()
                query = request.url.query
                kept = {
                    name: query[name] for name in query if name not in ("sendInitialEvents", "resourceVersionMatch")
                }
                request.url = request.url.with_query({**kept, "resourceVersion": "0"})
                response = await self._ask_as_ourselves(request, ask)
            if response.status in (401, 404):
                response.release()
                raise aiohttp.ClientConnectionError(f"{response.status} {response.reason}")
        except CredentialsError as error:
            self._interrupted.add(path)
            raise aiohttp.ClientConnectionError(str(error)) from error
        except (aiohttp.ClientError, TimeoutError):
            self._interrupted.add(path)
            raise
        if response.status >= 400:
            self._interrupted.add(path)
        elif watches:
            self._watched.add(path)
            if begins or path in self._interrupted:
                self._news_may_be_missing()
            self._interrupted.discard(path)
        return response

    async def _ask_as_ourselves(self, request: aiohttp.ClientRequest, ask: ClientHandlerType) -> aiohttp.ClientResponse:
        """Adds the token. If the API server rejects it and there is a new one, repeats the request."""
        headers = await self._credentials.headers()
        request.headers.update(headers)
        response = await ask(request)
        if response.status == 401 and await self._credentials.renew(headers):
            response.release()
            request.headers.update(await self._credentials.headers())
            response = await ask(request)
        return response


class _NoMemories(ResourceMemories):
    async def recall(self, raw_body: kopf.RawBody, **how: Any) -> ResourceMemory:
        return await super().recall(raw_body, **{**how, "ephemeral": True})


class _NoDiffBase(kopf.DiffBaseStorage):
    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        pass


class _NoProgress(kopf.ProgressStorage):
    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        pass

    def purge(self, **_: Any) -> None:
        pass

    def touch(self, **_: Any) -> None:
        pass

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence
