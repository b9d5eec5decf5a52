"""Lists the files below a directory, through symbolic links to directories.

Releases, snapshots and shared parts are often published as such links. The worker lists a mounted volume, and
`kubectl clustertrigger init` a directory of this machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import NoReturn

from clustercontract.partitions import partitions_of

_Partitions = frozenset[tuple[str, str | None]]


def files_below(top: str, root: str | None = None) -> Iterator[str]:
    """Yields the paths of all files below a directory, relative to it, with `/` between names.

    A link to a directory above itself is not followed. Below a link, further links that give a directory the same
    partitions are followed once: directories that link to each other have exponentially many names. A link that leads
    out of the root yields its own path with `/` at its end, so that the caller can report it.

    Args:
        top: The directory.
        root: Directory that links must not leave; None for no limit.

    Raises:
        OSError: A directory cannot be listed.
    """
    limit = None if root is None else os.path.realpath(root)
    passed: dict[str, frozenset[str]] = {}  # For folders below links: where these links lead.
    seen: set[tuple[str, _Partitions]] = set()
    for folder, directories, files in os.walk(top, onerror=_raise, followlinks=True):
        targets = passed.pop(folder, frozenset())
        followed: list[str] = []
        for name in sorted(directories):
            path = os.path.join(folder, name)  # noqa: PTH118 - There can be millions of files, also below.
            target = os.path.realpath(path) if os.path.islink(path) else None  # noqa: PTH114
            if target is not None and limit is not None and not _is_within(target, limit):
                yield f"{_relative(path, top)}/"
                continue
            if target is not None and (target in targets or _is_within(os.path.realpath(folder), target)):
                continue  # It is a circle.
            if target is not None and targets:
                content = target, _partitions(f"{_relative(path, top)}/")
                if content in seen:
                    continue
                seen.add(content)
            followed.append(name)
            if beyond := targets if target is None else targets | {target}:
                passed[path] = beyond
        directories[:] = followed
        for file in files:
            yield _relative(os.path.join(folder, file), top)  # noqa: PTH118


def without_aliases(files: Mapping[str, str]) -> list[str]:
    """Returns the names of files, sorted, without those that add nothing.

    Links such as `latest` give a file a second name, and its documents would be counted twice. Of the names with the
    same partitions, the file's own name is kept, or else the first one. A name is left out if another one has all of
    its partitions and more. Names with different partitions, such as `lang=en` and `lang=fr`, are different documents.

    Args:
        files: Real paths of the files by their names.
    """
    kept: dict[str, dict[_Partitions, str]] = {}
    for name, path in sorted(files.items()):
        names, partitions = kept.setdefault(path, {}), _partitions(name)
        if partitions not in names or path.endswith(f"/{name}"):
            names[partitions] = name
    return sorted(
        name
        for names in kept.values()
        for partitions, name in names.items()
        if not any(partitions < others for others in names)
    )


def _partitions(name: str) -> _Partitions:
    return frozenset(partitions_of(name).items())


def _is_within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip(os.sep) + os.sep)


def _relative(path: str, top: str) -> str:
    return os.path.relpath(path, top).replace(os.sep, "/")


def _raise(error: OSError) -> NoReturn:
    raise error
