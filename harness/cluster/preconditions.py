"""Checks what this machine lacks for a cluster before any long step begins.

Each problem is reported in a line with the remedy.
"""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.cluster.choose import DEBIAN, KIND, Engine, choose, docker_engine
from harness.cluster.commands import find_program, run
from harness.cluster.debian.build import built, chosen_offer
from harness.cluster.debian.packages import is_debian, name_of_system
from harness.cluster.errors import ClusterError
from harness.cluster.files import cache_directory
from harness.cluster.kind import chosen_image

GIB = 1024**3
IMAGES_BYTES = 6 * GIB
"""Disk space of the images of operator and worker, including layers, archives and the copies on the node."""
OLDEST_KIND = (0, 30)
"""Version of kind that starts the newest known node image (`harness.cluster.kind.IMAGES`)."""
_INSTEAD = "or set CLUSTER=debian for plain processes, as root on Debian 12"


@dataclass(frozen=True)
class Machine:
    """The properties of the machine that are checked.

    Attributes:
        system: Name for people: macOS, Ubuntu 24.04.1 LTS, ...
        debian: Whether it is Debian 12.
        root: Whether this process may do everything.
        client: Whether the program docker is installed.
        engine: What a Docker engine says.
        kind: Version of kind, for instance 0.33; None where it is not installed.
        kubectl: Whether kubectl is installed.
        free_bytes: Free space where the cache lies.
        cache: That folder.
    """

    system: str
    debian: bool
    root: bool
    client: bool
    engine: Engine
    kind: tuple[int, int] | None
    kubectl: bool
    free_bytes: int
    cache: Path

    @classmethod
    def this(cls, requested: str) -> "Machine":
        """Reads the properties of this machine; the engine is not asked if the wish excludes it."""
        cache = cache_directory()
        return cls(
            system=name_of_system(),
            debian=is_debian(),
            root=os.geteuid() == 0,
            client=find_program("docker") is not None,
            engine=Engine(answers=False) if requested == DEBIAN else docker_engine(),
            kind=_kind_version(),
            kubectl=find_program("kubectl") is not None,
            free_bytes=shutil.disk_usage(cache).free,
            cache=cache,
        )


def check() -> str:
    """Checks whether this machine can run a cluster, and returns its description.

    Raises:
        ClusterError: it cannot; a line for each thing that is missing, and what to do.
    """
    requested = os.environ.get("CLUSTER", "").strip().lower()
    machine = Machine.this(requested)
    provider = choose(requested, machine.engine)
    lines = list(missing_for_kind(machine) if provider == KIND else missing_for_processes(machine, requested))
    if lines:
        raise ClusterError("\ncluster: ".join(lines))
    if provider == KIND:
        return f"a kind cluster of {chosen_image().partition('@')[0]}"
    offer = chosen_offer()
    if built() is None:
        lines = [*_rights(machine, "the first start, which unpacks Debian's packages,")]
        lines += [*_space(machine, IMAGES_BYTES + offer.needed_bytes)]
        if lines:
            raise ClusterError("\ncluster: ".join(lines))
    return f"plain processes of Kubernetes {offer.version}"


def missing_for_kind(machine: Machine) -> Iterator[str]:
    """Yields what a kind cluster lacks."""
    if machine.kind is None:
        yield (
            "a Docker engine answers and kind is missing: install kind v0.33 or newer (https://kind.sigs.k8s.io), "
            f"{_INSTEAD}"
        )
    elif machine.kind < OLDEST_KIND:
        version, oldest = (".".join(map(str, found)) for found in (machine.kind, OLDEST_KIND))
        yield f"kind {version} is too old for the node's image: install v{oldest} or newer (https://kind.sigs.k8s.io)"
    if not machine.kubectl:
        yield (
            "a Docker engine answers and kubectl is missing: install kubectl (https://kubernetes.io/docs/tasks/tools), "
            f"{_INSTEAD}"
        )
    yield from _space(machine, IMAGES_BYTES)


def missing_for_processes(machine: Machine, requested: str) -> Iterator[str]:
    """Yields what a cluster of plain processes lacks.

    Args:
        machine: This one.
        requested: The variable CLUSTER; where it is empty, plain processes are what is left without Docker.
    """
    if not machine.debian:
        if requested == DEBIAN:
            yield f"CLUSTER=debian needs Debian 12 and this is {machine.system}: start Docker and use CLUSTER=kind"
        elif machine.client:
            yield f"no Docker engine answers `docker version`, and {machine.system} needs one for a cluster: start it"
        else:
            yield (
                f"{machine.system} needs Docker for a cluster: install an engine (https://docs.docker.com/get-docker), "
                "kind (https://kind.sigs.k8s.io) and kubectl"
            )
        return
    yield from _space(machine, IMAGES_BYTES)


def _rights(machine: Machine, what: str) -> Iterator[str]:
    if not machine.root:
        yield f"{what} needs root: run it with sudo, or start Docker and use CLUSTER=kind"


def _space(machine: Machine, needed: int) -> Iterator[str]:
    if machine.free_bytes < needed and not any((machine.cache / "images").glob("*/*.tar")):
        yield (
            f"{machine.cache} has {machine.free_bytes / GIB:.1f} GiB free and the first start needs "
            f"{needed / GIB:.0f}: free some, or set XDG_CACHE_HOME to another disk"
        )


def _kind_version() -> tuple[int, int] | None:
    """Versions that cannot be read count as new, because kind itself reports what it does not support."""
    if find_program("kind") is None:
        return None
    try:
        found = re.search(r"v?(\d+)\.(\d+)", run(["kind", "version"], timeout=5))
    except ClusterError:
        found = None
    return (int(found[1]), int(found[2])) if found else OLDEST_KIND
