"""The kinds of object that are watched, and what the cluster has shown of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from clustertrigger.core.kube.staleness import Graves, is_newer, number_of
from clustertrigger.shell.kube.api_server import Named
from clustertrigger.shell.kube.reading import Raw, read_or_skip


class Name(NamedTuple):
    """Namespace and name of an object."""

    namespace: str
    name: str


class Store(Protocol):
    """Keeps what decisions need of the objects of one kind."""

    def saw(self, raw: Raw) -> None:
        """An object is there, new, changed or as before."""

    def gone(self, namespace: str, name: str, uid: str) -> None:
        """The object of that uid is deleted; another one of its name may be there."""

    def known(self) -> Iterable[Named]:
        """The objects that are kept."""

    def doubt_versions(self) -> None:
        """The next report of each object counts, regardless of its version, because the cluster was restored."""


@dataclass
class Kind:
    """One kind of object.

    Attributes:
        plural: its name in paths.
        path: of its objects in a namespace, or in all for None.
        store: Receives the observed objects.
        selector: of labels; "" for all objects.
        shown: Objects that the cluster reported, including those that the store ignores.
    """

    plural: str
    path: Callable[[str | None], str]
    store: Store
    selector: str = ""
    shown: dict[Name, tuple[str, str]] = field(default_factory=dict)
    """Uid and resource version."""
    graves: Graves = field(default_factory=Graves)
    highest: int = 0
    """The latest version that was shown, or that an API server remembered."""

    def saw(self, raw: Raw) -> None:
        """The cluster shows an object. What it shows late, after something newer of that name, is passed over."""
        name, uid, version = _identity(raw)
        before = self.shown.get(name)
        if uid in self.graves or (before is not None and not is_newer(version, before[1])):
            return
        self.shown[name] = uid, version
        self.highest = max(self.highest, number_of(version))
        if before is not None and before[0] != uid:
            self.store.gone(*name, before[0])
        read_or_skip(self.store.saw, raw)

    def gone(self, raw: Raw) -> None:
        """The cluster shows an object's end, which may be that of a former object of the name."""
        name, uid, version = _identity(raw)
        self.graves.bury(uid)
        before = self.shown.get(name)
        if before is not None and (before[0] == uid or is_newer(version, before[1])):
            del self.shown[name]
            self.store.gone(*name, before[0])
        if before is None or before[0] != uid:
            self.store.gone(*name, uid)

    def remove_unlisted(self, listed: Mapping[Name, Named], version: str, namespace: str | None) -> int:
        """Takes out what a list does not hold; what is newer than the list is left alone. Returns how many that were.

        Args:
            listed: all objects, as of `version`.
            version: of the list.
            namespace: where it was taken; None for all.
        """
        candidates = {Name(known.namespace, known.name): (known.uid, known.version) for known in self.store.known()}
        candidates.update(self.shown)
        removed = 0
        for name, (uid, seen) in candidates.items():
            if namespace not in (None, name.namespace) or is_newer(seen, version):
                continue
            if (there := listed.get(name)) is None or there.uid != uid:
                removed += 1
                self.graves.bury(uid)
                if self.shown.get(name, ("", ""))[0] == uid:
                    del self.shown[name]
                self.store.gone(*name, uid)
        return removed

    def not_shown(self, listed: Iterable[Named]) -> list[Named]:
        """Objects of a list that the cluster has not shown yet, or only as they were before."""
        return [there for there in listed if self._lacks(there)]

    def _lacks(self, there: Named) -> bool:
        shown = self.shown.get(Name(there.namespace, there.name))
        return shown is None or is_newer(there.version, shown[1])

    def contradicts(self, listed: Mapping[Name, Named], version: str) -> bool:
        """Whether an object is older in a list than it was shown to be, and the list is not: in one history it is not.

        Args:
            listed: all objects, as of `version`.
            version: of the list.
        """
        for name, (uid, seen) in self.shown.items():
            there = listed.get(name)
            if there is None or there.uid != uid or there.version == seen:
                continue
            if number_of(there.version) < number_of(seen) <= number_of(version):
                return True
        return False

    def begin_anew(self) -> None:
        """After the cluster's history has been put back, lower versions are news, and what was gone may be there."""
        self.highest = 0
        self.graves.clear()
        self.shown = {name: (uid, "0") for name, (uid, _) in self.shown.items()}
        self.store.doubt_versions()


class Kinds(NamedTuple):
    """All that are watched."""

    referents: tuple[Kind, ...]
    """What triggers refer to."""
    pod_templates: Kind
    triggers: Kind
    jobs: Kind
    pods: Kind

    def all(self) -> tuple[Kind, ...]:
        """Each of them."""
        return (*self.referents, self.pod_templates, self.triggers, self.jobs, self.pods)


def _identity(raw: Mapping[str, Any]) -> tuple[Name, str, str]:
    metadata = raw["metadata"]
    return Name(metadata["namespace"], metadata["name"]), metadata["uid"], metadata["resourceVersion"]
