"""Keeps the triggers of one namespace: finds them by id or name, filters, sorts and pages them.

What a list needs is computed once for each version of an object, and so is its text in a response. With thousands of
triggers, a page then costs a slice of a sorted list.
"""

from __future__ import annotations

import time
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from clustertrigger.core.effective_state import active_runs
from clustertrigger.core.instants import instant_or_none
from clustertrigger.core.json_text import read_json, write_json
from clustertrigger.core.resources.trigger import spec_written_at
from clustertrigger.rest import views
from clustertrigger.rest.actions import ACTIONS, CLUSTER, cluster_id_of

Object = Mapping[str, Any]
Kept = TypeVar("Kept")
_MOST_ORDERS = 64
"""Maximum number of combinations of filters and order that are kept up to date; the least recently used ones are
dropped.
"""
_MOST_ANSWERS = 32
"""Maximum number of responses that are cached until something changes."""
_NEVER = float("inf")
_LAST = ""
"""Stands for a missing value."""


class Query(NamedTuple):
    """Filters and order; None for all triggers."""

    action: str | None = None
    trigger_type: str | None = None
    status: str | None = None
    cluster_id: str | None = None
    resource_id: str | None = None
    sort_by: str = "created_at"
    """Sort key: an attribute of Entry."""
    descending: bool = True


class Entry:
    """One version of a trigger.

    Args:
        raw: The object.

    Attributes:
        name: Name of the object.
        uid: Uid of the object.
        version: Its resourceVersion.
        inherits_from: cluster_id of the ClusterDefinition that defines what is clustered; None if the trigger does.
        ended_count: Number of runs that ended.
        others: Sort keys of the API, under their own names.
    """

    __slots__ = (
        "_kept", "_overdue_from", "_shown", "_text", "action_type", "cluster_id", "consecutive_failures", "created_at",
        "description", "display_name", "ended_count", "execution_count", "inherits_from", "last_triggered_at", "name",
        "namespace", "next_scheduled_at", "resource_ids", "status", "trigger_id", "trigger_type", "uid", "updated_at",
        "version",
    )  # fmt: skip

    def __init__(self, raw: Object) -> None:
        metadata, spec, state = raw["metadata"], raw["spec"], raw.get("status") or {}
        view = views.unified_trigger(raw, "", overdue=False)
        self.name: str = metadata["name"]
        self.namespace: str = metadata["namespace"]
        self.uid: str = metadata["uid"]
        self.version: str = metadata["resourceVersion"]
        self.trigger_id: str = view["trigger_id"]
        self.trigger_type: str = view["trigger_type"]
        self.action_type: str = view["action_type"]
        self.status: str = view["status"]
        self.description: str | None = view["description"]
        self.display_name: str = view["name"]
        self.created_at: str = view["created_at"]
        self.updated_at: str = view["updated_at"]
        self.last_triggered_at: str | None = view["last_triggered_at"]
        self.next_scheduled_at: str | None = view["next_scheduled_at"]
        self.execution_count: int = view["execution_count"]
        self.ended_count: int = view["execution_count"] + state.get("failure_count", 0)
        self.consecutive_failures: int = view["consecutive_failures"]
        self.cluster_id = cluster_id_of(spec) if self.action_type == CLUSTER else None
        self.inherits_from = None if "execution_config" in spec else self.cluster_id
        known = ACTIONS.get(self.action_type)
        self.resource_ids = frozenset(known.refers_to(spec)) if known else frozenset()
        self._overdue_from = _overdue_from(raw, view)
        self._text = write_json({**raw, "metadata": _without_field_sets(metadata)})
        self._shown: dict[str, tuple[object, bytes]] = {}
        self._kept: object = None

    @property
    def raw(self) -> dict[str, Any]:
        """Returns the object. Its metadata.managedFields only contain when the spec was written."""
        found: dict[str, Any] = read_json(self._text)
        return found

    def kept(self, make: Callable[[Object], Kept]) -> Kept:
        """Returns a value that is computed once from the object.

        Args:
            make: Computes it; always the same function.
        """
        if self._kept is None:
            self._kept = make(self.raw)
        return cast("Kept", self._kept)

    @property
    def is_overdue(self) -> bool:
        """Returns whether it should have fired by now."""
        return self._overdue_from is not None and self._overdue_from < time.time()

    @property
    def stays_until(self) -> float:
        """Returns when is_overdue becomes true without a change, in seconds since 1970; infinity for never."""
        start = self._overdue_from
        return _NEVER if start is None or start < time.time() else start

    def shown(self, kind: str, depends_on: object, view: Callable[[], Mapping[str, Any]]) -> bytes:
        """Return its text in responses of one kind; rebuilt if something that it depends on changed."""
        known = self._shown.get(kind)
        if known is None or known[0] != depends_on:
            known = depends_on, write_json(view())
            self._shown[kind] = known
        return known[1]

    def matches(self, query: Query) -> bool:
        """Returns whether it matches the filters."""
        return (
            query.action in (None, self.action_type)
            and query.trigger_type in (None, self.trigger_type)
            and query.status in (None, self.status)
            and query.cluster_id in (None, self.cluster_id)
            and (query.resource_id is None or query.resource_id in self.resource_ids)
        )


class TriggerIndex:
    """The triggers of one namespace.

    Args:
        entries: The initial triggers.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._by_name = {entry.name: entry for entry in entries}
        self._names = {entry.trigger_id: entry.name for entry in self._by_name.values()}
        self._orders: OrderedDict[Query, _Order] = OrderedDict()
        self._answers: OrderedDict[Hashable, tuple[float, bytes]] = OrderedDict()
        self._inheriting = sum(entry.inherits_from is not None for entry in self._by_name.values())

    @property
    def inherits(self) -> bool:
        """Whether any of the triggers inherits from a ClusterDefinition."""
        return self._inheriting > 0

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._by_name.values()))

    def __len__(self) -> int:
        return len(self._by_name)

    def get(self, name: str) -> Entry | None:
        """Returns the trigger with this name."""
        return self._by_name.get(name)

    def name_of(self, trigger_id: str) -> str | None:
        """Returns the name of the trigger with this trigger_id."""
        return self._names.get(trigger_id)

    def put(self, entry: Entry) -> None:
        """Adds a trigger or a new version of one."""
        self.remove(entry.name)
        self._answers.clear()
        self._inheriting += entry.inherits_from is not None
        self._by_name[entry.name] = entry
        self._names[entry.trigger_id] = entry.name
        for order in self._orders.values():
            order.add(entry)

    def remove(self, name: str) -> None:
        """Remove a trigger; a missing one is ignored."""
        known = self._by_name.pop(name, None)
        if known is None:
            return
        self._answers.clear()
        self._inheriting -= known.inherits_from is not None
        self._names.pop(known.trigger_id, None)
        for order in self._orders.values():
            order.remove(known)

    def page(self, query: Query, offset: int, limit: int) -> tuple[int, list[Entry]]:
        """Returns a page of the matching triggers.

        Returns:
            How many there are, and those on the page. What lacks the field that is sorted by comes last.
        """
        order = self._orders.get(query)
        if order is None:
            order = self._orders[query] = _Order(query, self._by_name.values())
            if len(self._orders) > _MOST_ORDERS:
                self._orders.popitem(last=False)
        self._orders.move_to_end(query)
        return len(order), order.page(offset, limit)

    def answer(
        self, query: Query, offset: int, limit: int, about: Hashable, make: Callable[[int, Sequence[Entry]], bytes]
    ) -> bytes:
        """Returns a page as a response. It is rendered again if a trigger has changed or has become overdue.

        Args:
            query: Filters and order.
            offset: Number of triggers to skip.
            limit: Maximum number of triggers to return.
            about: All other values that the response depends on.
            make: Creates the response from the total number and the triggers on the page.
        """
        key = query, offset, limit, about
        known = self._answers.get(key)
        if known is None or known[0] < time.time():
            total, entries = self.page(query, offset, limit)
            until = min((entry.stays_until for entry in entries), default=_NEVER)
            known = self._answers[key] = until, make(total, entries)
            if len(self._answers) > _MOST_ANSWERS:
                self._answers.popitem(last=False)
        self._answers.move_to_end(key)
        return known[1]


class _Order:
    """Returns the matching triggers, sorted."""

    def __init__(self, query: Query, entries: Iterable[Entry]) -> None:
        self._query = query
        self._sorted = sorted((entry for entry in entries if entry.matches(query)), key=self._key)

    def __len__(self) -> int:
        return len(self._sorted)

    def add(self, entry: Entry) -> None:
        if entry.matches(self._query):
            insort(self._sorted, entry, key=self._key)

    def remove(self, entry: Entry) -> None:
        at = bisect_left(self._sorted, self._key(entry), key=self._key)
        if at < len(self._sorted) and self._sorted[at] is entry:
            del self._sorted[at]

    def page(self, offset: int, limit: int) -> list[Entry]:
        if not self._query.descending:
            return self._sorted[offset : offset + limit]
        having = bisect_left(self._sorted, (True, _LAST, ""), key=self._key)
        places = range(offset, min(offset + limit, len(self._sorted)))
        return [self._sorted[having - 1 - at if at < having else at] for at in places]

    def _key(self, entry: Entry) -> tuple[bool, Any, str]:
        value = getattr(entry, self._query.sort_by)
        if value is None:
            return True, _LAST, entry.trigger_id
        # Removes fractions of a second, which would be sorted after Z.
        return False, value.removesuffix("Z") if isinstance(value, str) else value, entry.trigger_id


def _overdue_from(raw: Object, view: Object) -> float | None:
    """Returns when a trigger that does not fire becomes overdue, in seconds since 1970; None for never."""
    if view["status"] != "active":
        return None
    if (raw.get("status") or {}).get("is_overdue"):
        return 0.0
    due = instant_or_none(view["next_scheduled_at"] or "")
    return due.timestamp() + views.OVERDUE.total_seconds() if due and not active_runs(raw) else None


def _without_field_sets(metadata: Object) -> Object:
    """Removes most of managedFields, which is half of an object's text. Only one of its lines is needed."""
    fields = metadata.get("managedFields")
    if not fields:
        return metadata
    written = spec_written_at(fields)
    newest = [
        entry
        for entry in fields
        if "f:spec" in (entry.get("fieldsV1") or {}) and written and instant_or_none(entry.get("time") or "") == written
    ]
    return {**metadata, "managedFields": [{"time": one["time"], "fieldsV1": {"f:spec": {}}} for one in newest[:1]]}
