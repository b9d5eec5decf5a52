"""Generates the CustomResourceDefinitions from the models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from clustercontract.base import ApiModel
from clustertrigger.api import GROUP, VERSION
from clustertrigger.api.collection import CollectionSpec
from clustertrigger.api.definition import ClusterDefinitionSpec
from clustertrigger.api.status import ClusterTriggerStatus
from clustertrigger.api.taxonomy import TaxonomySpec
from clustertrigger.api.trigger import ClusterTriggerSpec
from codegen.structural import Schema, structural_schema

CATEGORY = "clustering"
_META: Schema = {
    "apiVersion": {"description": f"{GROUP}/{VERSION}", "type": "string"},
    "kind": {"description": "What the object is.", "type": "string"},
    "metadata": {"type": "object"},
}
_NOT_YET_OBSERVED = {"observedGeneration": -1}
"""Status of a new object until the operator has seen it. Without it, kstatus (Flux, `kubectl wait` by
observedGeneration) would consider an unprocessed object ready."""


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`; wide columns are printed only with -o wide."""

    name: str
    path: str
    type: Literal["string", "integer", "boolean", "date"] = "string"
    wide: bool = False

    def definition(self) -> dict[str, Any]:
        """Returns the CRD's additionalPrinterColumns item."""
        column: dict[str, Any] = {"name": self.name, "type": self.type, "jsonPath": self.path}
        return {**column, "priority": 1} if self.wide else column


@dataclass(frozen=True)
class Kind:
    """One kind of the API group."""

    name: str
    plural: str
    short_name: str
    description: str
    spec: type[ApiModel]
    columns: tuple[Column, ...]
    status: type[ClusterTriggerStatus] | None = None
    selectable_fields: tuple[str, ...] = ()
    stored_defaults: tuple[str, ...] = ()
    """Paths in the spec whose defaults are written into stored objects, so that `kubectl get -o yaml` shows them. Flat
    objects that stand for variants have none, because the default of one variant's field would violate another's rules.
    """

    @property
    def crd_name(self) -> str:
        """The CustomResourceDefinition's name."""
        return f"{self.plural}.{GROUP}"

    def schema(self) -> Schema:
        """Returns the whole object's structural schema."""
        properties = {**_META, "spec": structural_schema(self.spec, keeps_default=self._stores_default)}
        if self.status is not None:
            status = structural_schema(self.status, keeps_default=lambda _path: False)
            properties["status"] = {**status, "default": _NOT_YET_OBSERVED}
        return {"description": self.description, "type": "object", "required": ["spec"], "properties": properties}

    def custom_resource_definition(self) -> dict[str, Any]:
        """Returns the CustomResourceDefinition, ready to be applied."""
        version: dict[str, Any] = {"name": VERSION, "served": True, "storage": True}
        if self.status is not None:
            version["subresources"] = {"status": {}}
        version["additionalPrinterColumns"] = [column.definition() for column in self.columns]
        if self.selectable_fields:
            version["selectableFields"] = [{"jsonPath": path} for path in self.selectable_fields]
        version["schema"] = {"openAPIV3Schema": self.schema()}
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": self.crd_name},
            "spec": {
                "group": GROUP,
                "scope": "Namespaced",
                "names": {
                    "kind": self.name,
                    "listKind": f"{self.name}List",
                    "plural": self.plural,
                    "singular": self.name.lower(),
                    "shortNames": [self.short_name],
                    "categories": [CATEGORY],
                },
                "versions": [version],
            },
        }

    def _stores_default(self, path: str) -> bool:
        return any(path == stored or path.startswith(f"{stored}.") for stored in self.stored_defaults)


_AGE = Column("Age", ".metadata.creationTimestamp", "date")

CLUSTER_TRIGGER = Kind(
    name="ClusterTrigger",
    plural="clustertriggers",
    short_name="ctr",
    description="ClusterTrigger defines when the embeddings of collections are clustered again, and how.",
    spec=ClusterTriggerSpec,
    status=ClusterTriggerStatus,
    columns=(
        Column("Type", ".spec.trigger_type"),
        Column("Schedule", ".status.schedule"),
        Column("Status", ".status.status"),
        Column("Last Run", ".status.last_triggered_at", "date"),
        Column("Last Result", ".status.last_execution_status"),
        Column("Next Run", ".status.next_scheduled_at"),
        Column("Runs", ".status.execution_count", "integer"),
        Column("Failures", ".status.failure_count", "integer"),
        _AGE,
        Column("Action", ".spec.action_type", wide=True),
        Column("Overdue", ".status.is_overdue", "boolean", wide=True),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status', wide=True),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', wide=True),
        Column("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True),
    ),
    selectable_fields=(".spec.trigger_type", ".spec.status"),
    stored_defaults=(".action_type", ".status", ".run"),
)

CLUSTER_DEFINITION = Kind(
    name="ClusterDefinition",
    plural="clusterdefinitions",
    short_name="cdef",
    description="ClusterDefinition is a clustering that several ClusterTriggers can refer to by cluster_id.",
    spec=ClusterDefinitionSpec,
    columns=(
        Column("Cluster ID", ".spec.cluster_id"),
        Column("Algorithm", ".spec.config.algorithm"),
        Column("Collections", ".spec.collection_ids"),
        _AGE,
        Column("Description", ".spec.description", wide=True),
    ),
)

COLLECTION = Kind(
    name="Collection",
    plural="collections",
    short_name="col",
    description="Collection describes where the vectors of a collection_id are stored.",
    spec=CollectionSpec,
    columns=(
        Column("Collection ID", ".spec.collection_id"),
        Column("Volume", ".spec.volume"),
        Column("URI", ".spec.source.uri"),
        _AGE,
        Column("Description", ".spec.description", wide=True),
    ),
)

TAXONOMY = Kind(
    name="Taxonomy",
    plural="taxonomies",
    short_name="tax",
    description="Taxonomy defines which collection contains the nodes of a taxonomy_id, and how documents are assigned "
    "to them.",
    spec=TaxonomySpec,
    columns=(
        Column("Taxonomy ID", ".spec.taxonomy_id"),
        Column("Collection", ".spec.collection_id"),
        Column("Parents", ".spec.parent_column"),
        Column("Top K", ".spec.top_k", "integer"),
        _AGE,
        Column("Description", ".spec.description", wide=True),
    ),
    stored_defaults=(".top_k", ".min_score"),
)

KINDS = (CLUSTER_TRIGGER, CLUSTER_DEFINITION, COLLECTION, TAXONOMY)
