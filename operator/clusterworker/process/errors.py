"""How a run can go wrong: each error carries one line for people, and the exit code for Kubernetes."""

from clustercontract.container import ExitCode


class RunError(Exception):
    """A run that ends with one readable line instead of a traceback."""

    exit_code = ExitCode.FAILED


class MisconfiguredError(RunError):
    """The configuration or the data must change; another attempt would end the same way."""

    exit_code = ExitCode.MISCONFIGURED


class UnavailableError(RunError):
    """Something outside did not answer, or a resource ran short; another attempt may succeed."""
