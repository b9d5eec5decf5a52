"""Chooses the kind of cluster for this machine."""

import os
from dataclasses import dataclass

from harness.cluster.commands import find_program, run
from harness.cluster.errors import ClusterError

KIND, DEBIAN = "kind", "debian"
ANSWER_SECONDS = 20.0
_INSTEAD = "or set CLUSTER=debian for plain processes, as root on Debian 12"


@dataclass(frozen=True)
class Engine:
    """The response of a Docker engine to a request for its version.

    Attributes:
        answers: Whether an engine responds; an installed client alone does not count.
        forbidden: Whether it exists and this user may not access it.
    """

    answers: bool
    forbidden: bool = False


def choose(requested: str, engine: Engine) -> str:
    """Return kind or debian.

    Args:
        requested: The variable CLUSTER; if empty, kind if a Docker engine responds.
        engine: Its response.

    Raises:
        ClusterError: the wish cannot be fulfilled, or an engine is there and refuses this user.
    """
    if requested not in ("", KIND, DEBIAN):
        raise ClusterError(f"CLUSTER is '{requested}', which is neither kind nor debian: set one of them, or nothing")
    if engine.forbidden and requested != DEBIAN:
        raise ClusterError(
            "a Docker engine runs and refuses this user: add the user to the group docker "
            f"(sudo usermod -aG docker $USER, then log in again), {_INSTEAD}"
        )
    if requested == KIND and not engine.answers:
        raise ClusterError("CLUSTER=kind and no Docker engine answers `docker version`: start it, or unset CLUSTER")
    return requested or (KIND if engine.answers else DEBIAN)


def chosen() -> str:
    """Return the kind of cluster for this machine and environment."""
    requested = os.environ.get("CLUSTER", "").strip().lower()
    return choose(requested, Engine(answers=False) if requested == DEBIAN else docker_engine())


def docker_engine() -> Engine:
    """Asks the Docker engine."""
    if find_program("docker") is None:
        return Engine(answers=False)
    try:
        run(["docker", "version", "--format", "{{.Server.Version}}"], timeout=ANSWER_SECONDS)
    except ClusterError as error:
        return Engine(answers=False, forbidden="permission denied" in str(error).lower())
    return Engine(answers=True)


def docker_answers() -> bool:
    """Returns whether a Docker engine responds."""
    return docker_engine().answers


def require_kind_programs() -> None:
    """Raises an error without the programs that a kind cluster needs, before a long step begins.

    Raises:
        ClusterError: one is missing; says how to get it.
    """
    commands = {
        "kind": "install kind v0.33 or newer (https://kind.sigs.k8s.io)",
        "kubectl": "install kubectl (https://kubernetes.io/docs/tasks/tools)",
    }
    for program, command in commands.items():
        if find_program(program) is None:
            raise ClusterError(f"a Docker engine answers and {program} is missing: {command}, {_INSTEAD}")
