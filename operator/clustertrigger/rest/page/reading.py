"""What the page reads, with the reader's token."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from clustertrigger.api import GROUP
from clustertrigger.core.kube import paths
from clustertrigger.core.resources.trigger import Key
from clustertrigger.rest.api_server import Object
from clustertrigger.rest.errors import RefusedError
from clustertrigger.rest.triggers import Backend, Triggers

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True)
class Seen:
    """What was read.

    Attributes:
        triggers: objects; of one trigger's page, that one.
        version: of the collection or the object: A watch reports what changes after it.
        may_change: whether the reader may change it; of one trigger's page only.
    """

    triggers: list[Object]
    version: str
    may_change: bool = False


class Reader:
    """Reads for one reader: the API server, at each time.

    Args:
        backend: shared by all.
        token: the reader's.
    """

    def __init__(self, backend: Backend, token: str) -> None:
        self._backend = backend
        self._server = backend.server
        self._token = token

    async def check(self) -> None:
        """Make sure that the token is good.

        Raises:
            RefusedError: it is not, or there is no answer.
        """
        await self._may("list", "", "")

    async def triggers(self, namespace: str) -> Seen:
        """The triggers of a namespace; of all, where it is empty.

        Raises:
            RefusedError: the reader may not list them.
        """
        found = await self._server.get(self._token, paths.triggers(namespace or None))
        return Seen(found.get("items") or [], str((found.get("metadata") or {}).get("resourceVersion") or ""))

    async def trigger(self, namespace: str, name: str) -> Seen:
        """One trigger, and whether the reader may change it.

        Raises:
            RefusedError: there is none, or the reader may not read it.
        """
        raw = await self._server.get(self._token, paths.trigger(Key(namespace, name)))
        return Seen([raw], raw["metadata"]["resourceVersion"], await self._may("patch", namespace, name))

    async def changes(self, namespace: str, name: str, version: str) -> AsyncGenerator[None, None]:
        """Yield as often as triggers of a namespace (empty: of all), or the named one, change.

        Raises:
            RefusedError: the reader may not watch them, or the version is too old.
        """
        parameters = {"fieldSelector": f"metadata.name={name}"} if name else {}
        path = paths.triggers(namespace or None)
        async with contextlib.aclosing(
            self._server.changes(self._token, path, resourceVersion=version, **parameters)
        ) as changes:
            async for _ in changes:
                yield

    def acting(self, namespace: str) -> Triggers:
        """What the reader may do to triggers of a namespace."""
        return Triggers(self._backend, self._token, namespace)

    @property
    def home(self) -> str:
        """The namespace of the service account whose token this is; empty where it is none."""
        try:
            claims = self._token.split(".")[1]
            said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
            namespace = said["kubernetes.io"]["namespace"]
        except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
            return ""
        return namespace if isinstance(namespace, str) and paths.is_namespace(namespace) else ""

    async def _may(self, verb: str, namespace: str, name: str) -> bool:
        attributes = {"group": GROUP, "resource": "clustertriggers", "verb": verb, "namespace": namespace, "name": name}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {field: value for field, value in attributes.items() if value}},
        }
        try:
            found = await self._server.create(self._token, _REVIEWS, review)
        except RefusedError as problem:
            if problem.status != 403:
                raise
            return False
        return bool((found.get("status") or {}).get("allowed"))
