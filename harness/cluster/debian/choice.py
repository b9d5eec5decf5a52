"""Chooses the version of Kubernetes for a cluster of plain processes."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from harness.cluster.errors import ClusterError
from harness.cluster.progress import say
from harness.cluster.versions import Version, parse_version


class Offer(Protocol):
    """A version of Kubernetes that this machine may be able to run."""

    @property
    def version(self) -> Version:
        """Version of Kubernetes."""

    @property
    def effort(self) -> str:
        """Estimated time of the build."""

    @property
    def needed_bytes(self) -> int:
        """Disk space that the build takes."""

    def refusal(self) -> str | None:
        """Returns why it is not available on this machine; None if it is."""

    def ingredients(self) -> Iterator[bytes]:
        """Yields everything that the result depends on."""

    def build(self, work: Path, result: Path, log: Path) -> None:
        """Fills the folder RESULT; WORK is a scratch directory, and LOG receives the output of compilers."""


class Versioned(Protocol):
    """An object with a version."""

    @property
    def version(self) -> Version:
        """Version of Kubernetes."""


Choice = TypeVar("Choice", bound=Versioned)


def choose(requested: str, offers: Sequence[Choice], refusal: Callable[[Choice], str | None]) -> Choice:
    """Returns the offer for REQUESTED.

    Args:
        requested: The variable KUBERNETES: a version, or nothing for the first of OFFERS that is available.
        offers: The newest first.
        refusal: Returns why a version is not available, None if it is; called as rarely as possible.

    Raises:
        ClusterError: none is available; says what would be.
    """
    version = parse_version(requested, "KUBERNETES") if requested else None
    reasons: list[str] = []
    for offer in offers:
        if version is None or version.covers(offer.version):
            reason = refusal(offer)
            if reason is None:
                for line in reasons:
                    say(f"{line}; taking {offer.version}")
                return offer
            reasons.append(f"Kubernetes {offer.version} is not available: {reason}")
    if reasons:
        raise ClusterError("; ".join(reasons))
    versions = " and ".join(str(offer.version) for offer in offers)
    raise ClusterError(
        f"KUBERNETES is '{requested}', but the versions available as plain processes are {versions}: choose one "
        "of them, or put the released binaries of another version into a folder: KUBERNETES_BINARIES=DIR"
    )
