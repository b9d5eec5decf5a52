"""What ids refer to: the Collections and ClusterDefinitions of each namespace, and the runs of its triggers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from clustertrigger.api.collection import CollectionSpec
from clustertrigger.api.conditions import Reason
from clustertrigger.api.definition import ClusterDefinitionSpec
from clustertrigger.core.resources.batches import Batches
from clustertrigger.core.resources.validation import Problem, all_of, parse_collection, parse_definition

Spec = TypeVar("Spec", CollectionSpec, ClusterDefinitionSpec)


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why the work is not known."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Spec]):
    id: str | None
    spec: Spec | None
    problems: tuple[Problem, ...]


@dataclass
class _Shelf(Generic[Spec]):
    """One kind in one namespace, by name and by id."""

    by_name: dict[str, _Entry[Spec]] = field(default_factory=dict)
    names_by_id: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def put(self, name: str, entry: _Entry[Spec]) -> None:
        self.remove(name)
        self.by_name[name] = entry
        if entry.id:
            self.names_by_id[entry.id].add(name)

    def remove(self, name: str) -> None:
        entry = self.by_name.pop(name, None)
        if entry and entry.id:
            names = self.names_by_id[entry.id]
            names.discard(name)
            if not names:
                del self.names_by_id[entry.id]

    def find(self, wanted: str, kind: str, id_field: str, not_found: Reason) -> Spec | Unresolved:
        """By id first, by name second; two objects that claim one id are told, not chosen from."""
        names = sorted(self.names_by_id.get(wanted, ())) or ([wanted] if wanted in self.by_name else [])
        if not names:
            return Unresolved(
                not_found,
                f"no {kind} with spec.{id_field} or metadata.name {wanted!r} in this namespace: "
                "create one or correct the id",
            )
        if len(names) > 1:
            return Unresolved(
                Reason.AMBIGUOUS_REFERENCE,
                f"{id_field} {wanted!r} is used by {kind}s {', '.join(names)}: change the {id_field} of all but one",
            )
        entry = self.by_name[names[0]]
        if entry.spec is None:
            return Unresolved(
                Reason.INVALID_REFERENCE,
                f"{kind} {names[0]!r} is invalid: {all_of(entry.problems)}",
            )
        return entry.spec


class Catalog:
    """The Collections, ClusterDefinitions and batches of all namespaces."""

    def __init__(self) -> None:
        self._collections: dict[str, _Shelf[CollectionSpec]] = defaultdict(_Shelf)
        self._definitions: dict[str, _Shelf[ClusterDefinitionSpec]] = defaultdict(_Shelf)
        self.batches = Batches()

    def put_collection(self, namespace: str, name: str, raw_spec: Mapping[str, Any]) -> None:
        """Adds or replaces a Collection; an invalid one is kept, to be named by the triggers that refer to it."""
        spec, problems = parse_collection(raw_spec)
        entry = _Entry(_claimed_id(raw_spec, "collection_id"), spec, tuple(problems))
        self._collections[namespace].put(name, entry)

    def remove_collection(self, namespace: str, name: str) -> None:
        """Removes a Collection, if it is there."""
        self._collections[namespace].remove(name)

    def put_definition(self, namespace: str, name: str, raw_spec: Mapping[str, Any]) -> None:
        """Adds or replaces a ClusterDefinition."""
        spec, problems = parse_definition(raw_spec)
        entry = _Entry(_claimed_id(raw_spec, "cluster_id"), spec, tuple(problems))
        self._definitions[namespace].put(name, entry)

    def remove_definition(self, namespace: str, name: str) -> None:
        """Removes a ClusterDefinition, if it is there."""
        self._definitions[namespace].remove(name)

    def definition(self, namespace: str, cluster_id: str) -> ClusterDefinitionSpec | Unresolved:
        """The ClusterDefinition that an id refers to."""
        return self._definitions[namespace].find(
            cluster_id, "ClusterDefinition", "cluster_id", Reason.DEFINITION_NOT_FOUND
        )

    def collection(self, namespace: str, collection_id: str) -> CollectionSpec | Unresolved:
        """The Collection that an id refers to."""
        return self._collections[namespace].find(
            collection_id, "Collection", "collection_id", Reason.COLLECTION_NOT_FOUND
        )


def _claimed_id(raw_spec: Mapping[str, Any], id_field: str) -> str | None:
    claimed = raw_spec.get(id_field)
    return claimed if isinstance(claimed, str) and claimed else None
