"""The command `rerun`: repeats an earlier run from the RunSpec that its worker has saved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from clustercontract.actions.batch_rerun import RERUN_SPEC_VARIABLE, RerunSpec
from clustercontract.actions.taxonomy_enrichment import EnrichmentSpec, PreviousEnrichment
from clustercontract.container import CollectionInput, ResultsTarget
from clustercontract.filters import Filter
from clustercontract.output import OutputInput, is_same_place
from clustercontract.run import PreviousRun, RunResult, RunSpec
from clusterworker.process.command import Command, Mounts
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.progress import Progress
from clusterworker.run.command import command_of_runs
from clusterworker.run.job import run
from clusterworker.run.results.target import Target, open_target

Kept = TypeVar("Kept", bound=RunSpec | EnrichmentSpec)
Previous = TypeVar("Previous", PreviousRun, PreviousEnrichment)


@dataclass(frozen=True)
class _Batch:
    """Identifies the batch's folder."""

    namespace: str
    trigger: str
    run: str
    results: ResultsTarget


@dataclass(frozen=True)
class Repeatable(Generic[Kept]):
    """An action whose runs can be repeated.

    Attributes:
        spec: Model of the worker's input, which it saves.
        work: Carries it out.
        own: Returns the values for the rerun of the fields that only this action has.
    """

    spec: type[Kept]
    work: Callable[[Kept, Progress, Mounts], RunResult]
    own: Callable[[Kept, RerunSpec], dict[str, Any]]

    def repeat(self, kept: Kept, spec: RerunSpec, progress: Progress, mounts: Mounts) -> RunResult:
        """Repeats it, into a separate folder, and into the outputs of the batch."""
        outputs, why_not = _outputs(kept, spec)
        own = {
            "trigger": spec.trigger,
            "run": spec.run,
            "slot": spec.slot,
            "results": spec.results,
            "history_limit": spec.history_limit,
            "outputs": outputs,
            "outputs_run": kept.outputs_run or kept.run,
            "outputs_before": spec.outputs_before,
            "engine": None,  # The Pod of a rerun may make no executors.
            **self.own(kept, spec),
        }
        result = self.work(cast("Kept", kept.model_copy(update=own)), progress, mounts)
        return result.model_copy(update={"notes": [*why_not, *result.notes]})


def _outputs(kept: RunSpec | EnrichmentSpec, spec: RerunSpec) -> tuple[list[OutputInput], list[str]]:
    """Returns the batch's outputs with the current credentials; or a note if nothing is written.

    Raises:
        MisconfiguredError: a Collection has moved since.
    """
    if not kept.outputs:
        return [], []
    if spec.filters is not None:
        why = "action_config.filters select only some of the batch's documents, but the outputs contain all of them"
        return [], [f"no outputs were written: {why}"]
    if spec.outputs is None or len(spec.outputs) != len(kept.outputs):
        why = "its entry in the history does not name them, because an earlier version of the operator recorded it"
        return [], [f"the batch's outputs were not written again: {why}"]
    outputs = []
    for then, now in zip(kept.outputs, spec.outputs, strict=True):
        if not is_same_place(then, now):
            raise MisconfiguredError(
                f"batch {spec.batch_id} wrote its output {then.collection_id!r} to {then.source.uri}, but the "
                f"Collection now has {now.source.uri}: undo the change of the Collection, or request a run of "
                f"trigger {spec.batch_trigger} instead"
            )
        outputs.append(now.model_copy(update={"collection_id": then.collection_id, "reads": then.reads}))
    return outputs, []


def _own(kept: RunSpec, spec: RerunSpec) -> dict[str, Any]:
    if kept.sources and spec.filters is not None:
        raise MisconfiguredError(
            f"action_config.filters: batch {spec.batch_id} is a run with mode composite, which reads no documents: "
            "remove them"
        )
    return {
        "collections": [narrowed(collection, spec.filters) for collection in kept.collections],
        "previous": kept.previous and moved(kept.previous, kept.results, spec.batch_results),
    }


CLUSTERING = Repeatable(RunSpec, run, _own)


def rerun(
    spec: RerunSpec, progress: Progress, mounts: Mounts, actions: Sequence[Repeatable[Any]] = (CLUSTERING,)
) -> RunResult:
    """Repeats the work of the batch's worker, in a separate folder.

    Args:
        spec: The batch.
        progress: Receives the progress.
        mounts: Directories of Secrets and scratch space.
        actions: Actions that the batch can have. A damaged file is reported as a spec of the first one.

    Raises:
        RunError: the run failed, in one line.
    """
    batch = _Batch(spec.namespace, spec.batch_trigger, spec.batch_id, spec.batch_results)
    action, kept = _read(open_target(batch, mounts.secrets), spec.batch_id, actions)
    progress.info(f"running batch {spec.batch_id} of trigger {spec.batch_trigger} again")
    return action.repeat(kept, spec, progress, mounts)


def _read(target: Target, batch_id: str, actions: Sequence[Repeatable[Any]]) -> tuple[Repeatable[Any], Any]:
    content = target.kept_spec()
    if content is None:
        places = " nor ".join(target.spec_places)
        neither = "neither " if " nor " in places else "not "
        raise MisconfiguredError(
            f"batch {batch_id}: its RunSpec is {neither}{places}: its worker never started, or its results were moved "
            "or deleted: name another batch"
        )
    action = next((one for one in actions if _fits(one.spec, content)), actions[0])
    try:
        return action, action.spec.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "document"
        raise MisconfiguredError(
            f"batch {batch_id}: {target.spec_places[0]} is not a valid {action.spec.__name__} of this version: "
            f"{field}: {first['msg']}: name a batch that a worker of this version ran"
        ) from error


def _fits(model: type[BaseModel], content: bytes) -> bool:
    """Returns whether JSON has all the fields that a model requires; no other action's spec has them."""
    try:
        found = from_json(content)
    except ValueError:
        return False
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    return isinstance(found, dict) and required <= found.keys()


def narrowed(collection: CollectionInput, filters: Filter | None) -> CollectionInput:
    """Returns a collection of the batch with both its own filters and the rerun's.

    Raises:
        MisconfiguredError: together they are too deep or too long.
    """
    if filters is None:
        return collection
    try:
        source = collection.source.narrowed(filters)
    except ValueError as error:
        raise MisconfiguredError(
            "action_config.filters: together with those of the batch's collection "
            f"{collection.collection_id!r}, {error}"
        ) from error
    return collection.model_copy(update={"source": source})


def moved(previous: Previous, source: ResultsTarget, now: ResultsTarget) -> Previous:
    """Returns the run before the batch, where the rerun's Pod mounts it, so that clusters get the same ids."""
    beginning = f"{source.uri.rstrip('/')}/"
    if not previous.uri.startswith(beginning):
        return previous  # The batch is itself a rerun.
    uri = f"{now.uri.rstrip('/')}/{previous.uri.removeprefix(beginning)}"
    return previous.model_copy(update={"uri": uri, "results": now})


def rerun_command(actions: Sequence[Repeatable[Any]]) -> Command[RerunSpec, RunResult]:
    """Returns the command that repeats runs of these actions."""

    def work(spec: RerunSpec, progress: Progress, mounts: Mounts) -> RunResult:
        return rerun(spec, progress, mounts, actions)

    return command_of_runs(RerunSpec, RERUN_SPEC_VARIABLE, work)
