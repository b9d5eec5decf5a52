"""Keeps triggers and ClusterDefinitions in memory, from two watches with the API's own token.

Permissions are not checked here: `Triggers` uses the cache only for callers that the API server allows to list the
namespace. Without permission to watch, the cache is empty, and the API server answers every request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from clustertrigger.core.kube import paths
from clustertrigger.net.endless import start_endless
from clustertrigger.rest.api_server import ApiServer
from clustertrigger.rest.definitions import Definitions
from clustertrigger.rest.following import Follower
from clustertrigger.rest.index import Entry, TriggerIndex
from clustertrigger.rest.stores import DefinitionStore, Subscription, TriggerStore


class Cache:
    """A cache of triggers and ClusterDefinitions.

    Args:
        server: The API server.
        namespaces: The watched namespaces; empty for all.
    """

    def __init__(self, server: ApiServer, namespaces: Sequence[str] = ()) -> None:
        self._triggers = TriggerStore()
        self._definitions = DefinitionStore()
        watched = namespaces or (None,)
        self._of_triggers = {
            namespace: Follower(server, paths.triggers(namespace), namespace, self._triggers) for namespace in watched
        }
        self._of_definitions = {
            namespace: Follower(server, paths.custom("clusterdefinitions", namespace), namespace, self._definitions)
            for namespace in watched
        }

    async def follow(self) -> None:
        """Watches in an endless loop."""
        followers = [*self._of_triggers.values(), *self._of_definitions.values()]
        async with asyncio.TaskGroup() as group:
            for follower in followers:
                start_endless(group, follower.follow)

    def triggers(self, namespace: str) -> TriggerIndex | None:
        """Returns the triggers of a namespace; None if they are unknown."""
        return self._triggers.of(namespace) if _is_current(self._of_triggers, namespace) else None

    def knows(self, namespace: str) -> bool:
        """Returns whether all triggers of a namespace (empty: of all) are known, and changes are reported."""
        return _is_current(self._of_triggers, namespace)

    def listed(self, namespace: str) -> list[Entry]:
        """Returns the triggers of a namespace (empty: of all), as far as they are known."""
        return list(self._triggers.of(namespace)) if namespace else self._triggers.everywhere()

    def edition(self, namespace: str) -> str:
        """Returns a text that changes when a trigger of the namespace (empty: any) is changed, created or deleted."""
        return str(self._triggers.changes[namespace])

    def definitions(self, namespace: str) -> Definitions | None:
        """Returns the ClusterDefinitions of a namespace; None if they are unknown."""
        return self._definitions.of(namespace) if _is_current(self._of_definitions, namespace) else None

    def name_of(self, namespace: str, trigger_id: str) -> str | None:
        """Returns the name of the trigger with this trigger_id, if it is known. The two belong together permanently."""
        return self._triggers.of(namespace).name_of(trigger_id)

    def saw(self, entry: Entry) -> None:
        """Stores an object that the API server returned, so that a caller who changed a trigger sees the change."""
        follower = self._of_triggers.get(None) or self._of_triggers.get(entry.namespace)
        if follower is not None and not follower.is_refused:
            self._triggers.put(entry)

    def lost(self, namespace: str, name: str, uid: str) -> None:
        """Removes an object that this process deleted."""
        self._triggers.remove(namespace, name, uid, None)

    @contextmanager
    def listening(self, namespace: str) -> Iterator[Subscription]:
        """Collects the changed triggers of a namespace (empty: of all) while the context lasts.

        Created and deleted triggers are included.
        """
        subscription = Subscription()
        listeners = self._triggers.listeners[namespace]
        listeners.append(subscription)
        try:
            yield subscription
        finally:
            listeners.remove(subscription)
            if not listeners:
                self._triggers.listeners.pop(namespace, None)


def _is_current(followers: dict[str | None, Follower], namespace: str) -> bool:
    follower = followers.get(None) or followers.get(namespace)
    return follower is not None and follower.is_current
