"""The command `rerun`: an earlier run is carried out again, by the RunSpec that its worker has kept."""

from dataclasses import dataclass

from pydantic import ValidationError

from clustercontract.actions.batch_rerun import RERUN_SPEC_VARIABLE, RerunSpec
from clustercontract.container import CollectionInput, ResultsTarget
from clustercontract.filters import Filter, all_of, check_filters
from clustercontract.run import PreviousRun, RunResult, RunSpec
from clusterworker.process.command import Command, Mounts
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.outcome import failure
from clusterworker.process.progress import Progress
from clusterworker.run.command import remove_partial_results, summary
from clusterworker.run.job import run
from clusterworker.run.results.target import Target, open_target


@dataclass(frozen=True)
class _Batch:
    """Which run's folder is the batch's."""

    namespace: str
    trigger: str
    run: str
    results: ResultsTarget


def rerun(spec: RerunSpec, progress: Progress, mounts: Mounts) -> RunResult:
    """Do again what the batch's RunSpec says, into a folder of its own.

    Raises:
        RunError: the run failed, in one line.
    """
    batch = _Batch(spec.namespace, spec.batch_trigger, spec.batch_id, spec.batch_results)
    kept = _read(open_target(batch, mounts.secrets), spec.batch_id)
    progress.info(f"running batch {spec.batch_id} of trigger {spec.batch_trigger} again")
    own = {
        "trigger": spec.trigger,
        "run": spec.run,
        "slot": spec.slot,
        "collections": [_narrowed(collection, spec.filters) for collection in kept.collections],
        "results": spec.results,
        "history_limit": spec.history_limit,
        "previous": kept.previous and _moved(kept.previous, kept.results, spec.batch_results),
    }
    return run(kept.model_copy(update=own), progress, mounts)


def _read(target: Target, batch_id: str) -> RunSpec:
    content = target.kept_spec()
    if content is None:
        places = " nor ".join(target.spec_places)
        neither = "neither " if " nor " in places else "not "
        raise MisconfiguredError(
            f"batch {batch_id}: its RunSpec is {neither}{places}: its worker never began, or its results were moved or "
            "removed"
        )
    try:
        return RunSpec.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "document"
        raise MisconfiguredError(
            f"batch {batch_id}: what its worker has kept in {target.spec_places[0]} is no RunSpec of this version: "
            f"{field}: {first['msg']}"
        ) from error


def _narrowed(collection: CollectionInput, filters: Filter | None) -> CollectionInput:
    if filters is None:
        return collection
    source = collection.source
    both = filters if source.filters is None else all_of((source.filters, filters))
    try:
        check_filters(both)
    except ValueError as error:
        raise MisconfiguredError(
            f"action_config.filters: with those of the batch's collection {collection.collection_id!r}, {error}"
        ) from error
    return collection.model_copy(update={"source": source.model_copy(update={"filters": both})})


def _moved(previous: PreviousRun, then: ResultsTarget, now: ResultsTarget) -> PreviousRun:
    """The run before the batch, where the Pod of the rerun finds it, so that clusters get the ids that they had."""
    beginning = f"{then.uri.rstrip('/')}/"
    if not previous.uri.startswith(beginning):
        return previous  # the batch is a rerun itself
    uri = f"{now.uri.rstrip('/')}/{previous.uri.removeprefix(beginning)}"
    return previous.model_copy(update={"uri": uri, "results": now})


RERUN = Command(
    spec=RerunSpec,
    variable=RERUN_SPEC_VARIABLE,
    context=lambda spec: {"namespace": spec.namespace, "trigger": spec.trigger, "run": spec.run},
    work=rerun,
    failure=failure,
    summary=summary,
    clear_up=remove_partial_results,
    memory="run.resources.limits.memory",
)
