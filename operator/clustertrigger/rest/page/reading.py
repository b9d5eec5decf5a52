"""Reads the content of the page with the reader's token."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clustertrigger.api import GROUP
from clustertrigger.api.status import Execution
from clustertrigger.core.kube import paths
from clustertrigger.core.resources.trigger import Key
from clustertrigger.rest.errors import RefusedError
from clustertrigger.rest.index import Entry
from clustertrigger.rest.objects import Object
from clustertrigger.rest.page.report import fetch_report
from clustertrigger.rest.page.views.glance import Glance, Listed, Read, glance_at
from clustertrigger.rest.triggers import Backend, Triggers

_FROM_CACHE = "cache/"
"""Prefix of a version that is an edition of the cache."""
_LOOK = 10.0
"""Seconds after which the permissions of a reader who waits for changes are checked again."""
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True)
class PageContent:
    """The content of a page.

    Attributes:
        triggers: The triggers; a single one for a trigger's page.
        version: Version of the collection or the object, or the cache's edition, after which changes are reported.
        may_change: Whether the reader may change the trigger; only for a trigger's page.
    """

    triggers: Sequence[Listed]
    version: str
    may_change: bool = False


@dataclass(frozen=True)
class _Known:
    """A trigger of the cache; see Listed."""

    entry: Entry

    @property
    def glance(self) -> Glance:
        return self.entry.kept(glance_at)

    @property
    def raw(self) -> Object:
        return self.entry.raw


class Reader:
    """Reads for one reader: many triggers from the cache, if the reader may list them, and one from the API server.

    Args:
        backend: What all readers share.
        token: The reader's token.
    """

    def __init__(self, backend: Backend, token: str) -> None:
        self._backend = backend
        self._server = backend.server
        self._token = token

    async def check(self) -> None:
        """Raises an error unless the token is valid.

        Raises:
            RefusedError: it is not, or there is no answer.
        """
        await self._may("list", "", "")

    async def triggers(self, namespace: str, *, uncached: bool = False) -> PageContent:
        """Returns the triggers of a namespace; of all if it is empty.

        Args:
            namespace: The namespace.
            uncached: Whether to read from the API server in any case.

        Raises:
            RefusedError: the reader may not list them.
        """
        cache = self._backend.cache
        if not uncached and await self._may_use_cache(namespace):
            return PageContent(
                [_Known(entry) for entry in cache.listed(namespace)], _FROM_CACHE + cache.edition(namespace)
            )
        found = await self._server.get(self._token, paths.triggers(namespace or None))
        version = str((found.get("metadata") or {}).get("resourceVersion") or "")
        return PageContent([Read(raw) for raw in found.get("items") or ()], version)

    async def _may_use_cache(self, namespace: str) -> bool:
        """Returns whether the cache knows all triggers, and the reader may list them."""
        if not self._backend.cache.knows(namespace):
            return False
        return await self._backend.rights.may_list(self._token, paths.triggers(namespace or None))

    async def trigger(self, namespace: str, name: str) -> PageContent:
        """Returns one trigger, and whether the reader may change it.

        Raises:
            RefusedError: there is none, or the reader may not read it.
        """
        raw = await self._server.get(self._token, paths.trigger(Key(namespace, name)))
        return PageContent([Read(raw)], raw["metadata"]["resourceVersion"], await self._may("patch", namespace, name))

    async def changes(self, namespace: str, name: str, version: str) -> AsyncGenerator[None, None]:
        """Yields whenever triggers of a namespace (empty: of all), or the named one, change.

        Raises:
            RefusedError: the reader may not watch them, or the version is too old.
        """
        if version.startswith(_FROM_CACHE):
            edition = version.removeprefix(_FROM_CACHE)
            async with contextlib.aclosing(self._changes_of_cache(namespace, edition)) as changes:
                async for _ in changes:
                    yield
            return
        parameters = {"fieldSelector": f"metadata.name={name}"} if name else {}
        path = paths.triggers(namespace or None)
        async with contextlib.aclosing(
            self._server.changes(self._token, path, resourceVersion=version, **parameters)
        ) as changes:
            async for _ in changes:
                yield

    async def _changes_of_cache(self, namespace: str, edition: str) -> AsyncGenerator[None, None]:
        """Yields whenever triggers change, as long as the cache knows all triggers, and the reader may list them."""
        cache = self._backend.cache
        with cache.listening(namespace) as subscription:
            if cache.edition(namespace) != edition:
                yield
            while await self._may_use_cache(namespace):
                if await subscription.within(_LOOK):
                    yield

    def acting(self, namespace: str) -> Triggers:
        """Returns what the reader may do to triggers of a namespace."""
        return Triggers(self._backend, self._token, namespace)

    @property
    def home(self) -> str:
        """Returns the namespace of the token's service account; empty if the token belongs to another user."""
        try:
            claims = self._token.split(".")[1]
            payload = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
            namespace = payload["kubernetes.io"]["namespace"]
        except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
            return ""
        return namespace if isinstance(namespace, str) and paths.is_namespace(namespace) else ""

    async def may_read_reports(self, namespace: str) -> bool:
        """Returns whether the reader may run a Pod of the namespace that reads results."""
        may = await asyncio.gather(
            self._may("create", namespace, "", resource="pods"),
            self._may("create", namespace, "", resource="pods", subresource="exec"),
        )
        return all(may)

    async def report(self, trigger: Mapping[str, Any], run: Execution) -> bytes:
        """Returns a run's report.

        Raises:
            RefusedError: The reader may not read it, or it cannot be read.
        """
        backend = self._backend
        return await fetch_report(
            self._server, self._token, trigger, run, backend.worker_image, backend.worker_pull_secrets
        )

    async def _may(
        self, verb: str, namespace: str, name: str, *, resource: str = "clustertriggers", subresource: str = ""
    ) -> bool:
        group = GROUP if resource == "clustertriggers" else ""
        attributes = {
            "group": group, "resource": resource, "subresource": subresource, "verb": verb, "namespace": namespace,
            "name": name,
        }  # fmt: skip
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
        status = found.get("status")
        return isinstance(status, dict) and status.get("allowed") is True
