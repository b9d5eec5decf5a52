"""The command `run`, of action `cluster`: clusters collections and writes the run's folder."""

from clustercontract.run import RUN_SPEC_VARIABLE, RunResult, RunSpec
from clusterworker.process.command import Command, Mounts
from clusterworker.process.errors import RunError
from clusterworker.process.outcome import failure
from clusterworker.run.job import run
from clusterworker.run.results.target import Destination, open_target


def summary(result: RunResult) -> str:
    """Say in one line how a run went."""
    found = f"{result.num_clusters} clusters of {result.num_documents} documents"
    if result.enrichment:
        found = f"{result.enrichment.num_assigned} of {result.num_documents} documents have a node"
    return f"completed: {found}, in {result.results_uri}"


def remove_partial_results(spec: Destination, mounts: Mounts) -> None:
    """Remove what a killed run left half done."""
    try:
        open_target(spec, mounts.secrets).abandon()
    except (RunError, OSError):
        return  # the child has said why


RUN = Command(
    spec=RunSpec,
    variable=RUN_SPEC_VARIABLE,
    context=lambda spec: {"namespace": spec.namespace, "trigger": spec.trigger, "run": spec.run},
    work=run,
    failure=failure,
    summary=summary,
    clear_up=remove_partial_results,
    memory="run.resources.limits.memory",
)
