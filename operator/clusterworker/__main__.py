"""The command line: ``python -m clusterworker run|check [--spec FILE] [--result FILE]``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from clustercontract.check import CHECK_SPEC_VARIABLE, CheckResult, CheckSpec
from clustercontract.container import SCRATCH_MOUNT, SECRETS_MOUNT
from clustercontract.run import RUN_SPEC_VARIABLE, RunResult, RunSpec
from clusterworker.drift.check import check
from clusterworker.process.command import Command, Mounts
from clusterworker.process.errors import RunError
from clusterworker.process.outcome import check_failure, failure
from clusterworker.run.job import run
from clusterworker.run.results.target import open_target


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command and return the process's exit code."""
    options = _parser().parse_args(arguments)
    mounts = Mounts(options.secrets, options.scratch)
    if options.command == "run":
        return RUN.carry_out(options.spec, options.result, mounts)
    return CHECK.carry_out(options.spec, options.result, mounts)


def _run_summary(result: RunResult) -> str:
    return f"completed: {result.num_clusters} clusters of {result.num_documents} documents in {result.results_uri}"


def _check_summary(result: CheckResult) -> str:
    found = result.measurement
    if found is None:
        return f"completed: nothing to measure: {result.error}"
    return (
        f"completed: {found.metric} {found.value:.4g}, threshold {found.threshold:g} "
        f"(floor {found.noise_floor:.2g}, {found.baseline_documents} → {found.current_documents} documents, "
        f"assignment_js {found.assignment_js:.2g})"
    )


def _remove_partial_results(spec: RunSpec, mounts: Mounts) -> None:
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
    summary=_run_summary,
    clear_up=_remove_partial_results,
    memory="run.resources.limits.memory",
)
CHECK = Command(
    spec=CheckSpec,
    variable=CHECK_SPEC_VARIABLE,
    context=lambda spec: {"namespace": spec.namespace, "trigger": spec.trigger, "check": spec.check},
    work=check,
    failure=check_failure,
    summary=_check_summary,
    clear_up=lambda _spec, _mounts: None,  # the next check replaces a record half written
    memory="run.check.resources.limits.memory",
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="clusterworker", description="Clusters collections of embeddings.")
    parser.add_argument(
        "command", choices=["run", "check"], help="run: cluster and write results; check: measure drift since a run"
    )
    parser.add_argument(
        "--spec",
        type=Path,
        help=f"file with the RunSpec or CheckSpec; default: the environment variable {RUN_SPEC_VARIABLE} or "
        f"{CHECK_SPEC_VARIABLE}",
    )
    parser.add_argument("--result", type=Path, help="file for the result; default: the container's termination log")
    parser.add_argument("--secrets", type=Path, default=Path(SECRETS_MOUNT), help="directory of mounted Secrets")
    parser.add_argument("--scratch", type=Path, default=Path(SCRATCH_MOUNT), help="directory for temporary files")
    return parser


if __name__ == "__main__":
    sys.exit(main())
