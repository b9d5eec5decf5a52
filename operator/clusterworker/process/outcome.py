"""Hands the result to the operator, through the container's termination message."""

from pathlib import Path
from typing import Protocol

from clustercontract.check import CheckResult
from clustercontract.run import RunResult
from clusterworker.process.text import one_line

TERMINATION_LOG = Path("/dev/termination-log")


class Message(Protocol):
    """A RunResult or a CheckResult."""

    def to_message(self) -> str:
        """JSON of at most RESULT_LIMIT bytes."""


def failure(error: str) -> RunResult:
    """Return the result of a run that failed, its error folded into one line."""
    return RunResult(status="failed", error=one_line(error))


def check_failure(error: str) -> CheckResult:
    """Return the result of a check that failed, its error folded into one line."""
    return CheckResult(status="failed", error=one_line(error))


def deliver(result: Message, file: Path | None) -> None:
    """Write the result where the kubelet reads it.

    Args:
        result: how the run or check ended.
        file: where to write; None: the termination log if there is one, which outside a Pod there is not.
    """
    target = file or TERMINATION_LOG
    if file is not None or target.exists():
        target.write_text(result.to_message())
