"""Stores the observed objects: triggers, the objects that they refer to, and their runs.

Every change enqueues a key.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from clustertrigger.core.events.event_index import EventIndex
from clustertrigger.core.jobs.job_view import JobView, read_job
from clustertrigger.core.jobs.pod_view import PodView, read_pod
from clustertrigger.core.jobs.workload import ObservedRun, observe_run
from clustertrigger.core.kube.staleness import Graves, is_newer
from clustertrigger.core.resources.batches import Batches
from clustertrigger.core.resources.catalog import Catalog
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
        self.lately_gone = Graves()
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
        if uid in self.lately_gone:
            return None
        key = Key(metadata["namespace"], metadata["name"])
        known = self._by_key.get(key)
        parsed: ParsedSpec | None = None
        if known is not None:
            newer = is_newer(metadata["resourceVersion"], known.resource_version)
            if not newer and known.uid not in self._doubted:
                # Of two successive triggers with the same name, the former can be reported last.
                if uid != known.uid:
                    self.lately_gone.bury(uid)
                return None
            if uid != known.uid:
                self._key_by_uid.pop(known.uid, None)
                self.lately_gone.bury(known.uid)
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

    def gone(self, namespace: str, name: str, uid: str) -> None:
        """Removes the trigger with this uid. Another one with its name can exist."""
        key = Key(namespace, name)
        self.lately_gone.bury(uid)
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
        self.lately_gone.clear()


View = TypeVar("View", JobView, PodView)


class _Views(Generic[View]):
    """The Jobs or Pods as last observed.

    Args:
        changed: Called with the trigger whose Job or Pod changed.
    """

    def __init__(self, changed: Callable[[Owner], None]) -> None:
        self._changed = changed
        self._views: dict[Owner, dict[str, View]] = defaultdict(dict)
        self._owners: dict[tuple[str, str], Owner] = {}
        self._doubted: set[str] = set()

    def of(self, owner: Owner) -> Mapping[str, View]:
        """Objects by name."""
        return self._views.get(owner) or {}

    def put(self, view: View) -> None:
        """Stores an object, unless this or a later version is known."""
        before = self._find(view.namespace, view.name)
        if before is not None:
            if not is_newer(view.resource_version, before.resource_version) and before.uid not in self._doubted:
                return
            self._doubted.discard(before.uid)
            if before.owner != view.owner:
                self._drop(before)
                before = None
        self._views[view.owner][view.name] = view
        self._owners[view.namespace, view.name] = view.owner
        # Most changes of a Pod do not affect decisions.
        if before is None or replace(before, resource_version="") != replace(view, resource_version=""):
            self._changed(view.owner)

    def gone(self, namespace: str, name: str, uid: str | None = None) -> None:
        """Removes an object; with a uid, only if it is the one with this uid."""
        known = self._find(namespace, name)
        if known is not None and uid in (None, known.uid):
            self._drop(known)

    def known(self) -> Iterable[Named]:
        """Returns all objects."""
        return [
            Named(view.namespace, name, view.uid, view.resource_version)
            for views in self._views.values()
            for name, view in views.items()
        ]

    def doubt_versions(self) -> None:
        """Accepts the next version of each object, whichever it is."""
        self._doubted = {known.uid for known in self.known()}

    def _find(self, namespace: str, name: str) -> View | None:
        owner = self._owners.get((namespace, name))
        return None if owner is None else self._views[owner].get(name)

    def _drop(self, view: View) -> None:
        views = self._views[view.owner]
        del views[view.name], self._owners[view.namespace, view.name]
        if not views:
            del self._views[view.owner]
        self._doubted.discard(view.uid)
        self._changed(view.owner)


class Jobs(_Views[JobView]):
    """The Jobs of all triggers."""

    def saw(self, raw: Raw) -> None:
        """Stores an observed Job with the operator's label."""
        if (job := read_job(raw)) is not None:
            self.put(job)

    def waiting(self) -> list[JobView]:
        """Returns the Jobs that wait in a queue."""
        every = (job for jobs in self._views.values() for job in jobs.values())
        return [job for job in every if job.suspended and job.queue and job.outcome is None]


class Pods(_Views[PodView]):
    """The Pods of these Jobs."""

    def saw(self, raw: Raw) -> None:
        """Stores an observed Pod with the operator's label."""
        self.put(read_pod(raw))


class Queue(NamedTuple):
    """One of Kueue's LocalQueues."""

    namespace: str
    name: str


class Runs:
    """The Jobs and Pods of all triggers, and their positions in queues.

    Args:
        changed: Called with the trigger whose run changed.
    """

    def __init__(self, changed: Callable[[Owner], None]) -> None:
        self.jobs = Jobs(changed)
        self.pods = Pods(changed)
        self._changed = changed
        self._positions: dict[str, int] = {}
        """Positions by the Job's uid."""

    def queues(self) -> set[Queue]:
        """Returns the queues in which a Job waits."""
        return {Queue(job.namespace, job.queue) for job in self.jobs.waiting()}

    def place(self, positions: Mapping[str, int]) -> None:
        """Replaces all known positions by those of the Jobs that wait, by the Job's uid."""
        before, self._positions = self._positions, dict(positions)
        for job in self.jobs.waiting():
            if before.get(job.uid) != positions.get(job.uid):
                self._changed(job.owner)

    def of(self, owner: Owner) -> dict[str, ObservedRun]:
        """Returns the runs of a trigger by Job name."""
        jobs = self.jobs.of(owner)
        if not jobs:
            return {}
        pods: dict[str, list[PodView]] = defaultdict(list)
        for pod in self.pods.of(owner).values():
            pods[pod.job].append(pod)
        return {name: observe_run(job, pods.get(name, ()), self._positions.get(job.uid)) for name, job in jobs.items()}

    def has_job(self, owner: Owner, name: str) -> bool:
        """Returns whether the Job exists, as far as it was observed."""
        return name in self.jobs.of(owner)


class _Reference(NamedTuple):
    uid: str
    edition: object
    version: str


class References:
    """The objects of one kind that triggers refer to. A change affects every trigger of the namespace.

    Args:
        put: Adds an object to the catalog: namespace, name, spec.
        remove: Removes an object from the catalog: namespace, name.
        changed: Called with the namespace.
        part: Returns the part of an object that the catalog stores.
        edition: Returns the value of the metadata that changes whenever that part changes.
    """

    def __init__(
        self,
        put: Callable[[str, str, Mapping[str, Any]], None],
        remove: Callable[[str, str], None],
        changed: Callable[[str], None],
        part: Callable[[Raw], Mapping[str, Any]] = lambda raw: raw.get("spec") or {},
        edition: Callable[[Mapping[str, Any]], object] = lambda metadata: metadata.get("generation"),
    ) -> None:
        self._part = part
        self._edition = edition
        self._put = put
        self._remove = remove
        self._changed = changed
        self._seen: dict[tuple[str, str], _Reference] = {}
        self._doubted: set[str] = set()

    def saw(self, raw: Raw) -> None:
        """Stores an observed object."""
        metadata = raw["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        reference = _Reference(metadata["uid"], self._edition(metadata), metadata["resourceVersion"])
        before = self._seen.get((namespace, name))
        doubted = before is not None and before.uid in self._doubted
        if before is not None and not doubted and not is_newer(reference.version, before.version):
            return
        self._doubted.discard(reference.uid)
        self._seen[namespace, name] = reference
        if before is not None and not doubted and before[:2] == reference[:2]:
            return
        self._put(namespace, name, self._part(raw))
        self._changed(namespace)

    def gone(self, namespace: str, name: str, uid: str) -> None:
        """Removes the object with this uid. Another one with its name can exist."""
        reference = self._seen.get((namespace, name))
        if reference is None or reference.uid != uid:
            return
        del self._seen[namespace, name]
        self._doubted.discard(uid)
        self._remove(namespace, name)
        self._changed(namespace)

    def known(self) -> Iterable[Named]:
        """Returns all objects."""
        return [Named(*name, reference.uid, reference.version) for name, reference in self._seen.items()]

    def doubt_versions(self) -> None:
        """Accepts the next version of each object, whichever it is."""
        self._doubted = {reference.uid for reference in self._seen.values()}


@dataclass(frozen=True, slots=True)
class Known:
    """All observed objects.

    Attributes:
        complete: Set while no object is missing, or outdated by a restore. Nothing is decided without it.
    """

    triggers: Triggers
    runs: Runs
    catalog: Catalog
    complete: asyncio.Event
