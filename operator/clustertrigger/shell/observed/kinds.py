"""Defines the watched kinds of objects, and what was observed of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from clustertrigger.core.kube.staleness import Tombstones, is_newer, number_of
from clustertrigger.shell.kube.api_server import Named
from clustertrigger.shell.kube.reading import Raw, read_or_skip


class Name(NamedTuple):
    """Namespace and name of an object."""

    namespace: str
    name: str


class Store(Protocol):
    """Stores what decisions need about the objects of one kind."""

    def saw(self, raw: Raw) -> None:
        """Stores an object, which is new, changed or unchanged."""

    def gone(self, namespace: str, name: str, uid: str, version: str) -> None:
        """Removes the object with this uid, which no longer existed as of a version.

        Another one with its name can exist.
        """

    def known(self) -> Iterable[Named]:
        """Returns the stored objects."""

    def doubt_versions(self) -> None:
        """Accepts the next report of each object, regardless of its version, because the cluster was restored."""


@dataclass
class Kind:
    """One watched kind of objects.

    Attributes:
        plural: Name in paths.
        path: Returns the path of its objects in a namespace; in all namespaces for None.
        store: Receives the observed objects.
        selector: Label selector; "" for all objects.
        shown: Objects that the cluster reported, including those that the store ignores.
    """

    plural: str
    path: Callable[[str | None], str]
    store: Store
    selector: str = ""
    shown: dict[Name, tuple[str, str]] = field(default_factory=dict)
    """Uid and resource version of each observed object, by key."""
    tombstones: Tombstones = field(default_factory=Tombstones)
    highest: int = 0
    """The latest version that was observed, or that an API server's cache contained."""

    def saw(self, raw: Raw) -> None:
        """Handles a reported object. A report that is older than what is known is ignored."""
        name, uid, version = _identity(raw)
        before = self.shown.get(name)
        if self.tombstones.cover(uid, version) or (before is not None and not is_newer(version, before[1])):
            return
        self.shown[name] = uid, version
        self.highest = max(self.highest, number_of(version))
        if before is not None and before[0] != uid:
            self.tombstones.add(before[0], version)
            self.store.gone(*name, before[0], version)
        read_or_skip(self.store.saw, raw)

    def gone(self, raw: Raw) -> None:
        """Handles a reported deletion, which can be that of an earlier object with the name."""
        name, uid, version = _identity(raw)
        self.tombstones.add(uid, version)
        before = self.shown.get(name)
        if before is not None and (before[0] == uid or is_newer(version, before[1])):
            del self.shown[name]
            self.store.gone(*name, before[0], version)
        if before is None or before[0] != uid:
            self.store.gone(*name, uid, version)

    def remove_unlisted(self, listed: Mapping[Name, Named], version: str, namespace: str | None) -> int:
        """Removes objects that a list does not contain, except those that are newer than the list.

        Returns their number.

        Args:
            listed: All objects, as of `version`.
            version: Resource version of the list.
            namespace: Namespace of the list; None for all.
        """
        candidates = {Name(known.namespace, known.name): (known.uid, known.version) for known in self.store.known()}
        candidates.update(self.shown)
        removed = 0
        for name, (uid, shown_version) in candidates.items():
            if namespace not in (None, name.namespace) or is_newer(shown_version, version):
                continue
            if (entry := listed.get(name)) is None or entry.uid != uid:
                removed += 1
                self.tombstones.add(uid, version)
                if self.shown.get(name, ("", ""))[0] == uid:
                    del self.shown[name]
                self.store.gone(*name, uid, version)
        return removed

    def not_shown(self, listed: Iterable[Named]) -> list[Named]:
        """Returns the objects of a list that were not observed yet, or only in an older version."""
        return [entry for entry in listed if self._lacks(entry)]

    def _lacks(self, entry: Named) -> bool:
        shown = self.shown.get(Name(entry.namespace, entry.name))
        return shown is None or is_newer(entry.version, shown[1])

    def contradicts(self, listed: Mapping[Name, Named], version: str) -> bool:
        """Returns whether a newer list contains what was there before, which only a restore can cause.

        This is an older version of an observed object, an earlier object of its name, or one that was deleted. After a
        restore, the version of a list can be any: writes increase it, and etcdutl's --bump-revision does.

        Args:
            listed: All objects, as of `version`.
            version: Resource version of the list.
        """
        for name, entry in listed.items():
            _, shown = self.shown.get(name, ("", ""))
            if shown != entry.version and number_of(entry.version) < number_of(shown) <= number_of(version):
                return True
            if self.tombstones.contradict(entry.uid, entry.version, version):
                return True
        return False

    def begin_anew(self) -> None:
        """Accepts lower versions and deleted objects again, after the cluster was restored."""
        self.highest = 0
        self.tombstones.clear()
        self.shown = {name: (uid, "0") for name, (uid, _) in self.shown.items()}
        self.store.doubt_versions()


class Kinds(NamedTuple):
    """All watched kinds."""

    referents: tuple[Kind, ...]
    """The kinds that triggers refer to."""
    pod_templates: Kind
    triggers: Kind
    jobs: Kind
    pods: Kind

    def all(self) -> tuple[Kind, ...]:
        """Yields each kind."""
        return (*self.referents, self.pod_templates, self.triggers, self.jobs, self.pods)


def _identity(raw: Mapping[str, Any]) -> tuple[Name, str, str]:
    metadata = raw["metadata"]
    return Name(metadata["namespace"], metadata["name"]), metadata["uid"], metadata["resourceVersion"]
