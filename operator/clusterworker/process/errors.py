"""Defines the errors of a run: each has a message of one line, and the exit code for Kubernetes."""

from clustercontract.container import ExitCode


class RunError(Exception):
    """A run fails with one readable line instead of a traceback."""

    exit_code = ExitCode.FAILED


class MisconfiguredError(RunError):
    """The configuration or the data must change; another attempt would fail in the same way."""

    exit_code = ExitCode.MISCONFIGURED


class UnavailableError(RunError):
    """An external system did not respond, or a resource was exhausted; another attempt may succeed."""
