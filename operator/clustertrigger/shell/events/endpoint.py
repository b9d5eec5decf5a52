"""Serves POST /v1/namespaces/{namespace}/events, which receives CloudEvents.

A 202 means that the count is stored in the cluster.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from clustertrigger.core.events.cloudevents import EventError, Occurrence, read_events
from clustertrigger.core.events.event_counting import Arrival
from clustertrigger.core.events.seen_events import fingerprint
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.kube.paths import is_namespace
from clustertrigger.core.resources.trigger import Key
from clustertrigger.net.seldom import SeldomLine
from clustertrigger.net.sources import Proxies
from clustertrigger.net.unawaited import retrieve_error
from clustertrigger.shell.clock import Clock
from clustertrigger.shell.events.freshness import Freshness
from clustertrigger.shell.events.group_commit import MOST_WAITING, BacklogError, GroupCommit, NotStoredError
from clustertrigger.shell.events.senders import Senders
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.observed.triggers import Triggers
from clustertrigger.shell.serving.bodies import Bodies, BodyError
from clustertrigger.shell.serving.fair_turns import CrowdedError
from clustertrigger.shell.serving.http_server import Limits, serve
from clustertrigger.shell.status.status_writer import StatusWriter

logger = logging.getLogger(__name__)

PATH = "/v1/namespaces/{namespace}/events"
LARGEST_BODY = 2**20
SPACE_FOR_BODIES = 2**26
"""Maximum number of bytes of all bodies whose requests are not yet answered."""
_SLOWEST_BODY = 30.0
_COME_BACK = {"Retry-After": "1"}
_DRAIN = 15.0
CONNECTIONS = 4096
CONNECTIONS_OF_A_SOURCE = 2048


@dataclass
class _Receipt:
    accepted: int = 0
    duplicates: int = 0
    unmatched: int = 0


class EventsEndpoint:
    """Receives events for any namespace that this operator serves."""

    def __init__(
        self,
        api: ApiServer,
        clock: Clock,
        triggers: Triggers,
        metrics: Metrics,
        namespaces: Sequence[str],
        waiting_for: Callable[[], str | None],
        proxies: Proxies,
    ) -> None:
        self._index = triggers.event_index
        self._metrics = metrics
        self._namespaces = namespaces
        self._waiting_for = waiting_for
        self.proxies = proxies
        self._senders = Senders(api)
        self._rejected = SeldomLine(logger)
        self._bodies = Bodies(SPACE_FOR_BODIES, LARGEST_BODY, _SLOWEST_BODY)
        self._freshness = Freshness(api, triggers)
        self.commits = GroupCommit(StatusWriter(api, triggers), clock, triggers, metrics)

    async def answer(self, request: web.Request) -> web.Response:
        """Returns the response to one request."""
        try:
            response = await self._receive(request)
        except EventError as error:
            response = _no(error.status, str(error))
        except BodyError as error:
            response = _no(error.status, str(error), retry=error.status == 429)
        except CrowdedError:
            response = _no(429, "too many requests from your address wait for authentication: send again", retry=True)
        except BacklogError as error:
            response = _no(429, f"{error}: send again", retry=True)
        except (ApiError, NotStoredError) as error:
            self._rejected.log(f"Rejected events: {error}")
            response = _no(503, f"the count was not stored: send the events again: {error}", retry=True)
        self._metrics.event_requests.labels(str(response.status)).inc()
        return _without_body(response) if _wants_an_event_back(request) else response

    async def _receive(self, request: web.Request) -> web.Response:
        namespace = request.match_info["namespace"]
        if not is_namespace(namespace):
            raise EventError(
                400, f"namespace {namespace!r} in the URL: a name has up to 63 lower-case letters, digits and '-'"
            )
        if missing := self._waiting_for():
            return _no(503, f"not ready: waiting for {missing}", retry=True)
        source = self._source(request)
        if denial := await self._senders.denial(request.headers.get("Authorization"), namespace, source):
            return _no(denial.status, denial.message)
        if self._namespaces and namespace not in self._namespaces:
            return _no(
                404,
                f"namespace {namespace!r} is not watched by this operator: use one of {', '.join(self._namespaces)}",
            )
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self._bodies.of(source) as body:
            # The names in events, which are kept until the count is stored, can be as long as the body.
            events = read_events(headers, await body.read(request))
            receipt = await self._count(namespace, events)
        for result, count in (
            ("accepted", receipt.accepted),
            ("duplicate", receipt.duplicates),
            ("unmatched", receipt.unmatched),
        ):
            if count:
                self._metrics.cloudevents.labels(result).inc(count)
        return web.json_response(vars(receipt), status=202)

    async def _count(self, namespace: str, events: Sequence[Occurrence]) -> _Receipt:
        """Counts each event for every trigger that it matches. Either all events are acknowledged, or none."""
        matched = [self._match(namespace, event) for event in events]
        if not all(matched):
            await self._freshness.ensure(namespace)
            matched = [self._match(namespace, event) for event in events]
        by_trigger: defaultdict[Key, list[int]] = defaultdict(list)
        for place, keys in enumerate(matched):
            for key in keys:
                by_trigger[key].append(place)
        number = sum(map(len, by_trigger.values()))
        if number > MOST_WAITING and len(events) > 1:
            raise EventError(413, f"{len(events)} events for {len(by_trigger)} triggers: send fewer at once")
        self.commits.reserve(namespace, number)
        arrivals = [Arrival(fingerprint(event.source, event.id), event.count) for event in events]
        counting = asyncio.gather(
            *(self.commits.count(key, [arrivals[place] for place in places]) for key, places in by_trigger.items())
        )
        # A sender that does not wait for the response may send again. The events are counted nevertheless, and
        # recognized then.
        counting.add_done_callback(lambda _: self.commits.give_back(namespace, number))
        counting.add_done_callback(retrieve_error)
        verdicts = await asyncio.shield(counting)
        known: set[int] = set()
        fresh: set[int] = set()
        for places, verdict in zip(by_trigger.values(), verdicts, strict=True):
            if verdict is not None:
                known.update(places)
                fresh.update(place for place, is_fresh in zip(places, verdict, strict=True) if is_fresh)
        return _Receipt(len(fresh), len(known - fresh), len(events) - len(known))

    def _source(self, request: web.Request) -> str:
        return self.proxies.sender(request.remote or "", request.headers.getall("X-Forwarded-For", ()))

    def _match(self, namespace: str, event: Occurrence) -> list[Key]:
        return list(self._index.match(namespace, event.type, event.collection_id))


@asynccontextmanager
async def serve_events(port: int, cert_dir: Path | None, endpoint: EventsEndpoint) -> AsyncIterator[None]:
    """Serves while the context lasts. At its end, accepted events are stored and answered first.

    Args:
        port: The port to listen on; 0 serves nothing.
        cert_dir: Directory with tls.crt and tls.key, which are read again when they change; None for plain HTTP.
        endpoint: Handles the requests.
    """
    if not port:
        yield
        return
    app = web.Application(client_max_size=LARGEST_BODY)
    app.add_routes([web.post(PATH, endpoint.answer)])
    limits = Limits(CONNECTIONS, CONNECTIONS_OF_A_SOURCE, endpoint.proxies.is_trusted)
    async with serve(app, port, limits, cert_dir=cert_dir, drain=_DRAIN, handler_cancellation=True):
        logger.info("Accepting events on port %d, over %s", port, "HTTPS" if cert_dir else "HTTP")
        yield


def _wants_an_event_back(request: web.Request) -> bool:
    """Returns whether the client is a Knative broker or channel.

    It treats any other body as a failed delivery, and repeats the event. Source: Knative's data plane contract, derived
    reply events.
    """
    return "reply" in request.headers.get("Prefer", "").lower()


def _without_body(response: web.Response) -> web.Response:
    kept = {name: value for name, value in response.headers.items() if name in ("Retry-After", "WWW-Authenticate")}
    return web.Response(status=response.status, headers=kept)


def _no(status: int, message: str, *, retry: bool = False) -> web.Response:
    headers = dict(_COME_BACK) if retry else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.json_response({"error": message}, status=status, headers=headers)
