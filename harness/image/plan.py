"""What has to be built for a target, decided from the Dockerfile and the checkout alone."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.image import dockerfile, fingerprint

TARGETS = ("operator", "worker")
REPOSITORY = "clustertrigger"


@dataclass(frozen=True)
class Plan:
    """Names, and the Dockerfiles of both steps.

    Attributes:
        target: operator or worker.
        name: The image's name with its tag, which is the fingerprint of everything that goes into it.
        libraries: The name of the image of libraries: it changes with the requirements only.
        libraries_dockerfile: Builds the stage TARGET-libraries.
        dockerfile: Builds the target on the image of libraries.
    """

    target: str
    name: str
    libraries: str
    libraries_dockerfile: str
    dockerfile: str

    @property
    def tag(self) -> str:
        """The fingerprint in the image's name."""
        return self.name.rpartition(":")[2]

    @property
    def development_name(self) -> str:
        """A name for people, that means the build which was loaded last; a cluster's Pods use the other one."""
        return f"{self.name.rpartition(':')[0]}:dev"


def make_plan(checkout: Path, target: str, base: str | None = None) -> Plan:
    """Return the plan for one target.

    Args:
        checkout: The repository's root, which is the build's context.
        target: operator or worker.
        base: The image to build on; none means the Dockerfile's own, which is pinned.
    """
    text = (checkout / "Dockerfile").read_text()
    arguments = {"BASE": base} if base else {}
    stages = dockerfile.needed(dockerfile.parse(text, arguments), f"{target}-libraries")
    libraries_dockerfile = dockerfile.only(stages)
    libraries_tag = _tag(checkout, libraries_dockerfile, stages)
    libraries = f"localhost/{REPOSITORY}/{target}-libraries:{libraries_tag}"
    stages = dockerfile.needed(dockerfile.parse(text, {f"{target.upper()}_LIBRARIES": libraries}), target)
    last_dockerfile = dockerfile.only(stages)
    name = f"{REPOSITORY}/{target}:{_tag(checkout, last_dockerfile, stages)}"
    return Plan(target, name, libraries, libraries_dockerfile, last_dockerfile)


def snapshot(checkout: Path, directory: Path) -> Path:
    """Copy the Dockerfile and all that it copies into DIRECTORY and return that: a context that stands still."""
    paths = dockerfile.copied_paths(dockerfile.parse((checkout / "Dockerfile").read_text(), {}))
    for file in fingerprint.files(checkout, ["Dockerfile", ".dockerignore", *paths]):
        copy = directory / file.relative_to(checkout)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    return directory


def _tag(checkout: Path, text: str, stages: list[dockerfile.Stage]) -> str:
    return fingerprint.of_text(text, fingerprint.of_paths(checkout, dockerfile.copied_paths(stages)))
