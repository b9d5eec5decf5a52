"""The command line: ``python -m clusterworker run|enrich|rerun|check|executor [--spec FILE]``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clustercontract.check import CHECK_SPEC_VARIABLE, CheckResult, CheckSpec
from clustercontract.container import SCRATCH_MOUNT, SECRETS_MOUNT
from clustercontract.engine import EXECUTOR_COMMAND
from clusterworker.enrichment.command import ENRICH, ENRICHMENT
from clusterworker.process.command import Command, Mounts
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.outcome import check_failure
from clusterworker.run.checking import carry_out_check
from clusterworker.run.command import RUN
from clusterworker.run.rerun import CLUSTERING, rerun_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Executes a command and returns the process's exit code."""
    options = _parser().parse_args(arguments)
    if options.command == EXECUTOR_COMMAND:
        return _execute_tasks()
    mounts = Mounts(options.secrets, options.scratch)
    return COMMANDS[options.command].carry_out(options.spec, options.result, mounts)


def _execute_tasks() -> int:
    from clusterworker.spark.java import become_executor

    try:
        become_executor()
    except MisconfiguredError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _check_summary(result: CheckResult) -> str:
    found = result.measurement
    if found is None:
        return f"completed: nothing to measure: {result.error}"
    details = [f"{found.baseline_documents} → {found.current_documents} documents"]
    if found.assignment_js is not None:
        details = [f"floor {found.noise_floor:.2g}", *details, f"assignment_js {found.assignment_js:.2g}"]
    return f"completed: {found.metric} {found.value:.4g}, threshold {found.threshold:g} ({', '.join(details)})"


CHECK = Command(
    spec=CheckSpec,
    variable=CHECK_SPEC_VARIABLE,
    context=lambda spec: {"namespace": spec.namespace, "trigger": spec.trigger, "check": spec.check},
    work=carry_out_check,
    failure=check_failure,
    summary=_check_summary,
    clear_up=lambda _spec, _mounts: None,  # The next check replaces an incomplete record.
    memory="run.check.resources.limits.memory",
)
RERUN = rerun_command((CLUSTERING, ENRICHMENT))
COMMANDS: dict[str, Command[Any, Any]] = {"run": RUN, "enrich": ENRICH, "rerun": RERUN, "check": CHECK}
"""Commands by name: one for each action, and that of the check."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="clusterworker", description="Clusters collections of embeddings.")
    parser.add_argument(
        "command",
        choices=[*COMMANDS, EXECUTOR_COMMAND],
        help="run: cluster and write results; enrich: find the nodes of documents and write results; rerun: carry out "
        "an earlier run again; check: measure drift since a run; executor: carry out the tasks of a run with engine "
        "spark, as Spark starts it",
    )
    parser.add_argument(
        "--spec",
        type=Path,
        help="file with the spec; default: the environment variable of the command: "
        + ", ".join(command.variable for command in COMMANDS.values()),
    )
    parser.add_argument("--result", type=Path, help="file for the result; default: the container's termination log")
    parser.add_argument("--secrets", type=Path, default=Path(SECRETS_MOUNT), help="directory of mounted Secrets")
    parser.add_argument("--scratch", type=Path, default=Path(SCRATCH_MOUNT), help="directory for temporary files")
    return parser


if __name__ == "__main__":
    sys.exit(main())
