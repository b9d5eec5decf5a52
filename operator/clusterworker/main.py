"""The command line: ``python -m clusterworker run [--spec FILE] [--result FILE]``."""

import argparse
import os
import signal
import traceback
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from clustertrigger.api.run import RUN_SPEC_VARIABLE, SCRATCH_MOUNT, SECRETS_MOUNT, ExitCode, RunResult, RunSpec
from clusterworker.cgroup import ControlGroup
from clusterworker.errors import MisconfiguredError, RunError
from clusterworker.job import Mounts, run
from clusterworker.outcome import deliver, failure
from clusterworker.progress import Progress
from clusterworker.results.target import open_target
from clusterworker.supervisor import Ended, supervise
from clusterworker.threads import limit


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command and return the process's exit code."""
    options = _parser().parse_args(arguments)
    if options.command == "check":
        return _end(
            MisconfiguredError("check: drift checks are not supported by this version: use run"),
            Progress(),
            options.result,
        )
    try:
        spec = read_spec(options.spec)
    except MisconfiguredError as error:
        return _end(error, Progress(), options.result)
    context = {"namespace": spec.namespace, "trigger": spec.trigger, "run": spec.run}
    progress = Progress(context=context)
    mounts = Mounts(options.secrets, options.scratch)
    group = ControlGroup()
    limit(group.cpus())
    kills = group.oom_kills()
    ended = supervise(lambda: attempt(spec, progress, mounts, options.result))
    if ended.killed_by is not None:
        _clear_up(spec, mounts)
        reason = _reason(ended, oom=group.oom_kills() > kills)
        progress.error(reason)
        deliver(failure(reason), options.result)
    return ended.code


def read_spec(file: Path | None) -> RunSpec:
    """Read the RunSpec from a file, or from the environment.

    Raises:
        MisconfiguredError: there is none, or it does not follow the contract.
    """
    origin = str(file or f"environment variable {RUN_SPEC_VARIABLE}")
    try:
        text = file.read_text() if file else os.environ[RUN_SPEC_VARIABLE]
    except KeyError:
        raise MisconfiguredError(f"no RunSpec: set {RUN_SPEC_VARIABLE}, or give --spec FILE") from None
    except OSError as error:
        raise MisconfiguredError(f"{origin}: cannot read the RunSpec: {error.strerror}") from error
    try:
        return RunSpec.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "document"
        raise MisconfiguredError(
            f"{origin}: not a valid RunSpec: {field}: {first['msg']}: "
            "the operator and the worker's image must be of one version"
        ) from error


def attempt(spec: RunSpec, progress: Progress, mounts: Mounts, result_file: Path | None) -> int:
    """Run once, deliver the result, and return the exit code."""
    try:
        result = run(spec, progress, mounts)
    except RunError as error:
        return _end(error, progress, result_file)
    except MemoryError:
        return _end(RunError("out of memory: raise run.resources.limits.memory"), progress, result_file)
    except Exception as error:  # whatever it is, the trigger's status must say so
        line = f"internal error: {type(error).__name__}: {error}"
        progress.error(line, traceback=traceback.format_exc())
        deliver(failure(line), result_file)
        return ExitCode.FAILED
    deliver(result, result_file)
    progress.info(_summary(result))
    return ExitCode.COMPLETED


def _end(error: RunError, progress: Progress, result_file: Path | None) -> int:
    result = failure(str(error))
    progress.error(str(result.error))
    deliver(result, result_file)
    return error.exit_code


def _summary(result: RunResult) -> str:
    return f"completed: {result.num_clusters} clusters of {result.num_documents} documents in {result.results_uri}"


def _reason(ended: Ended, *, oom: bool) -> str:
    """Say in one line why the child was ended by a signal."""
    if ended.requested:
        return "stopped: the Pod was asked to end (deletion or timeout), and no results were written"
    if oom or ended.killed_by == signal.SIGKILL:
        certainty = "" if oom else "killed by SIGKILL, most likely "
        return f"{certainty}out of memory: raise run.resources.limits.memory"
    name = ended.killed_by.name if ended.killed_by else ""
    return f"internal error: a library crashed with {name}"


def _clear_up(spec: RunSpec, mounts: Mounts) -> None:
    """Remove what the child could not."""
    try:
        open_target(spec, mounts.secrets).abandon()
    except (RunError, OSError):
        return  # the child has said why


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="clusterworker", description="Clusters collections of embeddings.")
    parser.add_argument("command", choices=["run", "check"], help="run: cluster and write results")
    parser.add_argument(
        "--spec", type=Path, help=f"file with the RunSpec; default: environment variable {RUN_SPEC_VARIABLE}"
    )
    parser.add_argument("--result", type=Path, help="file for the RunResult; default: the container's termination log")
    parser.add_argument("--secrets", type=Path, default=Path(SECRETS_MOUNT), help="directory of mounted Secrets")
    parser.add_argument("--scratch", type=Path, default=Path(SCRATCH_MOUNT), help="directory for temporary files")
    return parser
