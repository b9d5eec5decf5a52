"""Builds the project's images as tar files in the cache, unless the cache has them."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.cluster.choose import KIND, chosen
from harness.cluster.files import REPOSITORY, cache_directory, locked
from harness.image.buildah import Buildah
from harness.image.docker import Docker
from harness.image.plan import TARGETS, Plan, snapshot

KEPT_PER_TARGET = 2


@dataclass(frozen=True)
class Image:
    """One built image.

    Attributes:
        name: Name for a Pod's ``image``, such as clustertrigger/worker:0123456789ab; the tag identifies the content.
        archive: File in the format of ``docker save``, for ``python3 -m harness.cluster load-image``.
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
    """The two images that every installation needs, built from one state of the checkout."""

    operator: Image
    worker: Image


class Builder(Protocol):
    """Interface of the builders for Docker and buildah."""

    def plan(self, checkout: Path, target: str) -> Plan:
        """Return the plan for the target."""
        ...

    def build(self, plan: Plan, context: Path, archive: Path) -> None:
        """Build the target from the files in CONTEXT and write it to ARCHIVE."""
        ...


def build_images() -> Images:
    """Build the images of the operator and the worker, unless they are in the cache."""
    return Images(**{target: build_image(target) for target in TARGETS})


def build_image(target: str, checkout: Path = REPOSITORY) -> Image:
    """Build one image, unless the cache has it.

    Args:
        target: A stage of the Dockerfile: operator, worker or spark.
        checkout: Directory of the Dockerfile, which is the build context.

    Raises:
        ClusterError: neither Docker nor buildah is usable on this machine, or the build failed.
    """
    builder: Builder = Docker() if chosen() == KIND else Buildah()
    directory = cache_directory() / "images"
    with locked(directory / "lock", "another build of images"):
        image = _image(directory, builder.plan(checkout, target))
        if image.archive.exists():
            os.utime(image.archive.parent)
            return image
        with tempfile.TemporaryDirectory(prefix="build-", dir=directory) as scratch:
            # The build uses a copy with its own plan, so that its tag is right if files are edited meanwhile.
            context = snapshot(checkout, Path(scratch) / "context")
            plan = builder.plan(context, target)
            image = _image(directory, plan)
            draft = Path(scratch) / image.archive.name
            builder.build(plan, context, draft)
            image.archive.parent.mkdir(exist_ok=True)
            draft.replace(image.archive)
        remove_old(directory, target)
    return image


def _image(directory: Path, plan: Plan) -> Image:
    return Image(plan.name, directory / f"{plan.target}-{plan.tag}" / f"{plan.target}.tar")


def remove_old(directory: Path, target: str) -> None:
    """Remove the archives of a target, except the most recently used ones."""
    used = sorted(directory.glob(f"{target}-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in used[KEPT_PER_TARGET:]:
        shutil.rmtree(path)
