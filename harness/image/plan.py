"""Plans the build of a target from the Dockerfile and the checkout."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.image import dockerfile, fingerprint

TARGETS = ("operator", "worker")
"""Images that every installation needs."""
SPARK = "spark"
"""Additional images of an installation whose runs have engine spark."""
REPOSITORY = "clustertrigger"
_LIBRARIES = "-libraries"


@dataclass(frozen=True)
class Libraries:
    """An image of libraries, which changes only with the requirements.

    Attributes:
        name: Name of the image.
        stage: Stage of the Dockerfile, such as worker-libraries.
        dockerfile: Dockerfile that builds the image.
    """

    name: str
    stage: str
    dockerfile: str


@dataclass(frozen=True)
class Plan:
    """The names of images, and the Dockerfiles that build them.

    Attributes:
        target: operator, worker or spark.
        name: Name of the image with its tag, which is the fingerprint of its sources.
        libraries: Images of libraries. Each is built on the previous one, and the target on the last one.
        dockerfile: Dockerfile that builds the target on the last image of libraries.
    """

    target: str
    name: str
    libraries: tuple[Libraries, ...]
    dockerfile: str

    @property
    def tag(self) -> str:
        """The fingerprint in the image's name."""
        return self.name.rpartition(":")[2]

    @property
    def development_name(self) -> str:
        """An additional name for users, which refers to the build that was loaded last.

        The Pods of a cluster use the name with the fingerprint.
        """
        return f"{self.name.rpartition(':')[0]}:dev"


def make_plan(checkout: Path, target: str, base: str | None = None) -> Plan:
    """Return the plan for one target.

    Args:
        checkout: Root of the repository, which is the build context.
        target: operator, worker or spark.
        base: Image to build on. Default: the Dockerfile's pinned base.
    """
    text = (checkout / "Dockerfile").read_text()
    arguments = {"BASE": base} if base else {}
    names = [stage.name for stage in dockerfile.needed(dockerfile.parse(text, arguments), target)]
    libraries: list[Libraries] = []
    for name in (name for name in names if name.endswith(_LIBRARIES)):
        stages = dockerfile.needed(dockerfile.parse(text, arguments), name)
        recipe = dockerfile.only(stages)
        image = f"localhost/{REPOSITORY}/{name}:{_tag(checkout, recipe, stages)}"
        libraries.append(Libraries(image, name, recipe))
        arguments[f"{name.removesuffix(_LIBRARIES).upper()}_LIBRARIES"] = image
    stages = dockerfile.needed(dockerfile.parse(text, arguments), target)
    recipe = dockerfile.only(stages)
    return Plan(target, f"{REPOSITORY}/{target}:{_tag(checkout, recipe, stages)}", tuple(libraries), recipe)


def snapshot(checkout: Path, directory: Path) -> Path:
    """Copies the Dockerfile and all files that it copies into DIRECTORY, and returns DIRECTORY.

    Edits of the checkout do not change this build context.
    """
    paths = dockerfile.copied_paths(dockerfile.parse((checkout / "Dockerfile").read_text(), {}))
    for file in fingerprint.files(checkout, ["Dockerfile", ".dockerignore", *paths]):
        copy = directory / file.relative_to(checkout)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    return directory


def _tag(checkout: Path, text: str, stages: list[dockerfile.Stage]) -> str:
    return fingerprint.of_text(text, fingerprint.of_paths(checkout, dockerfile.copied_paths(stages)))
