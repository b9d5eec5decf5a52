"""An API server in memory, as far as reconciliation needs it: objects by path, increasing versions, and refusals."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from copy import deepcopy
from typing import Any

from clustertrigger.core.kube.answers import ApiError
from clustertrigger.shell.kube.api_server import ApiServer
from harness.control_plane.kube import Object
from harness.control_plane.merge_patch import merge_patch


class InMemory(ApiServer):
    """Stores the objects that are written."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.written: list[tuple[str, str]] = []
        """Method and path of each write request."""
        self.refused: list[Exception | None] = []
        """The answers to the next writes; None lets the write succeed."""
        self.unanswered: set[str] = set()
        """Paths whose create requests get no response."""
        self._versions = itertools.count(1)

    def put(self, path: str, raw: Mapping[str, Any]) -> Object:
        """Stores an object without recording a write request."""
        stored = deepcopy(dict(raw))
        stored["metadata"] = {**stored["metadata"], "resourceVersion": str(next(self._versions))}
        self.objects[path] = stored
        return deepcopy(stored)

    async def get(self, path: str) -> Object:
        return deepcopy(self._there(path))

    async def create(self, path: str, body: Mapping[str, Any]) -> Object:
        self._asked("POST", path)
        while path in self.unanswered:  # noqa: ASYNC110 - a test may poll
            await asyncio.sleep(0.01)
        name = f"{path}/{body['metadata']['name']}"
        if name in self.objects:
            raise ApiError(409, "AlreadyExists", f"{name} already exists")
        namespace = path.partition("/namespaces/")[2].partition("/")[0]
        own = {"namespace": namespace, "uid": f"uid of {name}", "creationTimestamp": "2026-03-02T13:00:00Z"}
        return self.put(name, {**body, "metadata": {**body["metadata"], **own}})

    async def merge_patch(self, path: str, body: Mapping[str, Any]) -> Object:
        self._asked("PATCH", path)
        path = path.removesuffix("/status")
        there = self._there(path)
        version = body.get("metadata", {}).get("resourceVersion")
        if version is not None and version != there["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "the object has been modified")
        return self.put(path, merge_patch(there, body))

    async def delete(self, path: str) -> None:
        self._asked("DELETE", path)
        self.objects.pop(path, None)

    async def pages(self, path: str, **parameters: str) -> AsyncIterator[tuple[list[Object], str]]:
        yield await self.list(path, **parameters)

    async def list(self, path: str, **parameters: str) -> tuple[list[Object], str]:
        """Returns all objects below a path, and ignores selectors."""
        found = [deepcopy(raw) for name, raw in self.objects.items() if name.rpartition("/")[0] == path]
        return found, str(next(self._versions))

    def _there(self, path: str) -> Object:
        if path not in self.objects:
            raise ApiError(404, "NotFound", f"{path} not found")
        return self.objects[path]

    def _asked(self, method: str, path: str) -> None:
        self.written.append((method, path))
        if self.refused and (trouble := self.refused.pop(0)):
            raise trouble
