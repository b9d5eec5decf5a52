"""Action `taxonomy_enrichment`: assigns the documents of a collection their nearest nodes of a Taxonomy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from clustercontract.actions.taxonomy_enrichment import (
    ENRICHMENT_SPEC_VARIABLE,
    EnrichmentSpec,
    PreviousEnrichment,
    TaxonomyEnrichment,
    TaxonomyInput,
)
from clustercontract.output import ENRICHMENT
from clustercontract.run import RunResult
from clustertrigger.api.collection import CollectionSpec
from clustertrigger.api.conditions import Reason
from clustertrigger.api.names import ANNOTATION_ACTION
from clustertrigger.api.status import ClusterTriggerStatus, LastResult
from clustertrigger.api.taxonomy import TaxonomySpec
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.actions.engine import why_not_read_in_parts
from clustertrigger.core.actions.narrowing import narrowed
from clustertrigger.core.actions.outputs import (
    Named,
    output_inputs,
    outputs_annotation,
    resolve_outputs,
    why_loop,
    writes_of,
)
from clustertrigger.core.actions.work import Action, Ask, Order, Work, Writes, announced
from clustertrigger.core.resources.catalog import COLLECTION, TAXONOMY, Catalog, Unresolved


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichmentWork(Work):
    """The two collections that a run reads: that of the documents, and that of the nodes."""

    config: TaxonomyEnrichment
    taxonomy: TaxonomySpec
    outputs: tuple[Named, ...] = ()

    def writes(self) -> Writes:
        """See Work."""
        return writes_of(self.outputs)

    def order(self, ask: Ask) -> Order:
        """Returns an EnrichmentSpec."""
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
            outputs=output_inputs(self.outputs, self.collections[:1]),
            outputs_before=ask.last_result.job_id if self.outputs and ask.last_result else None,
            engine=ask.engine,
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
    enriched = catalog.find(COLLECTION, namespace, config.collection_id)
    if isinstance(enriched, Unresolved):
        return enriched
    documents = narrowed(config.collection_id, enriched, config.filters)
    if isinstance(documents, Unresolved):
        return documents
    # The nodes are read by the run's own Pod, whatever their source.
    if (refused := why_not_read_in_parts(spec.run.engine, [(config.collection_id, documents)])) is not None:
        return refused
    collections = ((config.collection_id, documents), (taxonomy.collection_id, nodes))
    outputs = _outputs(catalog, namespace, config, enriched, nodes, collections)
    if isinstance(outputs, Unresolved):
        return replace(outputs, message=f"action_config.target_collection_id: {outputs.message}")
    written_ids = announced(catalog, namespace, (name for name, _ in outputs))
    if (loop := why_loop(spec, written_ids)) is not None:
        return loop
    return EnrichmentWork(
        config=config,
        taxonomy=taxonomy,
        collections=collections,
        outputs=outputs,
        annotations={ANNOTATION_ACTION: spec.action_type, **outputs_annotation(outputs)},
        announces=written_ids or announced(catalog, namespace, [config.collection_id]),
    )


def _outputs(
    catalog: Catalog,
    namespace: str,
    config: TaxonomyEnrichment,
    enriched: CollectionSpec,
    nodes: CollectionSpec,
    inputs: tuple[Named, ...],
) -> tuple[Named, ...] | Unresolved:
    """Returns the target, if there is one, or why it cannot be written.

    It can be the enriched Collection, except with Parquet.
    """
    target_id = config.target_collection_id
    if target_id is None:
        return ()
    target = catalog.find(COLLECTION, namespace, target_id)
    if target is enriched and enriched.source.type == "parquet":
        return Unresolved(
            Reason.OUTPUT_NOT_WRITABLE,
            f"{target_id!r} is the enriched Collection itself, and a Parquet source cannot be changed in place: name "
            "another Collection, or remove target_collection_id and read enrichment.parquet in the run's folder",
        )
    if target is nodes and nodes is not enriched:
        return Unresolved(
            Reason.OUTPUT_NOT_WRITABLE,
            f"{target_id!r} is the Collection of the taxonomy's nodes, but the output has a row for each document: "
            "name the Collection of the documents, or another one",
        )
    return resolve_outputs(catalog, namespace, [target_id], inputs, ENRICHMENT)


def _remember(status: ClusterTriggerStatus, job: str, collections: str, found: RunResult) -> None:
    """Adds the result to the status. Used cluster IDs are kept, because the trigger may cluster again."""
    before = status.last_result
    status.last_result = LastResult(
        job_id=job, enrichment=found.enrichment, next_cluster_id=before.next_cluster_id if before else None
    )


ACTION = Action(_resolve, _remember)
