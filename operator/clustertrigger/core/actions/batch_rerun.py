"""Action `batch_rerun`: repeats a run from the history of a trigger of the namespace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pydantic import ValidationError

from clustercontract.actions.batch_rerun import RERUN_SPEC_VARIABLE, BatchRerun, RerunSpec
from clustercontract.actions.collection_trigger import CollectionTrigger
from clustercontract.container import COLLECTIONS_MOUNT, RESULTS_MOUNT, ResultsTarget
from clustercontract.filters import Filter, within
from clustercontract.run import RunResult
from clustertrigger.api.conditions import Reason
from clustertrigger.api.names import ANNOTATION_ACTION, ANNOTATION_RERUNS
from clustertrigger.api.run_policy import RunPolicy
from clustertrigger.api.status import ClusterTriggerStatus, Execution, LastResult
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.actions.collection_trigger import LONGEST_CONFIG, ProcessingWork, processing
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
    distinct,
    results_claim,
    results_target,
    why_out_of_reach,
)
from clustertrigger.core.resources.batches import Batch
from clustertrigger.core.resources.catalog import Catalog, Unresolved

_MOST_NAMED = 10
_PROCESSING = "collection_trigger"
"""The action whose input only the history keeps: its container runs a user's image, which saves no RunSpec."""


def _why_needless(batch: Execution, history: Iterable[Execution], *, retry_failed_only: bool) -> str | None:
    """Returns why a batch is not repeated: it is still active or, with retry_failed_only, it has completed."""
    job = batch.job_id
    if batch.status in ("pending", "running"):
        return f"batch {job} is still active"
    if not retry_failed_only:
        return None
    if batch.status == "completed":
        return f"batch {job} completed, and action_config.retry_failed_only repeats only failed batches"
    for run in history:
        if run.reruns == job and run.status == "completed":
            return f"batch {job} was repeated by {run.job_id}, which completed (action_config.retry_failed_only)"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingAgain(ProcessingWork):
    """A batch that processed a collection, to be repeated."""

    batch: Execution
    retry_failed_only: bool

    def why_needless(self, history: Iterable[Execution]) -> str | None:
        """See Work."""
        return _why_needless(self.batch, history, retry_failed_only=self.retry_failed_only)


@dataclass(frozen=True, slots=True, kw_only=True)
class RerunWork(Work):
    """A batch to be repeated from the RunSpec that its worker has saved."""

    batch: Execution
    trigger: str
    """Trigger whose run the batch is."""
    policy: RunPolicy
    """How that trigger's Jobs are run."""
    retry_failed_only: bool
    filters: Filter | None
    """Filters that select some of the batch's documents."""
    outputs: tuple[Named, ...] = ()
    """The collections that the batch wrote and that are written again, in their current state."""
    before: str | None = None
    """The last completed run of the batch's trigger."""

    def order(self, ask: Ask) -> Order:
        """Returns a RerunSpec. The batch's RunSpec is in the results of its trigger."""
        spec = RerunSpec(
            namespace=ask.namespace,
            trigger=ask.trigger,
            run=ask.job,
            slot=ask.slot,
            batch_id=self.batch.job_id,
            batch_trigger=self.trigger,
            batch_results=self._results(ask.defaults),
            filters=self.filters,
            outputs=output_inputs(self.outputs, ()) if self.outputs else None,
            outputs_before=self.before if self.outputs else None,
            results=ask.results,
            history_limit=ask.policy.history_limit,
        )
        return Order("rerun", RERUN_SPEC_VARIABLE, spec.model_dump_json(exclude_none=True))

    def writes(self) -> Writes:
        """See Work."""
        return writes_of(self.outputs)

    def why_needless(self, history: Iterable[Execution]) -> str | None:
        """See Work."""
        return _why_needless(self.batch, history, retry_failed_only=self.retry_failed_only)

    def reads(self, defaults: RunDefaults) -> Reads:
        """Returns what the batch's Pod mounted, and where its RunSpec is."""
        folder = self._folder
        claim = folder.claim(defaults) if folder else results_claim(self.policy, defaults)
        return Reads(
            distinct([*(self.batch.volumes or ()), claim]),
            distinct([*(self.batch.secrets or ()), self.policy.results.secret_name]),
        )

    @property
    def _folder(self) -> Earlier | None:
        """Returns the batch's folder; None if it failed: its RunSpec is then in the trigger's current results."""
        uri = self.batch.results_uri
        return Earlier(self.batch.job_id, uri, self.policy, claim_of(self.batch)) if uri else None

    def _results(self, defaults: RunDefaults) -> ResultsTarget:
        target, claim = results_target(self.policy, defaults), results_claim(self.policy, defaults)
        if folder := self._folder:
            previous = folder.seen(defaults)
            return (previous.results or target).model_copy(update={"uri": previous.uri.rsplit("/", 3)[0]})
        if claim is None:
            return target
        below = target.uri.removeprefix(RESULTS_MOUNT)
        return target.model_copy(update={"uri": f"{COLLECTIONS_MOUNT}/{claim}{below}"})


def _resolve(catalog: Catalog, namespace: str, spec: ClusterTriggerSpec) -> Work | Unresolved:
    wanted = spec.action
    if not isinstance(wanted, BatchRerun):
        raise TypeError(f"no spec of this action: {spec.action_type}")
    found = catalog.batches.find(namespace, wanted.batch_id)
    if found is None:
        return Unresolved(
            Reason.BATCH_NOT_FOUND,
            f"no run {wanted.batch_id!r} in status.history of {_looked_at(catalog.batches.names(namespace))}: it does "
            "not exist, or run.history_limit newer runs have ended: correct action_config.batch_id",
        )
    if found.action_type == _PROCESSING:
        return _processing_again(catalog, namespace, wanted, found)
    if found.policy is None:
        return Unresolved(
            Reason.INVALID_REFERENCE,
            f"batch {wanted.batch_id!r} is a run of ClusterTrigger {found.trigger!r}, which is invalid: correct it, "
            "because its run.results says where the batch's results are",
        )
    if why := why_out_of_reach(wanted.batch_id, found.run.results_uri or "", found.policy.results.uri):
        return Unresolved(Reason.INVALID_REFERENCE, f"action_config.batch_id: {why}")
    if found.run.volumes is None:
        return Unresolved(
            Reason.BATCH_NOT_FOUND,
            f"status.history of ClusterTrigger {found.trigger!r} does not say which volumes run {wanted.batch_id!r} "
            "mounted, because an earlier version of the operator recorded it: name a newer run in "
            "action_config.batch_id",
        )
    # With filters, the worker reports why it writes no outputs.
    written = found.run.outputs if found.run.outputs and wanted.filters is None else []
    outputs = resolve_outputs(catalog, namespace, written, ())
    if isinstance(outputs, Unresolved):
        return replace(outputs, message=f"batch {wanted.batch_id!r} wrote {', '.join(written)}: {outputs.message}")
    if (loop := why_loop(spec, announced(catalog, namespace, written))) is not None:
        return replace(loop, message=f"batch {wanted.batch_id!r} wrote {', '.join(written)}: {loop.message}")
    return RerunWork(
        annotations={
            ANNOTATION_ACTION: spec.action_type,
            ANNOTATION_RERUNS: wanted.batch_id,
            **outputs_annotation(outputs),
        },
        # A batch that wrote outputs announces them only if they are written again.
        announces=() if found.run.outputs and not written else tuple(found.run.announces or ()),
        outputs=outputs,
        before=found.last,
        batch=found.run,
        trigger=found.trigger,
        policy=found.policy,
        retry_failed_only=wanted.retry_failed_only,
        filters=wanted.filters,
    )


def _processing_again(
    catalog: Catalog, namespace: str, wanted: BatchRerun, found: Batch
) -> ProcessingAgain | Unresolved:
    """Returns the work of the batch's own action_config, with the current Collection and PodTemplate."""
    batch = f"batch {wanted.batch_id!r}"
    if found.run.action_config is None:
        return Unresolved(
            Reason.INVALID_REFERENCE,
            f"{batch} processed a collection, and status.history of ClusterTrigger {found.trigger!r} does not contain "
            f"its action_config, because it has more than {LONGEST_CONFIG:,} characters or an earlier version of the "
            "operator recorded it: request a run of that trigger instead",
        )
    try:
        original = CollectionTrigger.model_validate_json(found.run.action_config)
        filters = original.source_filters if wanted.filters is None else within(original.source_filters, wanted.filters)
    except ValidationError:
        return Unresolved(
            Reason.INVALID_REFERENCE,
            f"{batch}: its action_config in status.history of ClusterTrigger {found.trigger!r} is not valid in this "
            "version of the operator: request a run of that trigger instead",
        )
    except ValueError as error:
        return Unresolved(
            Reason.INVALID_REFERENCE, f"action_config.filters: together with the source_filters of {batch}, {error}"
        )
    work = processing(catalog, namespace, original.model_copy(update={"source_filters": filters}))
    if isinstance(work, Unresolved):
        return replace(work, message=f"{batch}: {work.message}")
    return ProcessingAgain(
        annotations={**work.annotations, ANNOTATION_RERUNS: wanted.batch_id},
        announces=work.announces,
        wanted=work.wanted,
        collection=work.collection,
        template=work.template,
        batch=found.run,
        retry_failed_only=wanted.retry_failed_only,
    )


def _looked_at(names: list[str]) -> str:
    if not names:
        return "any ClusterTrigger of this namespace"
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"the ClusterTriggers of this namespace ({', '.join(names[:_MOST_NAMED])}{more})"


def _remember(status: ClusterTriggerStatus, job: str, collections: str, found: RunResult) -> None:
    # A rerun has no baseline and no cluster IDs of its trigger: those belong to the trigger's clusterings.
    status.last_result = LastResult(
        job_id=job,
        num_noise=found.num_noise,
        clusters=found.clusters,
        changes=found.changes,
        enrichment=found.enrichment,
        next_cluster_id=status.last_result.next_cluster_id if status.last_result else None,
    )


ACTION = Action(_resolve, _remember)
