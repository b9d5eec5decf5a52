"""Action `collection_trigger`: processes a collection with the PodTemplate that the Collection names."""

from __future__ import annotations

import json
from dataclasses import dataclass

from clustercontract.actions.collection_trigger import (
    COLLECTION_ID_VARIABLE,
    INCLUDE_BUCKETS_VARIABLE,
    INCLUDE_COLLECTIONS_VARIABLE,
    RUN_VARIABLE,
    SOURCE_FILTERS_VARIABLE,
    SOURCE_VARIABLE,
    CollectionTrigger,
)
from clustercontract.run import RunResult
from clustertrigger.api.collection import CollectionSpec
from clustertrigger.api.conditions import Reason
from clustertrigger.api.names import ANNOTATION_ACTION, ANNOTATION_CONFIG, ANNOTATION_PROCESSES
from clustertrigger.api.status import ClusterTriggerStatus
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.actions.work import Action, Ask, FromTemplate, Work
from clustertrigger.core.resources.catalog import COLLECTION, Catalog, Unresolved
from clustertrigger.core.resources.pod_templates import PodTemplate

LONGEST_CONFIG = 1_024
"""Maximum number of characters of an action_config that the history keeps, because it contains many runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingWork(Work):
    """A collection to be processed."""

    wanted: CollectionTrigger
    collection: CollectionSpec
    template: PodTemplate

    def order(self, ask: Ask) -> FromTemplate:
        """Returns the collection's PodTemplate, and the environment variables that tell the container what to do."""
        wanted = self.wanted
        written = {
            INCLUDE_BUCKETS_VARIABLE: wanted.include_buckets,
            INCLUDE_COLLECTIONS_VARIABLE: wanted.include_collections,
            SOURCE_FILTERS_VARIABLE: wanted.source_filters
            and wanted.source_filters.model_dump(mode="json", exclude_none=True),
            SOURCE_VARIABLE: self.collection.source.model_dump(mode="json", exclude_none=True),
        }
        return FromTemplate(
            self.template,
            {
                COLLECTION_ID_VARIABLE: wanted.collection_id,
                RUN_VARIABLE: ask.job,
                **{name: json.dumps(value, ensure_ascii=False) for name, value in written.items() if value is not None},
            },
        )


def _resolve(catalog: Catalog, namespace: str, spec: ClusterTriggerSpec) -> Work | Unresolved:
    wanted = spec.action
    if not isinstance(wanted, CollectionTrigger):
        raise TypeError(f"no spec of this action: {spec.action_type}")
    return processing(catalog, namespace, wanted)


def processing(catalog: Catalog, namespace: str, wanted: CollectionTrigger) -> ProcessingWork | Unresolved:
    """Returns the work that processes a collection, according to its current Collection and PodTemplate."""
    collection = catalog.find(COLLECTION, namespace, wanted.collection_id)
    if isinstance(collection, Unresolved):
        return collection
    if collection.processing is None:
        return Unresolved(
            Reason.INVALID_REFERENCE,
            f"Collection {wanted.collection_id!r} does not specify how to process it: set its "
            "spec.processing.pod_template",
        )
    template = catalog.pod_template(namespace, collection.processing.pod_template)
    if isinstance(template, Unresolved):
        return template
    ids = catalog.ids(COLLECTION, namespace, wanted.collection_id)
    config = wanted.model_dump_json(exclude_none=True)
    kept = {ANNOTATION_CONFIG: config} if len(config) <= LONGEST_CONFIG else {}
    return ProcessingWork(
        annotations={ANNOTATION_ACTION: "collection_trigger", ANNOTATION_PROCESSES: ",".join(ids), **kept},
        announces=tuple(ids),
        wanted=wanted,
        collection=collection,
        template=template,
    )


def _remember(status: ClusterTriggerStatus, job: str, collections: str, found: RunResult) -> None:
    """Adds nothing: the history contains what was processed, and it counts as events."""


ACTION = Action(_resolve, _remember)
