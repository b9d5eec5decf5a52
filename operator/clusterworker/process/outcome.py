"""Passes the result to the operator, in the container's termination message."""

from pathlib import Path
from typing import Protocol

from clustercontract.check import CheckResult
from clustercontract.run import RunResult
from clusterworker.process.text import one_line

TERMINATION_LOG = Path("/dev/termination-log")


class Message(Protocol):
    """A RunResult or a CheckResult."""

    def to_message(self) -> str:
        """Returns JSON of at most RESULT_LIMIT bytes."""


def failure(error: str) -> RunResult:
    """Returns the result of a run that failed, with its error in one line."""
    return RunResult(status="failed", error=one_line(error))


def check_failure(error: str) -> CheckResult:
    """Returns the result of a check that failed, with its error in one line."""
    return CheckResult(status="failed", error=one_line(error))


def deliver(result: Message, file: Path | None) -> None:
    """Writes the result where the kubelet reads it.

    Args:
        result: Result of the run or check.
        file: The file to write; None for the termination log if it exists, which it does only in a Pod.
    """
    target = file or TERMINATION_LOG
    if file is not None or target.exists():
        target.write_text(result.to_message())
