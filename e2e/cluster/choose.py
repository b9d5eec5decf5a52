"""Which kind of cluster this machine gets."""

import os

from e2e.cluster.commands import succeeds
from e2e.cluster.errors import ClusterError

KIND, DEBIAN = "kind", "debian"


def choose(wish: str, *, docker_answers: bool) -> str:
    """Return kind or debian.

    Args:
        wish: The variable CLUSTER; empty: kind where a Docker engine answers.
        docker_answers: Whether one does.
    """
    if wish not in ("", KIND, DEBIAN):
        raise ClusterError(f"CLUSTER is '{wish}', which is neither kind nor debian: set one of them, or nothing")
    if wish == KIND and not docker_answers:
        raise ClusterError("CLUSTER=kind and no Docker engine answers `docker version`: start it, or unset CLUSTER")
    return wish or (KIND if docker_answers else DEBIAN)


def chosen() -> str:
    """Return the kind of cluster for this machine and environment."""
    wish = os.environ.get("CLUSTER", "").strip().lower()
    return choose(wish, docker_answers=wish != DEBIAN and docker_answers())


def docker_answers() -> bool:
    """Tell whether a Docker engine answers; an installed client alone does not count."""
    return succeeds(["docker", "version", "--format", "{{.Server.Version}}"], timeout=20)
