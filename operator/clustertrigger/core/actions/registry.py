"""Maps names to actions; the only module that distinguishes actions."""

from __future__ import annotations

from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.actions import batch_rerun, cluster, collection_trigger, taxonomy_enrichment
from clustertrigger.core.actions.work import Action, Work
from clustertrigger.core.resources.catalog import Catalog, Unresolved

ACTIONS: dict[str, Action] = {
    "cluster": cluster.ACTION,
    "taxonomy_enrichment": taxonomy_enrichment.ACTION,
    "batch_rerun": batch_rerun.ACTION,
    "collection_trigger": collection_trigger.ACTION,
}
"""Maps an action_type to its action."""


def resolve(catalog: Catalog, namespace: str, spec: ClusterTriggerSpec) -> Work | Unresolved:
    """Returns what a run of this trigger would do now."""
    return ACTIONS[spec.action_type].resolve(catalog, namespace, spec)


def action_of(name: str) -> Action:
    """Returns the action that a Job names.

    An action of a newer version is unknown, and its result is handled like a clustering's.
    """
    return ACTIONS.get(name, cluster.ACTION)
