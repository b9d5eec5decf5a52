"""Build what is missing, keep what is not: the project's images as tar files in the cache."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from e2e.cluster.choose import KIND, chosen
from e2e.cluster.files import cache_directory, locked
from e2e.image.buildah import Buildah
from e2e.image.docker import Docker
from e2e.image.plan import TARGETS, Plan

KEPT_PER_TARGET = 2


@dataclass(frozen=True)
class Image:
    """One built image.

    Attributes:
        name: What a Pod's ``image`` says, for instance clustertrigger/worker:0123456789ab; the tag names the content.
        archive: The image as ``docker save`` writes it; ``python3 -m e2e.cluster load-image`` takes it.
    """

    name: str
    archive: Path

    @property
    def repository(self) -> str:
        """The name without its tag."""
        return self.name.rpartition(":")[0]

    @property
    def tag(self) -> str:
        """The tag alone."""
        return self.name.rpartition(":")[2]


@dataclass(frozen=True)
class Images:
    """Both images of one state of the checkout."""

    operator: Image
    worker: Image


class Builder(Protocol):
    """What Docker and buildah have in common."""

    def plan(self, target: str) -> Plan:
        """Say what has to be built for the target."""
        ...

    def build(self, plan: Plan, archive: Path) -> None:
        """Build the target and write it to ARCHIVE."""
        ...


def build_images() -> Images:
    """Build the operator's and the worker's image; instant when nothing they are made of changed."""
    return Images(**{target: build_image(target) for target in TARGETS})


def build_image(target: str) -> Image:
    """Build one image, unless the cache has it.

    Args:
        target: operator or worker.

    Raises:
        ClusterError: neither Docker nor buildah can be used here, or the build failed; the message says what to do.
    """
    builder: Builder = Docker() if chosen() == KIND else Buildah()
    directory = cache_directory() / "images"
    with locked(directory / "lock", "another build of images"):
        plan = builder.plan(target)
        archive = directory / f"{target}-{plan.tag}" / f"{target}.tar"
        if archive.exists():
            os.utime(archive.parent)
        else:
            with tempfile.TemporaryDirectory(prefix="build-", dir=directory) as scratch:
                draft = Path(scratch) / archive.name
                builder.build(plan, draft)
                archive.parent.mkdir(exist_ok=True)
                draft.replace(archive)
            remove_old(directory, target)
    return Image(plan.name, archive)


def remove_old(directory: Path, target: str) -> None:
    """Remove all but the latest used archives of a target."""
    used = sorted(directory.glob(f"{target}-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in used[KEPT_PER_TARGET:]:
        shutil.rmtree(path)
