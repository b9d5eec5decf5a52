"""Action `cluster`: clusters the collections of a ClusterDefinition, or of the trigger itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from clustercontract.actions.cluster import Cluster
from clustercontract.baseline import Baseline
from clustercontract.filters import Filter, all_of, conjuncts
from clustercontract.mode import ASSIGNMENT_THRESHOLD
from clustercontract.run import RUN_SPEC_VARIABLE, RunResult, RunSpec
from clustertrigger.api.conditions import Reason
from clustertrigger.api.definition import ExecutionConfig
from clustertrigger.api.names import ANNOTATION_MODE
from clustertrigger.api.status import ClusterTriggerStatus, Execution, LastResult
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.actions.engine import why_not_distributed
from clustertrigger.core.actions.narrowing import fields_of, narrowed
from clustertrigger.core.actions.outputs import (
    Named,
    output_inputs,
    outputs_annotation,
    resolve_outputs,
    why_loop,
    writes_of,
)
from clustertrigger.core.actions.work import (
    Action,
    Ask,
    Earlier,
    Order,
    Reads,
    RunDefaults,
    Work,
    Writes,
    announced,
    claim_of,
    collections_digest,
    distinct,
    why_out_of_reach,
)
from clustertrigger.core.resources.catalog import COLLECTION, DEFINITION, Catalog, Unresolved


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterWork(Work):
    """Collections to cluster, in the order of execution.collection_ids, and those to write."""

    execution: ExecutionConfig
    outputs: tuple[Named, ...] = ()
    base: Earlier | None = None
    """With mode assign: the run to whose clusters the documents are assigned."""
    sources: tuple[Earlier, ...] = ()
    """With mode composite: the runs whose centroids are clustered."""

    def reads(self, defaults: RunDefaults) -> Reads:
        """The volumes of the collections, and of the runs whose clusters are read.

        With mode composite, only the latter.
        """
        own = Reads((), ()) if self.sources else super(ClusterWork, self).reads(defaults)
        earlier = [*self.sources, *([self.base] if self.base else ())]
        return Reads(
            distinct([*own.claims, *(run.claim(defaults) for run in earlier)]),
            distinct([*own.secrets, *(run.policy.results.secret_name for run in earlier)]),
        )

    def follows(self, baseline: Baseline | None, history: Iterable[Execution]) -> tuple[str, str] | None:
        """See Work. With mode composite, which writes no baseline, it is the newest completed run with that mode."""
        if not self.sources:
            return super(ClusterWork, self).follows(baseline, history)
        done = (run for run in history if run.mode == "composite" and run.status == "completed")
        return next(((run.job_id, run.results_uri) for run in done if run.results_uri), None)

    def writes(self) -> Writes:
        """See Work."""
        return writes_of(self.outputs)

    def order(self, ask: Ask) -> Order:
        """Returns a RunSpec."""
        threshold = self.execution.assignment_threshold
        spec = RunSpec(
            namespace=ask.namespace,
            trigger=ask.trigger,
            run=ask.job,
            slot=ask.slot,
            collections=self.inputs(),
            config=self.execution.config,
            seed=ask.seed,
            results=ask.results,
            history_limit=ask.policy.history_limit,
            report=ask.policy.report,
            previous=ask.previous,
            outputs=output_inputs(self.outputs, self.collections),
            outputs_before=ask.last_result.job_id if self.outputs and ask.last_result else None,
            mode=self.execution.mode or "full",
            base=self.base.seen(ask.defaults) if self.base else None,
            sources=[source.seen(ask.defaults) for source in self.sources],
            assignment_threshold=ASSIGNMENT_THRESHOLD if threshold is None else threshold,
            engine=ask.engine,
        )
        return Order("run", RUN_SPEC_VARIABLE, spec.model_dump_json(exclude_none=True))


def _resolve(catalog: Catalog, namespace: str, spec: ClusterTriggerSpec) -> Work | Unresolved:
    execution, filters, written = spec.execution_config, None, None
    if execution is None and isinstance(spec.action, Cluster):
        definition = catalog.find(DEFINITION, namespace, spec.action.cluster_id)
        if isinstance(definition, Unresolved):
            return definition
        execution, filters = definition.execution_config(spec.action), merged(definition.filters, spec.action.filters)
        written = spec.action.output_collection_ids
    if execution is None:
        raise TypeError(f"no spec of this action: {spec.action_type}")
    collections = []
    for wanted in execution.collection_ids:
        collection = catalog.find(COLLECTION, namespace, wanted)
        if not isinstance(collection, Unresolved):
            collection = narrowed(wanted, collection, filters)
        if isinstance(collection, Unresolved):
            return collection
        collections.append((wanted, collection))
    mode = execution.mode or "full"
    if (refused := why_not_distributed(spec.run.engine, mode, execution.config, collections)) is not None:
        return refused
    outputs = resolve_outputs(catalog, namespace, execution.outputs if written is None else written, collections)
    if isinstance(outputs, Unresolved):
        return outputs
    written_ids = announced(catalog, namespace, (name for name, _ in outputs))
    if (loop := why_loop(spec, written_ids)) is not None:
        return loop
    work = ClusterWork(
        execution=execution,
        collections=tuple(collections),
        outputs=outputs,
        announces=written_ids or announced(catalog, namespace, execution.collection_ids),
        annotations=outputs_annotation(outputs),
    )
    if execution.source_execution_ids is not None:
        return _composing(catalog, namespace, work, execution.source_execution_ids)
    return _assigning(catalog, namespace, spec, work) if execution.mode == "assign" else work


def _assigning(catalog: Catalog, namespace: str, spec: ClusterTriggerSpec, work: ClusterWork) -> Work | Unresolved:
    """Returns the work with the run to whose clusters the documents are assigned."""
    found = catalog.batches.newest_clustering(namespace, spec.clustering or "", collections_digest(work))
    if found is not None:
        volume = claim_of(found.run) if found.run else None
        base = Earlier(found.baseline.run, found.baseline.folder, found.policy, volume)
        if why := why_out_of_reach(base.run, base.uri, base.policy.results.uri):
            return Unresolved(Reason.INVALID_REFERENCE, f"mode assign: {why}")
        return replace(work, base=base, annotations={**work.annotations, ANNOTATION_MODE: "assign"})
    if isinstance(spec.action, Cluster):
        same = f"cluster_id {spec.action.cluster_id!r}"
    else:
        same = f"the same execution_config (of {', '.join(map(repr, work.execution.collection_ids))})"
    return Unresolved(
        Reason.CLUSTERS_NOT_FOUND,
        f"mode assign: no ClusterTrigger of this namespace with {same} has completed a run with mode full on these "
        "collections: request a run of such a trigger, or set mode: full",
    )


def _composing(catalog: Catalog, namespace: str, work: ClusterWork, job_names: Sequence[str]) -> Work | Unresolved:
    """Returns the work with the runs whose centroids are clustered."""
    sources = []
    for job in job_names:
        found = catalog.batches.find(namespace, job)
        if found is None:
            return Unresolved(
                Reason.BATCH_NOT_FOUND,
                f"source_execution_ids: no run {job!r} in status.history of the ClusterTriggers of this namespace: it "
                "does not exist, or run.history_limit newer runs have ended: name another run",
            )
        if found.policy is None:
            return Unresolved(
                Reason.INVALID_REFERENCE,
                f"source_execution_ids: {job!r} is a run of ClusterTrigger {found.trigger!r}, which is invalid: "
                "correct it, because its run.results says where the run's results are",
            )
        if found.run.status != "completed":
            return Unresolved(
                Reason.BATCH_NOT_FOUND,
                f"source_execution_ids: run {job!r} of ClusterTrigger {found.trigger!r} is {found.run.status}, and "
                "only a completed run has clusters: wait for it, or name another run",
            )
        if not found.run.results_uri or found.run.num_clusters is None:
            return Unresolved(
                Reason.INVALID_REFERENCE,
                f"source_execution_ids: run {job!r} of ClusterTrigger {found.trigger!r} did not cluster documents: "
                "name a run of action cluster",
            )
        source = Earlier(job, found.run.results_uri, found.policy, claim_of(found.run))
        if why := why_out_of_reach(job, source.uri, source.policy.results.uri):
            return Unresolved(Reason.INVALID_REFERENCE, f"source_execution_ids: {why}")
        sources.append(source)
    return replace(work, sources=tuple(sources), annotations={**work.annotations, ANNOTATION_MODE: "composite"})


def _remember(status: ClusterTriggerStatus, job: str, collections: str, found: RunResult) -> None:
    if found.baseline:
        made_for = {"collections": collections} if collections else {}
        status.baseline_snapshot = {**found.baseline.model_dump(mode="json"), **made_for}
    status.last_result = _last_result(job, found, status.last_result)


def _last_result(job: str, found: RunResult, before: LastResult | None) -> LastResult:
    """Returns the summary for the status. If runs overlap, the higher next_cluster_id is kept."""
    known = [before.next_cluster_id if before else None, found.next_cluster_id]
    return LastResult(
        job_id=job,
        num_noise=found.num_noise,
        clusters=found.clusters,
        changes=found.changes,
        next_cluster_id=max((number for number in known if number is not None), default=None),
    )


ACTION = Action(_resolve, _remember)


def merged(definition: Filter | None, trigger: Filter | None) -> Filter | None:
    """Returns the filters of a definition and of a trigger together.

    The trigger's filters take precedence: a part of the definition's filters is dropped if it compares a field that the
    trigger's filters compare.
    """
    if definition is None or trigger is None:
        return trigger or definition
    named = fields_of(trigger)
    return all_of(part for part in (*conjuncts(definition), trigger) if part is trigger or not named & fields_of(part))
