"""Resolves ids: to the Collections, ClusterDefinitions and Taxonomies of each namespace, and to runs.

`REFERENTS` is the only list of these kinds; watches, reads and validation use it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from clustertrigger.api.collection import CollectionSpec
from clustertrigger.api.conditions import Reason
from clustertrigger.api.definition import ClusterDefinitionSpec
from clustertrigger.api.names import LABEL_RUNNABLE
from clustertrigger.api.taxonomy import TaxonomySpec
from clustertrigger.core.resources.batches import Batches
from clustertrigger.core.resources.pod_templates import PodTemplate, read_pod_template
from clustertrigger.core.resources.validation import (
    Problem,
    all_of,
    parse_collection,
    parse_definition,
    parse_taxonomy,
)

Spec = TypeVar("Spec", CollectionSpec, ClusterDefinitionSpec, TaxonomySpec)


@dataclass(frozen=True)
class Referent(Generic[Spec]):
    """A kind of object that triggers refer to by an id.

    Attributes:
        kind: Name of the kind.
        plural: Name in paths.
        id_field: Field of its spec; if absent, metadata.name is the id.
        not_found: Reason why a trigger is not ready if the object does not exist.
        parse: Reads a spec, or returns what is wrong with it.
    """

    kind: str
    plural: str
    id_field: str
    not_found: Reason
    parse: Callable[[Mapping[str, Any]], tuple[Spec | None, list[Problem]]]

    @property
    def kinds(self) -> str:
        """Returns the kind's name for several objects."""
        return f"{self.kind.removesuffix('y')}ies" if self.kind.endswith("y") else f"{self.kind}s"


DEFINITION = Referent(
    "ClusterDefinition", "clusterdefinitions", "cluster_id", Reason.DEFINITION_NOT_FOUND, parse_definition
)
COLLECTION = Referent("Collection", "collections", "collection_id", Reason.COLLECTION_NOT_FOUND, parse_collection)
TAXONOMY = Referent("Taxonomy", "taxonomies", "taxonomy_id", Reason.TAXONOMY_NOT_FOUND, parse_taxonomy)
REFERENTS: tuple[Referent[Any], ...] = (DEFINITION, COLLECTION, TAXONOMY)


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why the reference cannot be resolved."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Spec]):
    id: str | None
    spec: Spec | None
    problems: tuple[Problem, ...]


@dataclass
class _Shelf(Generic[Spec]):
    """The objects of one kind in one namespace, by name and by id."""

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

    def ids(self, reference: str) -> list[str]:
        """Returns the id or name of an object, and the other one unless it refers to another object."""
        name = next(iter(sorted(self.names_by_id.get(reference, ()))), reference)
        entry = self.by_name.get(name)
        others: list[str | None] = [entry.id if entry else None, None if name in self.names_by_id else name]
        return list(dict.fromkeys([reference, *(one for one in others if one)]))

    def find(self, reference: str, referent: Referent[Spec]) -> Spec | Unresolved:
        """Finds an object by id first and by name second.

        If two objects have the same ID, both are reported and none is chosen.
        """
        kind, id_field = referent.kind, referent.id_field
        names = sorted(self.names_by_id.get(reference, ())) or ([reference] if reference in self.by_name else [])
        if not names:
            return Unresolved(
                referent.not_found,
                f"no {kind} with spec.{id_field} or metadata.name {reference!r} in this namespace: "
                "create one or correct the id",
            )
        if len(names) > 1:
            return Unresolved(
                Reason.AMBIGUOUS_REFERENCE,
                f"{id_field} {reference!r} is used by {referent.kinds} {', '.join(names)}: change the {id_field} of "
                "all but one",
            )
        entry = self.by_name[names[0]]
        if entry.spec is None:
            return Unresolved(
                Reason.INVALID_REFERENCE,
                f"{kind} {names[0]!r} is invalid: {all_of(entry.problems)}",
            )
        return entry.spec


class Catalog:
    """All objects and batches that ids refer to, in all namespaces."""

    def __init__(self) -> None:
        self._shelves: dict[tuple[str, str], _Shelf[Any]] = defaultdict(_Shelf)
        """Objects by kind and namespace."""
        self._pod_templates: dict[str, dict[str, PodTemplate]] = defaultdict(dict)
        self.batches = Batches(lambda namespace, cluster_id: self.ids(DEFINITION, namespace, cluster_id))

    def put(self, referent: Referent[Any], namespace: str, name: str, raw_spec: Mapping[str, Any]) -> None:
        """Adds or replaces an object. An invalid one is kept, so that triggers that refer to it can report it."""
        spec, problems = referent.parse(raw_spec)
        entry = _Entry(_claimed_id(raw_spec, referent.id_field), spec, tuple(problems))
        self._shelves[referent.kind, namespace].put(name, entry)

    def remove(self, referent: Referent[Any], namespace: str, name: str) -> None:
        """Removes an object, if it exists."""
        self._shelves[referent.kind, namespace].remove(name)

    def find(self, referent: Referent[Spec], namespace: str, reference: str) -> Spec | Unresolved:
        """Returns the spec of the object that an id refers to."""
        found: Spec | Unresolved = self._shelves[referent.kind, namespace].find(reference, referent)
        return found

    def ids(self, referent: Referent[Any], namespace: str, reference: str) -> list[str]:
        """Returns all ids by which triggers can refer to the object that an id refers to, this id first."""
        return self._shelves[referent.kind, namespace].ids(reference)

    def put_pod_template(self, namespace: str, name: str, raw: Mapping[str, Any]) -> None:
        """Adds or replaces a PodTemplate, given as the whole object."""
        self._pod_templates[namespace][name] = read_pod_template(raw)

    def remove_pod_template(self, namespace: str, name: str) -> None:
        """Removes a PodTemplate, if it exists."""
        self._pod_templates[namespace].pop(name, None)

    def pod_template(self, namespace: str, name: str) -> PodTemplate | Unresolved:
        """Returns the PodTemplate with this name, if triggers may run it."""
        found = self._pod_templates[namespace].get(name)
        if found is None:
            return Unresolved(
                Reason.POD_TEMPLATE_NOT_FOUND,
                f"no PodTemplate {name!r} in this namespace: create it, or correct spec.processing of the Collection",
            )
        if not found.is_runnable:
            return Unresolved(
                Reason.INVALID_REFERENCE,
                f'PodTemplate {name!r} does not have the label {LABEL_RUNNABLE}: "true": set the label to allow '
                "triggers to run it",
            )
        if found.problems:
            return Unresolved(
                Reason.INVALID_REFERENCE,
                f"PodTemplate {name!r} is not allowed in a run: {all_of(found.problems)}",
            )
        return found


def _claimed_id(raw_spec: Mapping[str, Any], id_field: str) -> str | None:
    claimed = raw_spec.get(id_field)
    return claimed if isinstance(claimed, str) and claimed else None
