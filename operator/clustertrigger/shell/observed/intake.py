"""What the watches have shown: triggers, what they refer to, and their runs. Every change enqueues a key."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from clustertrigger.core.events.event_index import EventIndex
from clustertrigger.core.jobs.job_view import JobView
from clustertrigger.core.jobs.pod_view import PodView
from clustertrigger.core.jobs.workload import ObservedRun, observe_run
from clustertrigger.core.resources.catalog import Catalog
from clustertrigger.core.resources.trigger import Key, Owner, ParsedSpec, Trigger, read_trigger
from clustertrigger.shell.metrics import Metrics

_LATELY = 4_096
"""Deletions of the last seconds, even where hundreds happen in each."""


class Triggers:
    """The triggers as last seen, whether by a watch or in the answer to a write of our own."""

    def __init__(
        self, changed: Callable[[Key], None], metrics: Metrics, priority_classes: Collection[str] = ()
    ) -> None:
        self._changed = changed
        self._metrics = metrics
        self._priority_classes = priority_classes
        self._by_key: dict[Key, Trigger] = {}
        self._key_by_uid: dict[str, Key] = {}
        self._notable: dict[Key, Trigger] = {}
        self.lately_gone: OrderedDict[str, None] = OrderedDict()
        """The uids of triggers that are gone: the answer to a write, or a list, may show one later than the watch
        tells of its end."""
        self.event_index = EventIndex()

    def get(self, key: Key) -> Trigger | None:
        """The trigger, if it is there."""
        return self._by_key.get(key)

    def key_of(self, owner: Owner) -> Key | None:
        """Which trigger that is; None where the uid is one of another namespace."""
        key = self._key_by_uid.get(owner.uid)
        return key if key is not None and key.namespace == owner.namespace else None

    def all_keys(self, namespace: str | None = None) -> list[Key]:
        """All keys, or those of a namespace."""
        return [key for key in self._by_key if namespace in (None, key.namespace)]

    def notable(self) -> list[Trigger]:
        """Those that metrics speak of one by one: a scrape must not cost the time to look at all."""
        return list(self._notable.values())

    def saw(self, raw: Mapping[str, Any]) -> None:
        """A watch shows the trigger; one that it showed late, after our own write, is passed over."""
        if self.put(raw) is not None:
            self._changed(Key(raw["metadata"]["namespace"], raw["metadata"]["name"]))

    def put(self, raw: Mapping[str, Any]) -> Trigger | None:
        """Keeps the trigger, unless it is known in this or a later version, or to be gone."""
        metadata = raw["metadata"]
        if metadata["uid"] in self.lately_gone:
            return None
        key = Key(metadata["namespace"], metadata["name"])
        known = self._by_key.get(key)
        parsed: ParsedSpec | None = None
        if known is not None and known.uid != metadata["uid"]:
            self._key_by_uid.pop(known.uid, None)
            self._bury(known.uid)
        elif known is not None:
            if not is_newer(metadata["resourceVersion"], known.resource_version):
                return None
            if known.generation == metadata.get("generation"):
                parsed = (known.spec, known.problems)
        trigger = read_trigger(raw, parsed, self._priority_classes)
        self._by_key[key] = trigger
        if trigger.not_ready or trigger.status.last_drift_measurement:
            self._notable[key] = trigger
        else:
            self._notable.pop(key, None)
        self.event_index.put(trigger)
        self._key_by_uid[trigger.uid] = key
        self._metrics.triggers.set(len(self._by_key))
        return trigger

    def gone(self, key: Key, uid: str | None = None) -> None:
        """The trigger is deleted; with a uid, only if it is that one."""
        known = self._by_key.get(key)
        if uid is not None:
            self._bury(uid)
        if known is None or (uid is not None and known.uid != uid):
            return
        self._bury(known.uid)
        del self._by_key[key]
        self._notable.pop(key, None)
        self.event_index.remove(key)
        self._key_by_uid.pop(known.uid, None)
        self._metrics.triggers.set(len(self._by_key))
        self._changed(key)

    def _bury(self, uid: str) -> None:
        self.lately_gone[uid] = None
        if len(self.lately_gone) > _LATELY:
            self.lately_gone.popitem(last=False)


class Runs:
    """The Jobs and Pods of all triggers."""

    def __init__(self, changed: Callable[[Owner], None]) -> None:
        self._changed = changed
        """Called with the trigger whose run changed."""
        self._jobs: dict[Owner, dict[str, JobView]] = defaultdict(dict)
        self._pods: dict[Owner, dict[str, PodView]] = defaultdict(dict)

    def of(self, owner: Owner) -> dict[str, ObservedRun]:
        """The runs of a trigger by Job name."""
        jobs = self._jobs.get(owner)
        if not jobs:
            return {}
        pods: dict[str, list[PodView]] = defaultdict(list)
        for pod in self._pods.get(owner, {}).values():
            pods[pod.job].append(pod)
        return {name: observe_run(job, pods.get(name, ())) for name, job in jobs.items()}

    def has_job(self, owner: Owner, name: str) -> bool:
        """Whether the Job exists, as far as the watch has shown."""
        return name in self._jobs.get(owner, ())

    def put_job(self, job: JobView) -> None:
        """Keeps a Job, unless it is known in a later version."""
        _put(self._jobs[job.owner], job, self._changed)

    def put_pod(self, pod: PodView) -> None:
        """Keeps a Pod, unless it is known in a later version."""
        _put(self._pods[pod.owner], pod, self._changed)

    def job_gone(self, owner: Owner, name: str) -> None:
        """The Job is deleted."""
        _drop(self._jobs, owner, name, self._changed)

    def pod_gone(self, owner: Owner, name: str) -> None:
        """The Pod is deleted."""
        _drop(self._pods, owner, name, self._changed)

    def all_jobs(self, namespace: str | None) -> list[tuple[Owner, str]]:
        """Owners and names of all Jobs, or of those in a namespace."""
        return _all(self._jobs, namespace)

    def all_pods(self, namespace: str | None) -> list[tuple[Owner, str]]:
        """Owners and names of all Pods, or of those in a namespace."""
        return _all(self._pods, namespace)


@dataclass(frozen=True, slots=True)
class _Seen:
    spec: str
    """Tells specs apart: uid and generation."""
    resource_version: str


class References:
    """The Collections and ClusterDefinitions; a change concerns every trigger of the namespace."""

    def __init__(self, catalog: Catalog, changed: Callable[[str], None]) -> None:
        self.catalog = catalog
        self._changed = changed
        self._seen: dict[tuple[str, str, str], _Seen] = {}

    def saw(self, kind: str, raw: Mapping[str, Any]) -> None:
        """A watch or a list shows the object."""
        metadata = raw["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        before = self._seen.get((kind, namespace, name))
        seen = _Seen(f"{metadata['uid']}/{metadata.get('generation')}", metadata["resourceVersion"])
        # A list that was asked for before the watch's last news is older than that.
        if before is not None and not is_newer(seen.resource_version, before.resource_version):
            return
        self._seen[kind, namespace, name] = seen
        if before is not None and before.spec == seen.spec:
            return
        put = self.catalog.put_collection if kind == "collections" else self.catalog.put_definition
        put(namespace, name, raw.get("spec") or {})
        self._changed(namespace)

    def gone(self, kind: str, namespace: str, name: str) -> None:
        """The object is deleted."""
        if self._seen.pop((kind, namespace, name), None) is None:
            return
        remove = self.catalog.remove_collection if kind == "collections" else self.catalog.remove_definition
        remove(namespace, name)
        self._changed(namespace)

    def known(self, kind: str, namespace: str | None) -> list[tuple[str, str]]:
        """Namespace and name of all objects of a kind, or of those in a namespace."""
        return [(ns, name) for k, ns, name in self._seen if k == kind and namespace in (None, ns)]


@dataclass(frozen=True, slots=True)
class Known:
    """All that the watches have shown."""

    triggers: Triggers
    runs: Runs
    references: References


def is_newer(version: str, than: str) -> bool:
    """Whether a resource version is later; they are comparable numbers (KEP-5504), and opaque ones count as later."""
    if version.isdigit() and than.isdigit():
        return int(version) > int(than)
    return version != than


def _put(known: dict[str, Any], view: Any, changed: Callable[[Owner], None]) -> None:
    before = known.get(view.name)
    if before is not None and before.uid == view.uid and not is_newer(view.resource_version, before.resource_version):
        return
    known[view.name] = view
    # Most changes of a Pod are none that a decision looks at.
    if before is None or replace(before, resource_version="") != replace(view, resource_version=""):
        changed(view.owner)


def _drop(views: dict[Owner, dict[str, Any]], owner: Owner, name: str, changed: Callable[[Owner], None]) -> None:
    known = views.get(owner)
    if known is None or known.pop(name, None) is None:
        return
    if not known:
        del views[owner]
    changed(owner)


def _all(views: Mapping[Owner, Mapping[str, Any]], namespace: str | None) -> list[tuple[Owner, str]]:
    return [(owner, name) for owner, known in views.items() if namespace in (None, owner.namespace) for name in known]
