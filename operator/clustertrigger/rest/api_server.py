"""The Kubernetes API server, asked with somebody's token; its refusals become the API's own errors."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from clustertrigger import __version__
from clustertrigger.core.json_text import write_json
from clustertrigger.core.kube.answers import object_in
from clustertrigger.core.resources.problem import Problem
from clustertrigger.core.text import beginning
from clustertrigger.rest.errors import FieldError, RefusedError, invalid
from clustertrigger.rest.settings import Settings

Object = dict[str, Any]

_MERGE_PATCH = "application/merge-patch+json"
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
_PASSED_ON = (400, 401, 403, 404, 405, 409, 413, 422, 429)
_INVALID, _TOO_MANY = 422, 429
_SPEC = "spec."
_KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
_RETRY_AFTER = {"Retry-After": "1"}


class ApiServer:
    """Requests over one pool of connections; each says with whose token.

    Args:
        settings: where it is, and for how long it may take to answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._token_file = settings.token_file
        self._cluster_id = ""
        tls = _tls(settings.server_ca) if settings.api_server.startswith("https:") else False
        self._session = aiohttp.ClientSession(
            base_url=settings.api_server,
            connector=aiohttp.TCPConnector(limit=settings.connections, ssl=tls, keepalive_timeout=75),
            timeout=aiohttp.ClientTimeout(total=settings.answering_seconds, sock_connect=5),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"clustertrigger-api/{__version__}"},
            read_bufsize=2**20,
            max_field_size=2**17,  # warnings come in headers
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def get(self, token: str, path: str, **parameters: str) -> Object:
        """Read an object or a list.

        Raises:
            RefusedError: refused, or no answer.
        """
        return await self._ask("GET", token, path, parameters=parameters)

    async def names(self, token: str, path: str) -> list[Object]:
        """Read the metadata of the objects of a collection.

        Raises:
            RefusedError: refused, or no answer.
        """
        listed = await self._ask("GET", token, path, accept=_METADATA_ONLY)
        return listed.get("items") or []

    async def create(self, token: str, path: str, body: Mapping[str, Any]) -> Object:
        """Create an object in a collection; a field that the server does not know is refused, where it can do that.

        Raises:
            RefusedError: refused, or no answer.
        """
        return await self._ask("POST", token, path, body, parameters={"fieldValidation": "Strict"})

    async def merge_patch(self, token: str, path: str, body: Mapping[str, Any]) -> Object:
        """Change an object by a JSON merge patch; of another version than metadata.resourceVersion names, 409.

        Raises:
            RefusedError: refused, or no answer.
        """
        return await self._ask("PATCH", token, path, body, content_type=_MERGE_PATCH)

    async def delete(self, token: str, path: str, uid: str) -> None:
        """Delete an object and, in the background, what it owns; not another one that has got its name meanwhile.

        Raises:
            RefusedError: refused, or no answer.
        """
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        await self._ask("DELETE", token, path, options)

    async def cluster_id(self) -> str:
        """The cluster's id, read once with our own token; empty where that is not allowed."""
        if not self._cluster_id:
            try:
                own = self._token_file.read_text().strip()
                found = await self.get(own, _KUBE_SYSTEM)
                self._cluster_id = str(found["metadata"]["uid"])
            except (OSError, RefusedError):
                return ""
        return self._cluster_id

    async def is_reachable(self) -> bool:
        """Whether the API server answers anything at all."""
        try:
            async with self._session.get("/version", timeout=aiohttp.ClientTimeout(total=5)) as answer:
                return answer.status < 500
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def _ask(
        self,
        method: str,
        token: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        parameters: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Object:
        headers = {"Authorization": f"Bearer {token}", "Accept": accept, "Content-Type": content_type}
        try:
            async with self._session.request(
                method,
                path,
                params=parameters or None,
                data=None if body is None else write_json(body),
                headers=headers,
                allow_redirects=False,
            ) as answer:
                status, text = answer.status, await answer.read()
                retry_after = answer.headers.get("Retry-After")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            what = "did not answer in time" if isinstance(error, TimeoutError) else "cannot be reached"
            raise RefusedError(
                503, f"the Kubernetes API server {what}: try again", code="api_server_unavailable", headers=_RETRY_AFTER
            ) from error
        found = object_in(text)
        if status < 300 and found is not None:
            return found
        raise _refusal(status, found or {}, text, retry_after)


def _refusal(status: int, said: Object, text: bytes, retry_after: str | None) -> RefusedError:
    """The server's Status object, or what something in front of it said."""
    message = str(said.get("message") or beginning(text) or "no message")
    reason = str(said.get("reason") or "") or None
    if status == _INVALID and (causes := (said.get("details") or {}).get("causes")):
        return invalid(_errors(causes), code=reason)
    if status not in _PASSED_ON:
        message = f"the Kubernetes API server answered {status}: {message}"
        return RefusedError(503, message, code="api_server_unavailable", headers=_RETRY_AFTER)
    headers = {"Retry-After": retry_after or "1"} if status == _TOO_MANY else {}
    if status == 401:
        message = "the Kubernetes API server does not know this token: it may have expired"
        headers = {"WWW-Authenticate": "Bearer"}
    return RefusedError(status, message, code=reason, headers=headers)


def _errors(causes: Sequence[Object]) -> list[FieldError]:
    return [
        FieldError(
            Problem(str(cause.get("field", "")).removeprefix(_SPEC), None, str(cause.get("message", ""))),
            str(cause.get("reason", "value_error")),
        )
        for cause in causes
    ]


def _tls(authority: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority))
    # Python 3.13 refuses authorities without a key identifier, which kubectl accepts and clusters have.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
