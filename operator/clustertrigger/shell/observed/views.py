"""Stores the observed Jobs and Pods, each kind apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Generic, TypeVar

from clustertrigger.core.jobs.job_view import JobView, read_job
from clustertrigger.core.jobs.pod_view import PodView, read_pod
from clustertrigger.core.kube.staleness import Tombstones, is_newer
from clustertrigger.core.resources.trigger import Owner
from clustertrigger.shell.kube.api_server import Named
from clustertrigger.shell.kube.reading import Raw

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
        self._tombstones = Tombstones()

    def of(self, owner: Owner) -> Mapping[str, View]:
        """Objects by name."""
        return self._views.get(owner) or {}

    def put(self, view: View) -> None:
        """Stores an object, unless this or a later version is known, or it is known to be deleted.

        The report of a deletion can overtake the answer to a request about the object.
        """
        if self._tombstones.cover(view.uid, view.resource_version):
            return
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

    def gone(self, namespace: str, name: str, uid: str, version: str) -> None:
        """Removes the object with this uid, which no longer existed as of a version.

        Another one with its name can exist.
        """
        self._tombstones.add(uid, version)
        known = self._find(namespace, name)
        if known is not None and known.uid == uid:
            self._drop(known)

    def drop(self, namespace: str, name: str) -> None:
        """Removes an object that a request has deleted or not found. While it has finalizers, it is reported again."""
        if (known := self._find(namespace, name)) is not None:
            self._drop(known)

    def known(self) -> Iterable[Named]:
        """Returns all objects."""
        return [
            Named(view.namespace, name, view.uid, view.resource_version)
            for views in self._views.values()
            for name, view in views.items()
        ]

    def doubt_versions(self) -> None:
        """Accepts the next version of each object, whichever it is, and objects that were deleted."""
        self._doubted = {known.uid for known in self.known()}
        self._tombstones.clear()

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

    def with_own_workload(self) -> list[JobView]:
        """Returns the Jobs whose Workload the operator creates."""
        return [job for jobs in self._views.values() for job in jobs.values() if job.has_own_workload]


class Pods(_Views[PodView]):
    """The Pods of these Jobs."""

    def saw(self, raw: Raw) -> None:
        """Stores an observed Pod with the operator's label."""
        self.put(read_pod(raw))
