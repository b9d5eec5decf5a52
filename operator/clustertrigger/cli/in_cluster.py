"""Triggers of the cluster, with what they refer to, in the form in which files are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clustertrigger.api import API_VERSION
from clustertrigger.cli.cluster import Cluster, connected, read_trigger
from clustertrigger.cli.command import Scope
from clustertrigger.cli.kube import paths
from clustertrigger.cli.manifests import Manifest


@dataclass(frozen=True)
class Stored(Manifest):
    """An object of the cluster."""

    @property
    def place(self) -> str:
        """Where it was found, for messages."""
        return self.file


async def read_manifests(scope: Scope, names: Sequence[str]) -> list[Manifest]:
    """Return triggers, and the Collections and ClusterDefinitions of their namespace.

    Raises:
        CommandError: there is no trigger of one of these names, or the cluster cannot be asked.
    """
    found: list[Manifest] = []

    async def collect(cluster: Cluster) -> int:
        found.extend([_stored(await read_trigger(cluster, name), "ClusterTrigger") for name in dict.fromkeys(names)])
        for kind, path in (("ClusterDefinition", paths.definitions), ("Collection", paths.collections)):
            found.extend(_stored(item, kind) for item in await cluster.api.list(path(cluster.namespace)))
        return 0

    await connected(scope, collect)
    return found


def _stored(raw: dict[str, Any], kind: str) -> Stored:
    # The items of a list carry neither.
    return Stored("cluster", 0, {"apiVersion": API_VERSION, "kind": kind, **raw})
