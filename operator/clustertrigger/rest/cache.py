"""Keeps triggers and ClusterDefinitions in memory, from two watches with the API's own token.

Permissions are not checked here: `Triggers` uses the cache only for callers that the API server allows to list the
namespace. Without permission to watch, the cache is empty, and the API server answers every request.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

from clustertrigger.core.kube import paths
from clustertrigger.core.kube.staleness import Tombstones, is_newer, number_of
from clustertrigger.rest.api_server import ApiServer, WatchEndedError
from clustertrigger.rest.errors import RefusedError
from clustertrigger.rest.index import Definitions, Entry, TriggerIndex
from clustertrigger.rest.objects import Object

logger = logging.getLogger(__name__)

_PAUSES = (0.2, 1.0, 2.0, 5.0, 15.0)
"""Seconds until a failed watch is retried."""
_FORBIDDEN_PAUSE = 60.0
_GAP = 2.0
"""Maximum number of seconds between two watches in which the cache stays valid."""


class Cache:
    """A cache of triggers and ClusterDefinitions.

    Args:
        server: The API server.
        namespaces: The watched namespaces; empty for all.
    """

    def __init__(self, server: ApiServer, namespaces: Sequence[str] = ()) -> None:
        self._triggers = _Triggers()
        self._definitions = _Definitions()
        watched = namespaces or (None,)
        self._of_triggers = {
            namespace: _Follower(server, paths.triggers(namespace), namespace, self._triggers) for namespace in watched
        }
        self._of_definitions = {
            namespace: _Follower(server, paths.custom("clusterdefinitions", namespace), namespace, self._definitions)
            for namespace in watched
        }

    async def follow(self) -> None:
        """Watches in an endless loop."""
        followers = [*self._of_triggers.values(), *self._of_definitions.values()]
        async with asyncio.TaskGroup() as group:
            for follower in followers:
                group.create_task(follower.follow())

    def triggers(self, namespace: str) -> TriggerIndex | None:
        """Returns the triggers of a namespace; None if they are unknown."""
        return self._triggers.of(namespace) if _is_current(self._of_triggers, namespace) else None

    def knows(self, namespace: str) -> bool:
        """Returns whether all triggers of a namespace (empty: of all) are known, and changes are reported."""
        return _is_current(self._of_triggers, namespace)

    def listed(self, namespace: str) -> list[Entry]:
        """Returns the triggers of a namespace (empty: of all), as far as they are known."""
        return list(self._triggers.of(namespace)) if namespace else self._triggers.everywhere()

    def edition(self, namespace: str) -> str:
        """Returns a text that changes when a trigger of the namespace (empty: any) is changed, created or deleted."""
        return str(self._triggers.changes[namespace])

    def definitions(self, namespace: str) -> Definitions | None:
        """Returns the ClusterDefinitions of a namespace; None if they are unknown."""
        return self._definitions.of(namespace) if _is_current(self._of_definitions, namespace) else None

    def name_of(self, namespace: str, trigger_id: str) -> str | None:
        """Returns the name of the trigger with this trigger_id, if it is known. The two belong together permanently."""
        return self._triggers.of(namespace).name_of(trigger_id)

    def saw(self, entry: Entry) -> None:
        """Stores an object that the API server returned, so that a caller who changed a trigger sees the change."""
        follower = self._of_triggers.get(None) or self._of_triggers.get(entry.namespace)
        if follower is not None and not follower.is_refused:
            self._triggers.put(entry)

    def lost(self, namespace: str, name: str, uid: str) -> None:
        """Removes an object that this process deleted."""
        self._triggers.remove(namespace, name, uid)

    @contextmanager
    def listening(self, namespace: str) -> Iterator[Subscription]:
        """Collects the changed triggers of a namespace (empty: of all) while the context lasts.

        Created and deleted triggers are included.
        """
        subscription = Subscription()
        listeners = self._triggers.listeners[namespace]
        listeners.append(subscription)
        try:
            yield subscription
        finally:
            listeners.remove(subscription)
            if not listeners:
                self._triggers.listeners.pop(namespace, None)


def _is_current(followers: dict[str | None, _Follower], namespace: str) -> bool:
    follower = followers.get(None) or followers.get(namespace)
    return follower is not None and follower.is_current


class Subscription:
    """Names of changed triggers for one listener, which can be slow."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._added = asyncio.Event()

    def add(self, name: str) -> None:
        """Adds a trigger."""
        self._names.add(name)
        self._added.set()

    async def within(self, seconds: float) -> set[str]:
        """Waits until there are any, and returns them; none after this number of seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._added.wait(), seconds)
        self._added.clear()
        names, self._names = self._names, set()
        return names


class _Store(Protocol):
    """The objects that a watch fills in."""

    def saw(self, raw: Object) -> None: ...

    def gone(self, raw: Object) -> None: ...

    def keep_only(self, namespace: str | None, known: Iterable[tuple[str, str]], version: str) -> None:
        """Removes objects that a list of this version did not contain."""

    def begin_anew(self, namespace: str | None) -> None:
        """Drops the objects of a namespace (None: of all), because lower versions are new after a restore."""


class _Triggers:
    def __init__(self) -> None:
        self.listeners: defaultdict[str, list[Subscription]] = defaultdict(list)
        self.changes: Counter[str] = Counter()
        """Returns the number of changes in a namespace; in all namespaces for an empty name."""
        self._by_namespace: defaultdict[str, TriggerIndex] = defaultdict(TriggerIndex)
        self._tombstones = Tombstones()

    def of(self, namespace: str) -> TriggerIndex:
        return self._by_namespace.get(namespace) or TriggerIndex()

    def everywhere(self) -> list[Entry]:
        return [entry for index in self._by_namespace.values() for entry in index]

    def saw(self, raw: Object) -> None:
        self.put(Entry(raw))

    def put(self, entry: Entry) -> None:
        index = self._by_namespace[entry.namespace]
        known = index.get(entry.name)
        if entry.uid in self._tombstones or (known is not None and not is_newer(entry.version, than=known.version)):
            return
        if known is not None and known.uid != entry.uid:
            self._tombstones.add(known.uid)
        index.put(entry)
        self._tell(entry.namespace, entry.name)

    def gone(self, raw: Object) -> None:
        metadata = raw["metadata"]
        self.remove(metadata["namespace"], metadata["name"], metadata["uid"])

    def remove(self, namespace: str, name: str, uid: str) -> None:
        self._tombstones.add(uid)
        index = self._by_namespace.get(namespace)
        known = index.get(name) if index is not None else None
        if index is None or known is None or known.uid != uid:
            return
        index.remove(name)
        if not index:
            del self._by_namespace[namespace]
        self._tell(namespace, name)

    def keep_only(self, namespace: str | None, known: Iterable[tuple[str, str]], version: str) -> None:
        listed = set(known)
        places = list(self._by_namespace) if namespace is None else [namespace]
        for place in places:
            for entry in self.of(place):
                if (place, entry.name) not in listed and not is_newer(entry.version, than=version):
                    self.remove(place, entry.name, entry.uid)

    def begin_anew(self, namespace: str | None) -> None:
        self._tombstones.clear()
        for place in list(self._by_namespace) if namespace is None else [namespace]:
            names = [entry.name for entry in self._by_namespace.pop(place, ())]
            for name in names:
                self._tell(place, name)

    def _tell(self, namespace: str, name: str) -> None:
        for place in (namespace, ""):
            self.changes[place] += 1
            for subscription in self.listeners.get(place, ()):
                subscription.add(name)


class _Definitions:
    def __init__(self) -> None:
        self._by_namespace: defaultdict[str, Definitions] = defaultdict(Definitions)

    def of(self, namespace: str) -> Definitions:
        return self._by_namespace.get(namespace) or Definitions()

    def saw(self, raw: Object) -> None:
        raw["metadata"].pop("managedFields", None)
        self._by_namespace[raw["metadata"]["namespace"]].put(raw)

    def gone(self, raw: Object) -> None:
        self._by_namespace[raw["metadata"]["namespace"]].remove(raw["metadata"]["name"])

    def keep_only(self, namespace: str | None, known: Iterable[tuple[str, str]], version: str) -> None:
        listed = set(known)
        places = list(self._by_namespace) if namespace is None else [namespace]
        for place in places:
            for name in self.of(place).names():
                if (place, name) not in listed:
                    self._by_namespace[place].remove(name)

    def begin_anew(self, namespace: str | None) -> None:
        """Does nothing.

        Versions are not compared here, and objects that a list does not contain are removed after it.
        """


class _Follower:
    """Reads a list, and then watches the changes after it, repeatedly."""

    def __init__(self, server: ApiServer, path: str, namespace: str | None, store: _Store) -> None:
        self._server = server
        self._path = path
        self._namespace = namespace
        self._store = store
        self._version: str | None = None
        self._highest = 0
        """Version up to which everything is known."""
        self._has_listed = False
        self._open = False
        self._closed_at = 0.0
        self._failures = 0
        self.is_refused = False
        """Whether the watch is forbidden, so that nothing is known for certain."""

    @property
    def is_current(self) -> bool:
        """Whether all triggers are known and changes are reported."""
        known = self._version is not None
        return known and (self._open or time.monotonic() - self._closed_at < _GAP)

    async def follow(self) -> None:
        """Runs in an endless loop."""
        while True:
            try:
                if self._version is None:
                    await self._list()
                await self._watch()
                self._failures = 0
            except WatchEndedError:
                self._version = None  # That version has expired on the server.
            except RefusedError as problem:
                await asyncio.sleep(self._pause(problem))
            except Exception:
                # Until everything is known again, the API server answers requests.
                self._version = None
                logger.exception("Internal error: the watch of %s ended, and restarts", self._path)
                await asyncio.sleep(_PAUSES[-1])
            finally:
                if self._open:
                    self._open, self._closed_at = False, time.monotonic()

    async def _list(self) -> None:
        known: list[tuple[str, str]] = []
        version = ""
        async for items, listed in self._server.pages(self._path):
            if not version and number_of(listed) < self._highest:
                # Versions only grow, unless etcd was restored from a backup.
                logger.warning("The cluster was restored from a backup: reading all of %s again", self._path)
                self._store.begin_anew(self._namespace)
            version = listed
            for raw in items:
                known.append((raw["metadata"]["namespace"], raw["metadata"]["name"]))
                self._store.saw(raw)
            await asyncio.sleep(0)  # Other requests are handled in between.
        self._store.keep_only(self._namespace, known, version)
        self._version, self.is_refused = version, False
        self._highest, self._has_listed = number_of(version), True

    async def _watch(self) -> None:
        if not self._has_listed and number_of(await self._server.version(self._path)) < self._highest:
            raise WatchEndedError  # Such a watch would report nothing until the versions have grown as high again.
        self._has_listed = False
        async for kind, raw in self._server.watch(self._path, self._version or ""):
            if kind == "OPENED":
                self._open = True
            elif kind in ("ADDED", "MODIFIED"):
                self._store.saw(raw)
            elif kind == "DELETED":
                self._store.gone(raw)
            if version := raw.get("metadata", {}).get("resourceVersion"):
                self._version, self._highest = version, number_of(version)
                self._failures = 0

    def _pause(self, problem: RefusedError) -> float:
        if problem.status == 403:
            if not self.is_refused:
                logger.warning("Reads are passed on to the API server, because a watch is refused: %s", problem.message)
            self._version, self.is_refused = None, True
            return _FORBIDDEN_PAUSE
        if self._failures == 1:
            logger.warning("The watch of %s fails: %s", self._path, problem.message)
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._failures += 1
        return pause * random.uniform(0.8, 1.2)  # noqa: S311 - not a secret
