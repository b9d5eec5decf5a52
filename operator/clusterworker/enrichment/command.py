"""The command `enrich`, of action `taxonomy_enrichment`: finds every document's nodes, and writes the run's folder."""

from typing import Any

from clustercontract.actions.batch_rerun import RerunSpec
from clustercontract.actions.taxonomy_enrichment import ENRICHMENT_SPEC_VARIABLE, EnrichmentSpec
from clusterworker.enrichment.job import enrich
from clusterworker.run.command import command_of_runs
from clusterworker.run.rerun import Repeatable, moved, narrowed


def _own(kept: EnrichmentSpec, spec: RerunSpec) -> dict[str, Any]:
    return {
        "collection": narrowed(kept.collection, spec.filters),
        "previous": kept.previous and moved(kept.previous, kept.results, spec.batch_results),
    }


ENRICHMENT = Repeatable(EnrichmentSpec, enrich, _own)
ENRICH = command_of_runs(EnrichmentSpec, ENRICHMENT_SPEC_VARIABLE, enrich)
