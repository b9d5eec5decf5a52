"""Sends requests to the Kubernetes API server with plain dictionaries: client models cost more than the requests."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp
from kubernetes.aio.client import Configuration

from clustertrigger import __version__
from clustertrigger.core.kube.answers import ApiError, no_answer, object_in, refusal
from clustertrigger.core.kube.paths import is_path, kind_at
from clustertrigger.core.kube.request import Request, deletion, merge_patch, metadata_only
from clustertrigger.core.text import beginning
from clustertrigger.shell.kube.credentials import Credentials, CredentialsError
from clustertrigger.shell.kube.session import TIMEOUT, open_session
from clustertrigger.shell.metrics.process import Metrics

logger = logging.getLogger(__name__)

AGENT = f"clustertrigger/{__version__}"
_PAGE = 500
_LONG_LIST = aiohttp.ClientTimeout(total=300, sock_connect=5, sock_read=60)
"""Timeout for the names of tens of thousands of objects, from a busy server."""
_PROMPT = 1.0
"""Seconds: a response that took longer does not determine the time precisely."""
_UNAUTHORIZED, _NOT_FOUND = 401, 404
_NAMES = "PartialObjectMetadataList"
_ITEMS = '"items":['
_decode = json.JSONDecoder().raw_decode


class Named(NamedTuple):
    """The identity of one object, without its content."""

    namespace: str
    name: str
    uid: str
    version: str


class ApiServer:
    """Sends requests over one pool of connections.

    Args:
        configuration: Address of the API server, and the operator's credentials.
        metrics: Counts refused requests.
        connections: Maximum number of connections.
        reload: Reads the credentials again when they are rejected.
        hear: Called with the Date of each response.
        agent: Name and version of the program; the name becomes the field manager of all writes.
    """

    def __init__(
        self,
        configuration: Configuration,
        metrics: Metrics,
        connections: int,
        *,
        reload: Callable[[], Awaitable[Configuration]] | None = None,
        hear: Callable[[str], None] = lambda _: None,
        agent: str = AGENT,
    ) -> None:
        self.credentials = Credentials(configuration, reload)
        self._hear = hear
        self._metrics = metrics
        self.session = open_session(configuration, connections, agent)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()

    async def get(self, path: str) -> dict[str, Any]:
        """Reads one object."""
        return await self._request(Request("GET", path))

    async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Creates an object in the collection at `path`."""
        return await self._request(Request("POST", path, body))

    async def replace(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Replaces an object if it still has the version in the body."""
        return await self._request(Request("PUT", path, body))

    async def merge_patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Changes an object with a JSON merge patch (RFC 7386)."""
        return await self._request(merge_patch(path, body))

    async def delete(self, path: str) -> None:
        """Deletes an object, and its dependents in the background. It is not an error if the object does not exist."""
        try:
            await self._request(deletion(path))
        except ApiError as error:
            if not error.is_not_found:
                raise

    async def pages(self, path: str, **parameters: str) -> AsyncIterator[tuple[list[dict[str, Any]], str]]:
        """Yields all objects at `path`, in pages, and the resource version that a watch continues from."""
        following: dict[str, str] = {}
        while True:
            page = {**parameters, "limit": str(_PAGE), **following}
            items, version, rest = _read_page(path, await self._request(Request("GET", path, parameters=page)))
            yield items, version
            if not rest:
                return
            following = {"continue": rest}

    async def names(
        self, path: str, selector: str = "", *, remembered: bool, most: int | None = None
    ) -> tuple[list[Named], str]:
        """Returns the identity of each object at `path` without its content, and the resource version of the list.

        Args:
            path: Path of the collection.
            selector: Label selector; "" for all objects.
            remembered: Whether to read the API server's cache, which is cheap and can be slightly outdated, rather than
                the current state.
            most: Maximum number of objects; the cache ignores it.

        Raises:
            ApiError: refused, or no answer.
        """
        parameters = {"labelSelector": selector} if selector else {}
        if remembered:
            parameters["resourceVersion"] = "0"
        if most is not None:
            parameters["limit"] = str(most)
        request = Request("GET", path, parameters=parameters, accept=metadata_only(_NAMES))
        payload = await self._send(request, _LONG_LIST)
        kind, version, found = await _read_names(payload)
        if kind not in (_NAMES, f"{kind_at(path)}List"):
            raise ApiError(0, "WrongKind", f"{path}: the response is a {kind}, not a {_NAMES}")
        return found, version

    async def list(self, path: str, **parameters: str) -> tuple[list[dict[str, Any]], str]:
        """Returns all `pages` together."""
        items: list[dict[str, Any]] = []
        version = ""
        async for page, as_of in self.pages(path, **parameters):
            items += page
            version = as_of
        return items, version

    async def _request(self, request: Request) -> dict[str, Any]:
        method, path = request.method, request.path
        payload = await self._send(request, TIMEOUT)
        found = object_in(payload)
        if found is None:
            shown = beginning(payload) or "nothing"
            raise ApiError(0, "NotUnderstood", f"the response to {method} {path} is not an object: {shown}")
        kind = kind_at(path)
        if kind and method != "DELETE" and found.get("kind") not in (kind, f"{kind}List"):
            raise ApiError(0, "WrongKind", f"{path}: the response is a {found.get('kind')}, not a {kind}")
        if kind and method != "DELETE" and not isinstance(found.get("metadata"), dict):
            raise ApiError(0, "NotUnderstood", f"{path}: the response is a {kind} without metadata")
        return found

    async def _send(self, request: Request, limits: aiohttp.ClientTimeout) -> bytes:
        _check_path(request.path)
        content = request.content
        try:
            answer, payload = await self._ask(request, content, limits)
            if answer.status < 400:
                return payload
            error = refusal(answer.status, answer.reason, payload, answer.headers.get("Retry-After", ""))
        except CredentialsError as cause:
            error = ApiError(0, type(cause).__name__, str(cause))
        except (aiohttp.ClientError, OSError, RuntimeError, ValueError, OverflowError) as cause:
            # A closed session, or a token that is not valid in a header, also causes no response.
            error = no_answer(cause)
        self._metrics.api_errors.labels(request.method, str(error.status)).inc()
        raise error

    async def _ask(
        self, request: Request, content: bytes | None, limits: aiohttp.ClientTimeout
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """Returns the response and its content.

        If it rejects credentials that were renewed since, the request is repeated.
        """
        credentials = await self.credentials.headers()
        while True:
            headers = {**credentials, **request.headers}
            began = time.monotonic()
            async with self.session.request(
                request.method, request.path, data=content, params=request.parameters, headers=headers, timeout=limits
            ) as answer:
                if time.monotonic() - began <= _PROMPT:
                    self._hear(answer.headers.get("Date", ""))
                payload = await answer.read()
            if answer.status != _UNAUTHORIZED or not await self.credentials.renew(credentials):
                return answer, payload
            credentials = await self.credentials.headers()


def _check_path(path: str) -> None:
    """A name in the path must not lead elsewhere; see paths."""
    if not is_path(path):
        raise ApiError(_NOT_FOUND, "NotFound", f"{path!r} is not a path of the API server")


async def _read_names(payload: bytes) -> tuple[str, str, list[Named]]:
    """Parses kind, version and members of a list, in parts: parsing tens of thousands at once blocks the event loop."""
    text = payload.decode(errors="replace")
    head, opening, _ = text.partition(_ITEMS)
    found: list[Named] = []
    try:
        whole: dict[str, Any] = json.loads(head + _ITEMS + "]}" if opening else text)
        kind, version = whole["kind"], _text(whole["metadata"]["resourceVersion"])
        if not opening:  # The value is null, or JSON with leading blanks.
            found = [_named(item) for item in whole.get("items") or ()]
        at = len(head) + len(opening)
        while opening and text[at] != "]":
            item, at = _decode(text, at)
            found.append(_named(item))
            at += text[at] == ","
            if len(found) % _PAGE == 0:
                await asyncio.sleep(0)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ApiError(0, "NotUnderstood", f"the list of names cannot be read: {beginning(payload)}") from error
    return kind, version, found


def _named(item: Mapping[str, Any]) -> Named:
    metadata = item["metadata"]
    return Named(*(_text(metadata[part]) for part in ("namespace", "name", "uid", "resourceVersion")))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _read_page(path: str, answer: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str, str]:
    """Returns the objects of a page, the version of the list, and how the list continues; "" for not at all."""
    items, metadata = answer.get("items") or [], answer.get("metadata") or {}
    try:
        for item in items:
            if not isinstance(item["metadata"], dict):
                raise TypeError("the metadata are not an object")
        return items, _text(metadata.get("resourceVersion", "")), _text(metadata.get("continue") or "")
    except (LookupError, TypeError, AttributeError) as error:
        raise ApiError(0, "NotUnderstood", f"{path}: the response is a list that cannot be read: {error}") from error
