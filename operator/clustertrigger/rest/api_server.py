"""Calls the Kubernetes API server with the caller's token."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any

import aiohttp
from aiohttp.client_reqrep import ClientResponse

from clustertrigger import __version__
from clustertrigger.core.kube.answers import object_in
from clustertrigger.core.kube.request import Request, deletion, merge_patch, metadata_only
from clustertrigger.net.tls import trusting
from clustertrigger.rest.errors import RefusedError
from clustertrigger.rest.objects import Object
from clustertrigger.rest.pod_program import Ended, run_program
from clustertrigger.rest.refusals import UNAVAILABLE, refusal, unavailable
from clustertrigger.rest.settings import Settings

_METADATA_ONLY = metadata_only("PartialObjectMetadataList")
_CHANGED = metadata_only("PartialObjectMetadata")
_GONE = 410
_KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
_PAGE = "500"
_ASKED_AGAIN = 60.0
"""Seconds until the cluster's id is read again, if access was denied."""
_WATCH_SECONDS = "290"
_SILENCE = 90.0
"""Seconds without data on a watch, after which it counts as broken: the server sends a bookmark each minute."""
_PROBES = (("SO_KEEPALIVE", 1), ("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 2))
"""TCP keep-alive settings, which detect a dead connection within 15 seconds."""


class WatchEndedError(Exception):
    """A watch cannot continue from its version."""


class ApiServer:
    """Sends requests over one pool of connections, each with the token of its caller.

    Args:
        settings: Address of the API server, and its timeout.
    """

    def __init__(self, settings: Settings) -> None:
        self._token_file = settings.token_file
        self._cluster_id = ""
        self._cluster_id_after = 0.0
        tls = trusting(settings.server_ca.read_text()) if settings.api_server.startswith("https:") else False
        self._session = aiohttp.ClientSession(
            base_url=settings.api_server,
            connector=aiohttp.TCPConnector(
                limit=settings.connections, ssl=tls, keepalive_timeout=75, socket_factory=_socket
            ),
            timeout=aiohttp.ClientTimeout(total=settings.answering_seconds, sock_connect=5),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"clustertrigger-api/{__version__}"},
            read_bufsize=2**20,
            max_field_size=2**17,  # The headers can contain warnings.
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._session.close()

    async def get(self, token: str, path: str, **parameters: str) -> Object:
        """Reads an object or a list.

        Raises:
            RefusedError: refused, or no answer.
        """
        return await self._ask(token, Request("GET", path, parameters=parameters))

    async def names(self, token: str, path: str, **parameters: str) -> list[Object]:
        """Reads the metadata of the objects of a collection.

        Raises:
            RefusedError: refused, or no answer.
        """
        listed = await self._ask(token, Request("GET", path, parameters=parameters, accept=_METADATA_ONLY))
        return listed.get("items") or []

    async def version(self, path: str) -> str:
        """Reads the current version of a collection, with the API's own token.

        Raises:
            RefusedError: refused, or no answer.
        """
        one = Request("GET", path, parameters={"limit": "1"}, accept=_METADATA_ONLY)
        listed = await self._ask(self._own_token(), one)
        return str(listed["metadata"]["resourceVersion"])

    async def pages(self, path: str) -> AsyncIterator[tuple[list[Object], str]]:
        """Reads a collection with the API's own token, in parts; each has the version of the whole.

        Raises:
            RefusedError: refused, or no answer.
            WatchEndedError: it took so long that the rest is of another version.
        """
        page = {"limit": _PAGE}
        while True:
            try:
                listed = await self.get(self._own_token(), path, **page)
            except RefusedError as problem:
                if problem.status == _GONE:
                    raise WatchEndedError from problem
                raise
            about = listed["metadata"]
            yield listed.get("items") or [], about["resourceVersion"]
            if not (following := about.get("continue")):
                return
            page["continue"] = following

    async def watch(self, path: str, version: str) -> AsyncIterator[tuple[str, Object]]:
        """Watches a collection with the API's own token.

        Yields OPENED once, and then the changes until the server ends the watch.

        Args:
            path: Path of the collection.
            version: Changes after this version are reported.

        Raises:
            RefusedError: refused, or no answer.
            WatchEndedError: The changes after this version are no longer available.
        """
        parameters = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": _WATCH_SECONDS,
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=_SILENCE)
        headers = {"Authorization": f"Bearer {self._own_token()}", "Accept": "application/json"}
        try:
            async with self._session.get(path, params=parameters, headers=headers, timeout=timeout) as answer:
                if answer.status != 200:
                    text = await answer.read()
                    if answer.status == _GONE:
                        raise WatchEndedError
                    raise refusal(answer.status, object_in(text) or {}, text, answer.headers.get("Retry-After"))
                yield "OPENED", {}
                async for line in _lines(answer):
                    event = object_in(line)
                    if event is None or event.get("type") == "ERROR":
                        raise WatchEndedError
                    yield event["type"], event["object"]
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise unavailable("interrupted the watch" if isinstance(error, TimeoutError) else None) from error

    async def changes(self, token: str, path: str, **parameters: str) -> AsyncGenerator[None, None]:
        """Yields whenever an object of a collection changes, until the server ends the watch.

        Raises:
            RefusedError: refused, no answer, or the version to watch from is too old.
        """
        headers = {"Authorization": f"Bearer {token}", "Accept": _CHANGED}
        query = {"watch": "true", "timeoutSeconds": _WATCH_SECONDS, **parameters}
        timeout = aiohttp.ClientTimeout(total=float(_WATCH_SECONDS) + _SILENCE, sock_connect=5)
        try:
            async with self._session.get(
                path, params=query, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                if answer.status != 200:
                    text = await answer.read()
                    raise refusal(answer.status, object_in(text) or {}, text, answer.headers.get("Retry-After"))
                async for _ in _lines(answer):
                    yield
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise unavailable("interrupted the watch" if isinstance(error, TimeoutError) else None) from error

    async def create(self, token: str, path: str, body: Mapping[str, Any]) -> Object:
        """Creates an object in a collection. An unknown field is rejected if the server supports that.

        Raises:
            RefusedError: refused, or no answer.
        """
        return await self._ask(token, Request("POST", path, body, {"fieldValidation": "Strict"}))

    async def merge_patch(self, token: str, path: str, body: Mapping[str, Any]) -> Object:
        """Changes an object with a JSON merge patch.

        If metadata.resourceVersion names another version, the server responds 409.

        Raises:
            RefusedError: refused, or no answer.
        """
        return await self._ask(token, merge_patch(path, body))

    async def delete(self, token: str, path: str, uid: str) -> Object:
        """Deletes an object and, in the background, the objects that it owns, but not a new object with the same name.

        Returns:
            The object where a finalizer keeps it, or else a Status.

        Raises:
            RefusedError: refused, or no answer.
        """
        return await self._ask(token, deletion(path, preconditions={"uid": uid}))

    async def end_pod(self, token: str, path: str) -> None:
        """Deletes a Pod at once.

        Raises:
            RefusedError: refused, or no answer.
        """
        await self._ask(token, Request("DELETE", path, {"gracePeriodSeconds": 0}))

    async def run_in_pod(self, token: str, path: str, container: str, program: Sequence[str], seconds: float) -> Ended:
        """See `run_program`."""
        return await run_program(self._session, token, f"{path}/exec", container, program, seconds)

    async def cluster_id(self) -> str:
        """Returns the cluster's id, which is read once with the API's own token; empty if access is denied."""
        if not self._cluster_id and time.monotonic() >= self._cluster_id_after:
            self._cluster_id_after = time.monotonic() + _ASKED_AGAIN
            try:
                found = await self.get(self._own_token(), _KUBE_SYSTEM)
                self._cluster_id = str(found["metadata"]["uid"])
            except RefusedError as problem:
                if problem.status == UNAVAILABLE:
                    self._cluster_id_after = 0.0
        return self._cluster_id

    async def is_reachable(self) -> bool:
        """Returns whether the API server responds at all."""
        try:
            async with self._session.get("/version", timeout=aiohttp.ClientTimeout(total=5)) as answer:
                return answer.status < 500
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    def _own_token(self) -> str:
        """Returns the current token; the kubelet renews it."""
        try:
            return self._token_file.read_text().strip()
        except OSError as error:
            raise RefusedError(403, f"the API's own token cannot be read: {error}") from error

    async def _ask(self, token: str, request: Request) -> Object:
        try:
            async with self._session.request(
                request.method,
                request.path,
                params=request.parameters or None,
                data=request.content,
                headers={"Authorization": f"Bearer {token}", **request.headers},
                allow_redirects=False,
            ) as answer:
                status, text = answer.status, await answer.read()
                retry_after = answer.headers.get("Retry-After")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise unavailable("did not answer in time" if isinstance(error, TimeoutError) else None) from error
        found = object_in(text)
        if status < 300 and found is not None:
            return found
        raise refusal(status, found or {}, text, retry_after)


async def _lines(answer: ClientResponse) -> AsyncIterator[bytes]:
    """Yields lines of any length. An incomplete last line is dropped."""
    rest: list[bytes] = []
    async for chunk in answer.content.iter_any():
        *whole, last = chunk.split(b"\n")
        for line in whole:
            yield b"".join([*rest, line])
            rest = []
        rest.append(last)


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    for name, value in _PROBES:
        if (option := getattr(socket, name, None)) is not None:
            made.setsockopt(socket.SOL_SOCKET if name.startswith("SO_") else socket.IPPROTO_TCP, option, value)
    made.setblocking(False)
    return made
