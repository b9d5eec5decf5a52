"""Objects that a command makes for as long as it needs them, such as the Pod that reads a run's results."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from clustertrigger.cli.cluster import Cluster
from clustertrigger.core.kube.answers import ApiError


@asynccontextmanager
async def temporary(
    cluster: Cluster,
    collection: Callable[[str], str],
    member: Callable[[str, str], str],
    manifest: Mapping[str, Any],
    **deletion: Any,
) -> AsyncIterator[str]:
    """Create an object, yield its name, and delete it in the end; where that is not allowed, it has to end by itself.

    Args:
        cluster: where.
        collection: the path of such objects in a namespace.
        member: the path of one, by namespace and name.
        manifest: of the object.
        deletion: options of its deletion.
    """
    created = await cluster.api.create(collection(cluster.namespace), manifest)
    name = str(created["metadata"]["name"])
    try:
        yield name
    finally:
        with contextlib.suppress(ApiError):
            await cluster.api.delete(member(cluster.namespace, name), **deletion)
