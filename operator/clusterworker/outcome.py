"""Hands the RunResult to the operator, through the container's termination message."""

from pathlib import Path

from clustertrigger.api.run import RunResult

TERMINATION_LOG = Path("/dev/termination-log")


def failure(error: str) -> RunResult:
    """Return the result of a run that failed, its error folded into one line."""
    return RunResult(status="failed", error=" ".join(error.split()))


def deliver(result: RunResult, file: Path | None) -> None:
    """Write the result where the kubelet reads it.

    Args:
        result: how the run ended.
        file: where to write; None: the termination log if there is one, which outside a Pod there is not.
    """
    target = file or TERMINATION_LOG
    if file is not None or target.exists():
        target.write_text(result.to_message())
