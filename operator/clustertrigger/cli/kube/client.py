"""Sends requests to the API server, with plain dictionaries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from clustertrigger import __version__
from clustertrigger.cli.kube.access import Access
from clustertrigger.cli.kube.kubeconfig import KubeconfigError
from clustertrigger.core.kube.answers import ApiError, no_answer, object_in, refusal
from clustertrigger.core.kube.request import Request, deletion, merge_patch

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_STREAM = httpx.Timeout(None, connect=10.0)
_PAGE = 500
_ACCEPT = {"Accept": "application/json, */*"}
"""Logs of containers are text."""
_UNAUTHORIZED = 401


class ApiClient:
    """Sends requests over one pool of connections.

    Args:
        access: Address and credentials.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        try:
            self._http = httpx.AsyncClient(
                base_url=access.server,
                verify=access.tls,
                proxy=access.proxy,
                trust_env=False,
                timeout=_TIMEOUT,
                headers=[("User-Agent", f"kubectl-clustertrigger/{__version__}"), *access.impersonation],
            )
        except (ValueError, ImportError) as error:
            raise KubeconfigError(f"proxy-url {access.proxy!r}: {error}") from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def get(self, path: str, **parameters: str) -> dict[str, Any]:
        """Reads one object.

        Raises:
            ApiError: refused, or no answer.
        """
        return await self._object(Request("GET", path, parameters=parameters))

    async def find(self, path: str) -> dict[str, Any] | None:
        """Reads one object; returns None if it does not exist.

        Raises:
            ApiError: refused for another reason, or no answer.
        """
        try:
            return await self.get(path)
        except ApiError as error:
            if not error.is_missing_object:
                raise
            return None

    async def list(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        """Reads all objects of a collection, page by page.

        Raises:
            ApiError: refused, or no answer.
        """
        items: list[dict[str, Any]] = []
        page = {"limit": str(_PAGE)}
        while True:
            answer = await self.get(path, **parameters, **page)
            items += answer.get("items") or []
            following = (answer.get("metadata") or {}).get("continue")
            if not following:
                return items
            page["continue"] = str(following)

    async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Creates an object in the collection at `path`.

        Raises:
            ApiError: refused, or no answer.
        """
        return await self._object(Request("POST", path, body))

    async def merge_patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Changes an object with a JSON merge patch (RFC 7386).

        Raises:
            ApiError: refused, or no answer.
        """
        return await self._object(merge_patch(path, body))

    async def delete(self, path: str, **options: Any) -> None:
        """Deletes an object and, in the background, the objects that it owns. It is not an error if it does not exist.

        Raises:
            ApiError: refused, or no answer.
        """
        try:
            await self._object(deletion(path, **options))
        except ApiError as error:
            if not error.is_not_found:
                raise

    async def text(self, path: str, **parameters: str) -> str:
        """Reads a response that is not an object, such as a container's log.

        Raises:
            ApiError: refused, or no answer.
        """
        answer = await self._send(Request("GET", path, parameters=parameters))
        return answer.content.decode(errors="replace")

    async def follow(self, path: str, **parameters: str) -> AsyncIterator[str]:
        """Yields the lines of a container's log, including future ones, until the container ends.

        Raises:
            ApiError: refused, or the connection broke.
        """
        buffer = b""
        async with self._streamed(Request("GET", path, parameters={**parameters, "follow": "true"})) as answer:
            try:
                async for chunk in answer.aiter_bytes():
                    *lines, buffer = (buffer + chunk).split(b"\n")
                    for line in lines:
                        yield line.decode(errors="replace")
            except httpx.HTTPError as error:
                raise no_answer(error) from error
        if buffer:
            yield buffer.decode(errors="replace")

    @asynccontextmanager
    async def _streamed(self, request: Request) -> AsyncIterator[httpx.Response]:
        try:
            answer = await self._http.send(self._encoded(request, _STREAM), stream=True)
        except httpx.HTTPError as error:
            raise no_answer(error) from error
        try:
            if answer.is_error:
                await answer.aread()
                raise refusal(answer.status_code, answer.reason_phrase, answer.content)
            yield answer
        finally:
            await answer.aclose()

    async def _object(self, request: Request) -> dict[str, Any]:
        answer = await self._send(request)
        found = object_in(answer.content)
        if found is None:
            raise ApiError(
                answer.status_code, "NotUnderstood", "the answer is not a Kubernetes object: is this an API server?"
            )
        return found

    async def _send(self, request: Request) -> httpx.Response:
        for attempt in (1, 2):
            encoded = self._encoded(request, _TIMEOUT)
            try:
                answer = await self._http.send(encoded)
            except httpx.HTTPError as error:
                raise no_answer(error) from error
            refused = answer.status_code == _UNAUTHORIZED and attempt == 1 and self._access.credentials.forget()
            if not refused:
                break
        if answer.is_error:
            raise refusal(answer.status_code, answer.reason_phrase, answer.content)
        return answer

    def _encoded(self, request: Request, timeout: httpx.Timeout) -> httpx.Request:
        headers = request.headers | _ACCEPT
        if authorization := self._access.credentials.authorization():
            headers["Authorization"] = authorization
        server_name = self._access.server_name
        return self._http.build_request(
            request.method,
            request.path,
            params=request.parameters or None,
            content=request.content,
            headers=headers,
            timeout=timeout,
            extensions={"sni_hostname": server_name} if server_name else None,
        )
