"""Finds the triggers that count an event without searching all triggers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set as AbstractSet

from clustertrigger.core.events.event_counting import counted_by
from clustertrigger.core.resources.trigger import Key, Trigger

_Place = tuple[str, str, str]


class EventIndex:
    """The triggers that count events, by namespace, event type and collection."""

    def __init__(self) -> None:
        self._keys: dict[_Place, set[Key]] = defaultdict(set)
        self._places: dict[Key, _Place] = {}
        self._collections: dict[tuple[str, str], frozenset[str]] = {}

    def put(self, trigger: Trigger) -> None:
        """Adds a trigger, or updates it."""
        schedule = counted_by(trigger)
        place = (trigger.key.namespace, schedule.event_type, schedule.collection_id) if schedule else None
        if place == self._places.get(trigger.key):
            return
        self.remove(trigger.key)
        if place is not None:
            self._places[trigger.key] = place
            self._keys[place].add(trigger.key)
            kind = place[:2]
            self._collections[kind] = self.awaited(*kind) | {place[2]}

    def remove(self, key: Key) -> None:
        """Removes a trigger, if it exists."""
        place = self._places.pop(key, None)
        if place is None:
            return
        self._keys[place].discard(key)
        if not self._keys[place]:
            del self._keys[place]
            kind = place[:2]
            left = self._collections.pop(kind) - {place[2]}
            if left:
                self._collections[kind] = left

    def match(self, namespace: str, event_type: str, collection_id: str) -> AbstractSet[Key]:
        """Returns the triggers that count such an event."""
        return self._keys.get((namespace, event_type, collection_id), frozenset())

    def awaited(self, namespace: str, event_type: str) -> frozenset[str]:
        """Returns the collections whose events of a type are counted."""
        return self._collections.get((namespace, event_type), frozenset())
