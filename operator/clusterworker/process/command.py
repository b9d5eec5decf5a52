"""Provides the shared parts of all commands.

They read a spec, run the work in a child process, write the result, and return the exit code.
"""

import gc
import os
import signal
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from clustercontract.container import SCRATCH_MOUNT, SECRETS_MOUNT, ExitCode
from clusterworker.process.cgroup import ControlGroup
from clusterworker.process.errors import MisconfiguredError, RunError
from clusterworker.process.outcome import Message, deliver
from clusterworker.process.progress import Progress
from clusterworker.process.supervisor import Ended, supervise
from clusterworker.process.text import one_line
from clusterworker.process.threads import limit

ALLOCATIONS_PER_COLLECTION = 50_000
"""Threshold of Python's garbage collector. The libraries create hundreds of thousands of objects while they load, and
few of them are ever freed. With Python's threshold of 700, searching them for cycles takes half a second of a short
run.
"""
_OF_VERSIONS = frozenset({"missing", "extra_forbidden", "literal_error", "union_tag_invalid", "union_tag_not_found"})
"""pydantic's errors for fields, and for values of a fixed set, that one version has and another does not."""
S = TypeVar("S", bound=BaseModel)
R = TypeVar("R", bound=Message)


@dataclass(frozen=True)
class Mounts:
    """Directories of the Pod."""

    secrets: Path = Path(SECRETS_MOUNT)
    scratch: Path = Path(SCRATCH_MOUNT)


@dataclass(frozen=True)
class Command(Generic[S, R]):
    """A command of the worker.

    Attributes:
        spec: Model of its input.
        variable: Environment variable that contains the input.
        context: Returns fields for every line of the log.
        work: Carries it out; raises RunError.
        failure: Returns the result for an error's line.
        summary: Returns the outcome in one line.
        clear_up: Removes what a killed child could not.
        memory: Field of the trigger that limits its memory.
    """

    spec: type[S]
    variable: str
    context: Callable[[S], Mapping[str, str]]
    work: Callable[[S, Progress, Mounts], R]
    failure: Callable[[str], R]
    summary: Callable[[R], str]
    clear_up: Callable[[S, Mounts], None]
    memory: str

    def carry_out(self, spec_file: Path | None, result_file: Path | None, mounts: Mounts) -> int:
        """Reads the spec, does the work in a child process, writes the result, and returns the exit code.

        Args:
            spec_file: File with the spec; None for the environment variable.
            result_file: File for the result; None for the container's termination log.
            mounts: Directories of the Pod.
        """
        try:
            spec = self.read_spec(spec_file)
        except MisconfiguredError as error:
            return self._fail(error, Progress(), result_file)
        progress = Progress(context=self.context(spec))
        group = ControlGroup()
        limit(group.cpus())
        kills = group.oom_kills()
        gc.set_threshold(ALLOCATIONS_PER_COLLECTION)
        ended = supervise(lambda: self._attempt(spec, progress, mounts, result_file))
        if ended.killed_by is not None:
            self.clear_up(spec, mounts)
            reason = self._reason(ended, oom=group.oom_kills() > kills)
            progress.error(reason)
            deliver(self.failure(reason), result_file)
        return ended.code

    def read_spec(self, file: Path | None) -> S:
        """Reads the spec from a file, or from the environment.

        Raises:
            MisconfiguredError: It does not exist, or does not follow the contract.
        """
        name = self.spec.__name__
        origin = str(file or f"environment variable {self.variable}")
        try:
            # pydantic decodes the bytes, so that a file of another encoding is an invalid spec.
            text = file.read_bytes() if file else os.fsencode(os.environ[self.variable])
        except KeyError:
            raise MisconfiguredError(f"no {name}: set {self.variable}, or give --spec FILE") from None
        except OSError as error:
            raise MisconfiguredError(f"{origin}: cannot read the {name}: {error.strerror}") from error
        try:
            return self.spec.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "document"
            problem = f"{origin}: not a valid {name}: {field}: {first['msg'].removeprefix('Value error, ')}"
            if first["type"] in _OF_VERSIONS:
                problem += ": the operator and the worker's image must have the same version"
            raise MisconfiguredError(problem) from error

    def _attempt(self, spec: S, progress: Progress, mounts: Mounts, result_file: Path | None) -> int:
        try:
            result = self.work(spec, progress, mounts)
        except RunError as error:
            return self._fail(error, progress, result_file)
        except MemoryError:
            return self._fail(RunError(f"out of memory: raise {self.memory}"), progress, result_file)
        except Exception as error:  # Any error must appear in the trigger's status.
            line = f"internal error: {type(error).__name__}: {error}"
            progress.error(line, traceback=traceback.format_exc())
            deliver(self.failure(line), result_file)
            return ExitCode.FAILED
        deliver(result, result_file)
        progress.info(self.summary(result))
        return ExitCode.COMPLETED

    def _fail(self, error: RunError, progress: Progress, result_file: Path | None) -> int:
        progress.error(one_line(error))
        deliver(self.failure(str(error)), result_file)
        return error.exit_code

    def _reason(self, ended: Ended, *, oom: bool) -> str:
        """Returns in one line why a signal ended the child."""
        if ended.requested:
            return "stopped: the Pod was terminated (deletion or timeout) before results were written"
        if oom or ended.killed_by == signal.SIGKILL:
            certainty = "" if oom else "killed by SIGKILL, most likely "
            return f"{certainty}out of memory: raise {self.memory}"
        name = ended.killed_by.name if ended.killed_by else ""
        return f"internal error: a library crashed with {name}"
