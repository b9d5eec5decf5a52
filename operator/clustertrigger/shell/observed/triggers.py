"""Stores the observed triggers. Every change enqueues a key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from clustertrigger.core.events.event_index import EventIndex
from clustertrigger.core.kube.staleness import Tombstones, is_newer
from clustertrigger.core.resources.batches import Batches
from clustertrigger.core.resources.permitted import NOTHING, Permitted
from clustertrigger.core.resources.trigger import Key, Owner, ParsedSpec, Trigger, read_trigger
from clustertrigger.shell.kube.api_server import Named
from clustertrigger.shell.kube.reading import Raw
from clustertrigger.shell.metrics.process import Metrics


class Triggers:
    """The triggers as last observed, by a watch or in the response to a write of the operator."""

    def __init__(
        self,
        changed: Callable[[Key], None],
        metrics: Metrics,
        permitted: Permitted = NOTHING,
        batches: Batches | None = None,
    ) -> None:
        self._changed = changed
        self._metrics = metrics
        self._permitted = permitted
        self._batches = batches or Batches()
        self._by_key: dict[Key, Trigger] = {}
        self._key_by_uid: dict[str, Key] = {}
        self._notable: dict[Key, Trigger] = {}
        self._doubted: set[str] = set()
        """Uids whose next version is accepted, whichever it is."""
        self.tombstones = Tombstones()
        self.event_index = EventIndex()

    def get(self, key: Key) -> Trigger | None:
        """Returns the trigger, if it exists."""
        return self._by_key.get(key)

    def key_of(self, owner: Owner) -> Key | None:
        """Returns the trigger of a uid; None if the uid belongs to another namespace."""
        key = self._key_by_uid.get(owner.uid)
        return key if key is not None and key.namespace == owner.namespace else None

    def all_keys(self, namespace: str | None = None) -> list[Key]:
        """Returns all keys, or those of a namespace."""
        return [key for key in self._by_key if namespace in (None, key.namespace)]

    def slots(self) -> dict[Key, datetime | None]:
        """Returns the next slot of each trigger according to its status; None if there is none."""
        return {key: found.status.next_scheduled_at for key, found in self._by_key.items()}

    def notable(self) -> list[Trigger]:
        """Triggers that have metrics of their own, so that a scrape does not need to iterate over all triggers."""
        return list(self._notable.values())

    def saw(self, raw: Raw) -> None:
        """Stores an observed trigger, unless a later version is known from the operator's own write."""
        if self.put(raw) is not None:
            self._changed(Key(raw["metadata"]["namespace"], raw["metadata"]["name"]))

    def announce(self, key: Key) -> None:
        """Reports that the trigger has changed."""
        self._changed(key)

    def put(self, raw: Raw) -> Trigger | None:
        """Stores the trigger, unless this or a later version is known, or it is known to be deleted."""
        metadata = raw["metadata"]
        uid = metadata["uid"]
        if self.tombstones.cover(uid, metadata["resourceVersion"]):
            return None
        key = Key(metadata["namespace"], metadata["name"])
        known = self._by_key.get(key)
        parsed: ParsedSpec | None = None
        if known is not None:
            newer = is_newer(metadata["resourceVersion"], known.resource_version)
            if not newer and known.uid not in self._doubted:
                # Of two successive triggers with the same name, the former can be reported last.
                if uid != known.uid:
                    self.tombstones.add(uid, known.resource_version)
                return None
            if uid != known.uid:
                self._key_by_uid.pop(known.uid, None)
                self.tombstones.add(known.uid, metadata["resourceVersion"])
            elif known.generation == metadata.get("generation") and known.uid not in self._doubted:
                parsed = (known.spec, known.problems)
            self._doubted.discard(known.uid)
        trigger = read_trigger(raw, parsed, self._permitted)
        self._by_key[key] = trigger
        if trigger.not_ready or trigger.status.last_measurement:
            self._notable[key] = trigger
        else:
            self._notable.pop(key, None)
        self.event_index.put(trigger)
        for concerned in self._batches.put(trigger):
            self._changed(concerned)
        self._key_by_uid[trigger.uid] = key
        self._metrics.triggers.set(len(self._by_key))
        return trigger

    def gone(self, namespace: str, name: str, uid: str, version: str | None = None) -> None:
        """Removes the trigger with this uid. Another one with its name can exist.

        Args:
            namespace: Namespace of the trigger.
            name: Name of the trigger.
            uid: Uid of the trigger.
            version: Resource version as of which it no longer existed; None if unknown.
        """
        key = Key(namespace, name)
        self.tombstones.add(uid, version)
        known = self._by_key.get(key)
        if known is None or known.uid != uid:
            return
        del self._by_key[key]
        self._notable.pop(key, None)
        self._doubted.discard(uid)
        self.event_index.remove(key)
        for concerned in self._batches.remove(key):
            self._changed(concerned)
        self._key_by_uid.pop(uid, None)
        self._metrics.triggers.set(len(self._by_key))
        self._changed(key)

    def known(self) -> Iterable[Named]:
        """Returns all triggers."""
        return [Named(*key, found.uid, found.resource_version) for key, found in self._by_key.items()]

    def doubt_versions(self) -> None:
        """Accepts the next version of each trigger, whichever it is, and triggers that were deleted."""
        self._doubted = {found.uid for found in self._by_key.values()}
        self.tombstones.clear()
