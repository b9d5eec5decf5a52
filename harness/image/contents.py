"""Reads the contents of an image's archive without a container engine."""

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Contents:
    """The contents of an archive of ``docker save``.

    Attributes:
        names: The image's names.
        config: The image's configuration (User, Entrypoint, Env, Labels), as in its JSON.
        files: All paths in all layers, without a leading slash.
        privileged: Paths of programs that run with their owner's or group's rights (setuid, setgid).
    """

    names: tuple[str, ...]
    config: dict[str, Any]
    files: frozenset[str]
    privileged: frozenset[str]

    def packages(self) -> set[str]:
        """Return the Python packages installed in the image's environment, by their import names."""
        marker = "/site-packages/"
        below = (path.partition(marker)[2] for path in self.files if path.startswith("opt/venv/") and marker in path)
        return {path.partition("/")[0] for path in below if path}


def read(archive: Path) -> Contents:
    """Read an archive with one image."""
    with tarfile.open(archive) as outer:
        (manifest,) = json.loads(_bytes(outer, "manifest.json"))
        config = json.loads(_bytes(outer, manifest["Config"]))["config"]
        members: dict[str, tarfile.TarInfo] = {}
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=outer.extractfile(layer)) as inner:
                members.update((member.name.removeprefix("./").removeprefix("/"), member) for member in inner)
    privileged = frozenset(path for path, member in members.items() if member.isfile() and member.mode & 0o6000)
    return Contents(tuple(manifest["RepoTags"]), config, frozenset(members), privileged)


def _bytes(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise ValueError(f"the archive's {name} is not a file: give an archive of docker save")
    return member.read()
