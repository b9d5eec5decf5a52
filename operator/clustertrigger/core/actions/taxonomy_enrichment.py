"""Action `taxonomy_enrichment`: the documents of a collection get their nearest nodes of a Taxonomy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from clustercontract.actions.taxonomy_enrichment import (
    ENRICHMENT_SPEC_VARIABLE,
    EnrichmentSpec,
    PreviousEnrichment,
    TaxonomyEnrichment,
    TaxonomyInput,
)
from clustercontract.run import RunResult
from clustertrigger.api.names import ANNOTATION_ACTION
from clustertrigger.api.status import ClusterTriggerStatus, LastResult
from clustertrigger.api.taxonomy import TaxonomySpec
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.actions.narrowing import narrowed
from clustertrigger.core.actions.work import Action, Ask, Order, Work, announced
from clustertrigger.core.resources.catalog import COLLECTION, TAXONOMY, Catalog, Unresolved


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichmentWork(Work):
    """Two collections: that of the documents, and that of the nodes."""

    config: TaxonomyEnrichment
    taxonomy: TaxonomySpec

    def order(self, ask: Ask) -> Order:
        """An EnrichmentSpec."""
        documents, nodes = self.inputs()
        last = ask.last_result.enrichment if ask.last_result else None
        previous = (
            PreviousEnrichment(run=ask.last_result.job_id, uri=last.results_uri)
            if self.config.incremental and ask.last_result and last
            else None
        )
        spec = EnrichmentSpec(
            namespace=ask.namespace,
            trigger=ask.trigger,
            run=ask.job,
            slot=ask.slot,
            taxonomy=TaxonomyInput(
                taxonomy_id=self.config.taxonomy_id,
                nodes=nodes,
                label_column=self.taxonomy.label_column,
                parent_column=self.taxonomy.parent_column,
                top_k=self.taxonomy.top_k,
                min_score=self.taxonomy.min_score,
            ),
            collection=documents,
            incremental=self.config.incremental,
            batch_size=self.config.batch_size,
            parallelism=self.config.parallelism,
            seed=ask.seed,
            results=ask.results,
            history_limit=ask.policy.history_limit,
            previous=previous,
        )
        return Order("enrich", ENRICHMENT_SPEC_VARIABLE, spec.model_dump_json(exclude_none=True))


def _resolve(catalog: Catalog, namespace: str, spec: ClusterTriggerSpec) -> Work | Unresolved:
    config = spec.action
    if not isinstance(config, TaxonomyEnrichment):
        raise TypeError(f"no spec of this action: {spec.action_type}")
    taxonomy = catalog.find(TAXONOMY, namespace, config.taxonomy_id)
    if isinstance(taxonomy, Unresolved):
        return taxonomy
    nodes = catalog.find(COLLECTION, namespace, taxonomy.collection_id)
    if isinstance(nodes, Unresolved):
        return replace(nodes, message=f"nodes of taxonomy {config.taxonomy_id!r}: {nodes.message}")
    documents = catalog.find(COLLECTION, namespace, config.collection_id)
    if not isinstance(documents, Unresolved):
        documents = narrowed(config.collection_id, documents, config.filters)
    if isinstance(documents, Unresolved):
        return documents
    collections = ((config.collection_id, documents), (taxonomy.collection_id, nodes))
    annotations = {ANNOTATION_ACTION: spec.action_type}
    return EnrichmentWork(
        config=config,
        taxonomy=taxonomy,
        collections=collections,
        annotations=annotations,
        announces=announced(catalog, namespace, [config.collection_id]),
    )


def _remember(status: ClusterTriggerStatus, job: str, collections: str, found: RunResult) -> None:
    """What it found; the memory of cluster ids stays, for a trigger that clusters again."""
    before = status.last_result
    status.last_result = LastResult(
        job_id=job, enrichment=found.enrichment, next_cluster_id=before.next_cluster_id if before else None
    )


ACTION = Action(_resolve, _remember)
