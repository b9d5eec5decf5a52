"""Stores the observed objects that triggers refer to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from clustertrigger.core.kube.staleness import is_newer
from clustertrigger.shell.kube.api_server import Named
from clustertrigger.shell.kube.reading import Raw


class _Reference(NamedTuple):
    uid: str
    edition: object
    version: str


class References:
    """The objects of one kind that triggers refer to. A change affects every trigger of the namespace.

    Args:
        put: Adds an object to the catalog: namespace, name, spec.
        remove: Removes an object from the catalog: namespace, name.
        changed: Called with the namespace.
        part: Returns the part of an object that the catalog stores.
        edition: Returns the value of the metadata that changes whenever that part changes.
    """

    def __init__(
        self,
        put: Callable[[str, str, Mapping[str, Any]], None],
        remove: Callable[[str, str], None],
        changed: Callable[[str], None],
        part: Callable[[Raw], Mapping[str, Any]] = lambda raw: raw.get("spec") or {},
        edition: Callable[[Mapping[str, Any]], object] = lambda metadata: metadata.get("generation"),
    ) -> None:
        self._part = part
        self._edition = edition
        self._put = put
        self._remove = remove
        self._changed = changed
        self._seen: dict[tuple[str, str], _Reference] = {}
        self._doubted: set[str] = set()

    def saw(self, raw: Raw) -> None:
        """Stores an observed object."""
        metadata = raw["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        reference = _Reference(metadata["uid"], self._edition(metadata), metadata["resourceVersion"])
        before = self._seen.get((namespace, name))
        doubted = before is not None and before.uid in self._doubted
        if before is not None and not doubted and not is_newer(reference.version, before.version):
            return
        self._doubted.discard(reference.uid)
        self._seen[namespace, name] = reference
        if before is not None and not doubted and before[:2] == reference[:2]:
            return
        self._put(namespace, name, self._part(raw))
        self._changed(namespace)

    def gone(self, namespace: str, name: str, uid: str, version: str) -> None:
        """Removes the object with this uid. Another one with its name can exist."""
        reference = self._seen.get((namespace, name))
        if reference is None or reference.uid != uid:
            return
        del self._seen[namespace, name]
        self._doubted.discard(uid)
        self._remove(namespace, name)
        self._changed(namespace)

    def known(self) -> Iterable[Named]:
        """Returns all objects."""
        return [Named(*name, reference.uid, reference.version) for name, reference in self._seen.items()]

    def doubt_versions(self) -> None:
        """Accepts the next version of each object, whichever it is."""
        self._doubted = {reference.uid for reference in self._seen.values()}
