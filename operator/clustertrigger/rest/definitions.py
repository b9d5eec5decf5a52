"""Keeps the ClusterDefinitions of one namespace, for the values that triggers inherit from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Object = Mapping[str, Any]


class Definitions:
    """The ClusterDefinitions of one namespace.

    Args:
        raws: The objects.
    """

    def __init__(self, raws: Iterable[Object] = ()) -> None:
        self._by_name = {raw["metadata"]["name"]: raw for raw in raws}
        self._by_id: dict[str, list[Object]] | None = None
        self.version: object = object()
        """A value that changes whenever a definition changes."""

    def put(self, raw: Object) -> None:
        """Adds a definition or a new version of one."""
        self._by_name[raw["metadata"]["name"]] = raw
        self._by_id, self.version = None, object()

    def remove(self, name: str) -> None:
        """Removes a definition."""
        self._by_name.pop(name, None)
        self._by_id, self.version = None, object()

    def names(self) -> Sequence[str]:
        """Returns the names of all definitions."""
        return list(self._by_name)

    def inherited(self, reference: str) -> tuple[str, Object] | None:
        """Returns what triggers with this cluster_id inherit, by id first and by name second; None if it is unknown.

        Returns:
            The version of the definition, and its spec.
        """
        if self._by_id is None:
            self._by_id = {}
            for raw in self._by_name.values():
                self._by_id.setdefault(raw["spec"].get("cluster_id", ""), []).append(raw)
        claiming = self._by_id.get(reference) or []
        if len(claiming) > 1:
            return None
        found = claiming[0] if claiming else self._by_name.get(reference)
        if found is None:
            return None
        metadata = found["metadata"]
        return f"{metadata['uid']}/{metadata['resourceVersion']}", found["spec"]
