"""Creates objects that exist only while the command needs them, such as the Pod that reads a run's results."""

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
    """Creates an object, yields its name, and deletes it at the end.

    If the user may not delete it, it must end by itself.

    Args:
        cluster: The cluster.
        collection: Returns the path of such objects in a namespace.
        member: Returns the path of one object, by namespace and name.
        manifest: The object.
        deletion: Options of its deletion.
    """
    created = await cluster.api.create(collection(cluster.namespace), manifest)
    name = str(created["metadata"]["name"])
    try:
        yield name
    finally:
        with contextlib.suppress(ApiError):
            await cluster.api.delete(member(cluster.namespace, name), **deletion)
