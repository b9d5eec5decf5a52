"""Control planes for tests, the same on every machine."""

from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from harness.cluster.choose import KIND, chosen
from harness.cluster.debian import ControlPlane as DebianControlPlane
from harness.cluster.kind_control_plane import KindControlPlane


class ControlPlane(Protocol):
    """An API server with everything behind it, whose parts can fail on request."""

    directory: Path
    kubeconfig: Path

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    @property
    def server(self) -> str:
        """URL of the API server."""

    @property
    def etcd_url(self) -> str:
        """URL of etcd, where it can be reached."""

    def start(self) -> bool:
        """Start what does not run; returns False when there was nothing to do."""

    def stop(self) -> None:
        """Stop everything and remove the directory."""

    def kill_api_server(self) -> None:
        """Kill the API server; clients see a refused connection until start_api_server."""

    def start_api_server(self) -> None:
        """Start the API server under its old address and wait until it is ready."""

    def restart_api_server(self) -> None:
        """Kill the API server and start it again."""

    def stop_etcd(self) -> None:
        """Stop etcd; requests to the API server then fail or hang."""

    def start_etcd(self) -> None:
        """Start etcd again with its data."""

    def stop_controller_manager(self) -> None:
        """Stop the controllers: Jobs make no Pods, owners' dependents stay, nothing is collected."""

    def start_controller_manager(self, *, as_shipped: bool = False) -> None:
        """Start the controllers again.

        Args:
            as_shipped: With their default limit of 20 requests a second, where the control plane raises it.
        """


def control_plane(directory: Path | None = None) -> ControlPlane:
    """Return a control plane of the kind that fits this machine, not yet started.

    Args:
        directory: Where everything is written; default: a new one below the system's temporary directory.
    """
    return KindControlPlane(directory) if chosen() == KIND else DebianControlPlane(directory)
