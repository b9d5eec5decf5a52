"""Reads the objects of a command: those of files, or triggers of the cluster with the objects that they refer to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from clustertrigger.api import API_VERSION
from clustertrigger.cli.cluster import Cluster, connected, read_trigger
from clustertrigger.cli.kube import paths
from clustertrigger.cli.manifests import SUFFIXES, Manifest, read
from clustertrigger.cli.scope import Scope
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.resources.catalog import REFERENTS


@dataclass(frozen=True)
class _Stored(Manifest):
    """An object of the cluster, in the same form as one of a file."""

    @property
    def place(self) -> str:
        return self.file


def filename_option(function: Any) -> Any:
    """Adds -f, as in kubectl."""
    return click.option(
        "-f",
        "--filename",
        multiple=True,
        metavar="FILE",
        type=click.Path(allow_dash=True),
        help="YAML or JSON file, a folder of them, or - for standard input. Repeatable.",
    )(function)


def chosen(scope: Scope, names: Sequence[str], filenames: Sequence[str]) -> list[Manifest]:
    """Returns the objects of files, or triggers of the cluster with the objects that they refer to.

    Raises:
        click.UsageError: both are given, or neither, or a file without -f.
    """
    if files := [name for name in names if name.endswith(SUFFIXES)]:
        raise click.UsageError(f"{files[0]!r} is a file: write -f {files[0]}, and -f before each other file")
    if bool(names) == bool(filenames):
        mistake = "NAME and -f cannot be used together" if names else "missing NAME or -f"
        raise click.UsageError(f"{mistake}: give names of triggers in the cluster, or files with -f")
    return read(filenames) if filenames else asyncio.run(_read_stored(scope, names))


async def _read_stored(scope: Scope, names: Sequence[str]) -> list[Manifest]:
    """Returns triggers of the cluster, and the objects of their namespace that triggers can refer to.

    Raises:
        CommandError: there is no trigger of one of these names, or the cluster cannot be asked.
    """
    found: list[Manifest] = []

    async def collect(cluster: Cluster) -> int:
        found.extend([_stored(await read_trigger(cluster, name), "ClusterTrigger") for name in dict.fromkeys(names)])
        for referent in REFERENTS:
            try:
                items = await cluster.api.list(paths.custom(referent.plural, cluster.namespace))
            except ApiError as error:
                if not error.is_not_found:  # A cluster with an older operator does not have all kinds.
                    raise
                items = []
            found.extend(_stored(item, referent.kind) for item in items)
        return 0

    await connected(scope, collect)
    return found


def _stored(raw: dict[str, Any], kind: str) -> _Stored:
    # The items of a list have neither apiVersion nor kind.
    return _Stored("cluster", 0, {"apiVersion": API_VERSION, "kind": kind, **raw})
