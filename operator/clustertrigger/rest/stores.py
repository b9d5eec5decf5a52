"""Stores the triggers and ClusterDefinitions that watches report."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple, Protocol

from clustertrigger.core.kube.staleness import Tombstones, is_newer, number_of
from clustertrigger.rest.definitions import Definitions
from clustertrigger.rest.index import Entry, TriggerIndex
from clustertrigger.rest.objects import Object


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


class Listed(NamedTuple):
    """The identity of an object in a list."""

    namespace: str
    name: str
    uid: str


class Store(Protocol):
    """The objects that a watch fills in."""

    def saw(self, raw: Object) -> None:
        """Stores an observed object, unless a later version is known."""

    def gone(self, raw: Object) -> None:
        """Removes an object that was deleted."""

    def begin_list(self, namespace: str | None) -> int:
        """Prepares for a list of a namespace (None: of all) that is requested now.

        Returns the highest known version, which a list has reached unless the cluster was restored.
        """

    def listed(self, raw: Object, version: str) -> None:
        """Stores an object of a list of this version, whatever was known of it up to this version."""

    def keep_only(self, namespace: str | None, listed: Iterable[Listed], version: str) -> None:
        """Removes objects that a list of this version did not contain."""

    def begin_anew(self, namespace: str | None) -> None:
        """Drops the objects of a namespace (None: of all), because lower versions are new after a restore."""


class TriggerStore:
    """The triggers of all namespaces; see Store."""

    def __init__(self) -> None:
        self.listeners: defaultdict[str, list[Subscription]] = defaultdict(list)
        self.changes: Counter[str] = Counter()
        """Returns the number of changes in a namespace; in all namespaces for an empty name."""
        self._by_namespace: defaultdict[str, TriggerIndex] = defaultdict(TriggerIndex)
        self._tombstones = Tombstones()

    def of(self, namespace: str) -> TriggerIndex:
        """Returns the triggers of a namespace."""
        return self._by_namespace.get(namespace) or TriggerIndex()

    def everywhere(self) -> list[Entry]:
        """Returns the triggers of all namespaces."""
        return [entry for index in self._by_namespace.values() for entry in index]

    def saw(self, raw: Object) -> None:
        """See Store."""
        self.put(Entry(raw))

    def put(self, entry: Entry) -> None:
        """Stores a version of a trigger, unless a later one is known or the trigger was deleted."""
        known = self.of(entry.namespace).get(entry.name)
        if self._tombstones.cover(entry.uid, entry.version) or (
            known is not None and not is_newer(entry.version, than=known.version)
        ):
            return
        self._replace(known, entry, entry.version)

    def begin_list(self, namespace: str | None) -> int:
        """See Store."""
        # What this process has deleted before the list is not in it, unless it is back after a restore.
        self._tombstones.drop_undated()
        return max((number_of(entry.version) for entry in self._in(namespace)), default=0)

    def listed(self, raw: Object, version: str) -> None:
        """See Store."""
        entry = Entry(raw)
        known = self.of(entry.namespace).get(entry.name)
        is_known_later = known is not None and is_newer(known.version, than=version)
        if is_known_later or not self._tombstones.revive(entry.uid, version):
            return
        if known is None or (known.uid, known.version) != (entry.uid, entry.version):
            self._replace(known, entry, version)

    def gone(self, raw: Object) -> None:
        """See Store."""
        metadata = raw["metadata"]
        self.remove(metadata["namespace"], metadata["name"], metadata["uid"], metadata["resourceVersion"])

    def remove(self, namespace: str, name: str, uid: str, version: str | None) -> None:
        """Removes the trigger with this uid, which no longer existed as of a version (None: unknown).

        Another one with its name can exist.
        """
        self._tombstones.add(uid, version)
        index = self._by_namespace.get(namespace)
        known = index.get(name) if index is not None else None
        if index is None or known is None or known.uid != uid:
            return
        index.remove(name)
        if not index:
            del self._by_namespace[namespace]
        self._tell(namespace, name)

    def keep_only(self, namespace: str | None, listed: Iterable[Listed], version: str) -> None:
        """See Store."""
        kept = set(listed)
        for entry in list(self._in(namespace)):
            found = Listed(entry.namespace, entry.name, entry.uid)
            if found not in kept and not is_newer(entry.version, than=version):
                self.remove(*found, version)

    def begin_anew(self, namespace: str | None) -> None:
        """See Store."""
        self._tombstones.clear()
        for place in list(self._by_namespace) if namespace is None else [namespace]:
            names = [entry.name for entry in self._by_namespace.pop(place, ())]
            for name in names:
                self._tell(place, name)

    def _replace(self, known: Entry | None, entry: Entry, as_of: str) -> None:
        if known is not None and known.uid != entry.uid:
            self._tombstones.add(known.uid, as_of)
        self._by_namespace[entry.namespace].put(entry)
        self._tell(entry.namespace, entry.name)

    def _in(self, namespace: str | None) -> Iterable[Entry]:
        return self.everywhere() if namespace is None else self.of(namespace)

    def _tell(self, namespace: str, name: str) -> None:
        for place in (namespace, ""):
            self.changes[place] += 1
            for subscription in self.listeners.get(place, ()):
                subscription.add(name)


class DefinitionStore:
    """The ClusterDefinitions of all namespaces; see Store."""

    def __init__(self) -> None:
        self._by_namespace: defaultdict[str, Definitions] = defaultdict(Definitions)

    def of(self, namespace: str) -> Definitions:
        """Returns the ClusterDefinitions of a namespace."""
        return self._by_namespace.get(namespace) or Definitions()

    def saw(self, raw: Object) -> None:
        """See Store."""
        raw["metadata"].pop("managedFields", None)
        self._by_namespace[raw["metadata"]["namespace"]].put(raw)

    def gone(self, raw: Object) -> None:
        """See Store."""
        self._by_namespace[raw["metadata"]["namespace"]].remove(raw["metadata"]["name"])

    def begin_list(self, namespace: str | None) -> int:
        """See Store."""
        return 0

    def listed(self, raw: Object, version: str) -> None:
        """See Store."""
        self.saw(raw)

    def keep_only(self, namespace: str | None, listed: Iterable[Listed], version: str) -> None:
        """See Store."""
        kept = {(each.namespace, each.name) for each in listed}
        places = list(self._by_namespace) if namespace is None else [namespace]
        for place in places:
            for name in self.of(place).names():
                if (place, name) not in kept:
                    self._by_namespace[place].remove(name)

    def begin_anew(self, namespace: str | None) -> None:
        """Does nothing.

        Versions are not compared here, and objects that a list does not contain are removed after it.
        """
