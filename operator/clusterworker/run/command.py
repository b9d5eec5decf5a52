"""The command `run`, of action `cluster`, and what all commands share that write a run's folder."""

from collections.abc import Callable
from typing import TypeVar

from clustercontract.actions.batch_rerun import RerunSpec
from clustercontract.actions.taxonomy_enrichment import EnrichmentSpec
from clustercontract.counted import counted
from clustercontract.run import RUN_SPEC_VARIABLE, RunResult, RunSpec
from clusterworker.process.command import Command, Mounts
from clusterworker.process.errors import RunError
from clusterworker.process.outcome import failure
from clusterworker.process.progress import Progress
from clusterworker.run.job import run
from clusterworker.run.results.target import Destination, open_target

Ordered = TypeVar("Ordered", RunSpec, EnrichmentSpec, RerunSpec)


def summary(result: RunResult) -> str:
    """Returns the outcome of a run in one line."""
    documents = counted(result.num_documents or 0, "document")
    found = f"{counted(result.num_clusters or 0, 'cluster')} of {documents}"
    if result.enrichment:
        found = f"nodes for {result.enrichment.num_assigned:,} of {documents}"
    return f"completed: {found}, in {result.results_uri}"


def remove_partial_results(spec: Destination, mounts: Mounts) -> None:
    """Removes what a killed run has left unfinished."""
    try:
        open_target(spec, mounts.secrets).abandon()
    except (RunError, OSError):
        return  # The child has reported the reason.


def command_of_runs(
    spec: type[Ordered], variable: str, work: Callable[[Ordered, Progress, Mounts], RunResult]
) -> Command[Ordered, RunResult]:
    """Returns a command that writes a run's folder.

    Args:
        spec: Model of its input.
        variable: Environment variable that contains the input.
        work: Carries it out.
    """
    return Command(
        spec=spec,
        variable=variable,
        context=lambda spec: {"namespace": spec.namespace, "trigger": spec.trigger, "run": spec.run},
        work=work,
        failure=failure,
        summary=summary,
        clear_up=remove_partial_results,
        memory="run.resources.limits.memory",
    )


RUN = command_of_runs(RunSpec, RUN_SPEC_VARIABLE, run)
