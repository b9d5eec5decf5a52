"""Creates objects, and checks whether the API server rejects them or the operator reports on them, and how."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.resources.trigger import Key
from clustertrigger.shell.kube.api_server import ApiServer
from e2e.chaos.hostile_objects import Case
from harness.control_plane.watching import watch

Object = dict[str, Any]
Answer = Literal["refused", "stalled", "waiting", "ready"]

_PATIENCE = 30.0
"""Maximum number of seconds until the operator has written a status, on a busy machine."""
_INDEX = re.compile(r"\[\d+\]")
_REFUSALS = (400, 413, 422)
_METADATA = ("labels", "annotations", "finalizers")
_MISSING = {
    "CollectionNotFound": "spec.collection_id",
    "DefinitionNotFound": "spec.cluster_id",
    "TaxonomyNotFound": "spec.taxonomy_id",
    "BatchNotFound": "status.history",
    "ClustersNotFound": "mode assign",
}
"""Text that a message about a missing object must contain, by the reason of the condition."""
_STALLED = ("InvalidSpec", "MarkedFailed")
_READY = ("Scheduled", "Paused", "Disabled")


@dataclass(frozen=True)
class Applied:
    """The result of applying one object.

    Attributes:
        what: Kind of the case.
        answer: The result: refused by the API server; or accepted, and ready, stalled, or waiting for a missing object.
        broken: Description of the expectation that was not met; None if all were met.
    """

    what: str
    answer: Answer
    broken: str | None


class Applier:
    """Applies objects and observes how they are handled; only the latest ones are kept.

    Args:
        api: Client of the administrator.
        namespace: Namespace of the objects.
        most: Maximum number of objects that exist at the same time.
    """

    def __init__(self, api: ApiServer, namespace: str, most: int) -> None:
        self._api = api
        self._namespace = namespace
        self._path = paths.custom("clustertriggers", namespace)
        self._most = most
        self._names: deque[str] = deque()
        self._seen: dict[str, Object] = {}
        self._changed = asyncio.Event()

    async def apply(self, case: Case) -> Applied:
        """Creates the object, and waits until it is rejected or has a status.

        Raises:
            ApiError: the API server failed for another reason.
        """
        try:
            made = await self._api.create(self._path, case.body)
        except ApiError as refusal:
            if refusal.status not in _REFUSALS:
                raise
            return Applied(case.what, "refused", _unnamed(case, refusal.message))
        name = made["metadata"]["name"]
        self._names.append(name)
        try:
            async with asyncio.timeout(_PATIENCE):
                while not (judged := _judged(self._seen.get(name))):
                    await self._news()
        except TimeoutError:
            return Applied(case.what, "waiting", f"{_short(case)} has no status after {_PATIENCE:g} s")
        answer, broken = _judge(case, judged)
        return Applied(case.what, answer, broken or _touched(case, made, judged))

    async def delete_oldest(self, *, all_of_them: bool = False) -> None:
        """Deletes the oldest objects, or all."""
        while self._names and (all_of_them or len(self._names) > self._most):
            path = paths.trigger(Key(self._namespace, self._names.popleft()))
            with suppress(ApiError):  # no other client would remove the finalizers
                await self._api.merge_patch(path, {"metadata": {"finalizers": None}})
            await self._api.delete(path)

    async def _news(self) -> None:
        changed = self._changed
        await changed.wait()

    async def follow(self) -> None:
        """Watches the triggers, in an endless loop."""
        while True:
            with suppress(ApiError):
                triggers, version = await self._api.list(self._path)
                for raw in triggers:
                    self._saw("ADDED", raw)
                async for change in watch(self._api, self._path, version):
                    self._saw(change["type"], change["object"])

    def _saw(self, how: str, raw: Object) -> None:
        name = raw["metadata"].get("name", "")
        if how == "DELETED":
            self._seen.pop(name, None)
        elif how != "BOOKMARK":
            self._seen[name] = raw
        self._changed.set()
        self._changed = asyncio.Event()


@asynccontextmanager
async def applier(api: ApiServer, namespace: str, most: int) -> AsyncIterator[Applier]:
    """Observes objects while the context lasts, and deletes all of them at the end."""
    applying = Applier(api, namespace, most)
    following = asyncio.create_task(applying.follow())
    try:
        yield applying
        await applying.delete_oldest(all_of_them=True)
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


def _judged(raw: Object | None) -> Object | None:
    """Returns the object if the operator has written its conditions, or None."""
    if raw is None:
        return None
    status = raw.get("status") or {}
    current = status.get("observedGeneration") == raw["metadata"]["generation"]
    return raw if current and _conditions(raw).keys() >= {"Ready", "Stalled", "Running"} else None


def _judge(case: Case, raw: Object) -> tuple[Answer, str | None]:
    conditions = _conditions(raw)
    ready, stalled = conditions["Ready"], conditions["Stalled"]
    reason, message = ready["reason"], ready["message"]
    said = f"{_short(case)} is {reason}: {message:.300}"
    if ready["status"] == "True":
        return "ready", None if reason in _READY and stalled["status"] == "False" else said
    if reason in _MISSING:
        named = _MISSING[reason] in message and any(repr(wanted) in message for wanted in _references(raw["spec"]))
        return "waiting", None if named else said
    if reason not in _STALLED or stalled["status"] != "True":
        return "stalled", said
    return "stalled", _unnamed(case, message)


def _unnamed(case: Case, message: str) -> str | None:
    """Returns an error if a message names none of the fields, or None."""
    # Kubernetes 1.20 does not name the index of a list's item.
    without_indices = _INDEX.sub("", message)
    if any(field in without_indices for field in case.fields):
        return None
    return f"{_short(case)}: {' or '.join(sorted(case.fields)) or 'no field'} is not named: {message:.300}"


def _touched(case: Case, made: Object, raw: Object) -> str | None:
    """Returns an error if the operator changed metadata or spec, which GitOps tools compare, or None."""
    for field in _METADATA:
        if made["metadata"].get(field) != raw["metadata"].get(field):
            return f"{_short(case)}: metadata.{field} was changed to {raw['metadata'].get(field)!r:.300}"
    return None if made["spec"] == raw["spec"] else f"{_short(case)}: the spec was changed"


_REFERRING = ("cluster_id", "collection_id", "target_collection_id", "taxonomy_id", "batch_id")
"""Fields of action_config that hold an id."""


def _references(spec: Object) -> list[str]:
    action, clustering = spec.get("action_config") or {}, spec.get("execution_config") or {}
    ids = [
        *(clustering.get("collection_ids") or []),
        *(clustering.get("outputs") or []),
        *(action.get("output_collection_ids") or []),
        *(action.get("source_execution_ids") or clustering.get("source_execution_ids") or []),
        spec.get("cluster_id"),
        *(action.get(field) for field in _REFERRING),
    ]
    return [wanted for wanted in ids if wanted]


def _conditions(raw: Object) -> dict[str, Object]:
    conditions: list[Object] = (raw.get("status") or {}).get("conditions") or []
    return {condition["type"]: condition for condition in conditions}


def _short(case: Case) -> str:
    return f"{case.what} {case.body['metadata']!r:.150}"
