"""Finds batches, which are runs of a namespace's triggers: by the name of their Job, or as the newest run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from clustercontract.baseline import Baseline, read_baseline
from clustertrigger.api.run_policy import RunPolicy
from clustertrigger.api.status import Execution
from clustertrigger.api.trigger import BY_ID
from clustertrigger.core.resources.trigger import Key, Trigger


@dataclass(frozen=True, slots=True)
class Batch:
    """A run that is in a trigger's history."""

    trigger: str
    run: Execution
    action_type: str
    """What it did, whatever the trigger does now."""
    policy: RunPolicy | None
    """How the trigger's Jobs are run now; None if its spec is invalid."""
    last: str | None
    """The trigger's last completed run."""


@dataclass(frozen=True, slots=True)
class Clustered:
    """A completed run with mode full, to whose clusters documents can be assigned."""

    trigger: str
    baseline: Baseline
    """The baseline that it wrote."""
    policy: RunPolicy
    """How the trigger's Jobs are run now."""
    run: Execution | None
    """Its entry in the history, if it still exists."""

    @property
    def ended_at(self) -> datetime:
        """When it ended, according to the API server. The clock of its node, which dates the baseline, can be wrong."""
        if self.run is None:
            return self.baseline.captured_at
        took = (self.run.queue_time_ms or 0) + (self.run.execution_time_ms or 0)
        return self.run.triggered_at + timedelta(milliseconds=took)


_Place = tuple[str, str]
"""A namespace, and the name of an object in it."""
_COMPLETED = "completed "
AliasesOf = Callable[[str, str], Iterable[str]]


def _itself(_: str, cluster_id: str) -> Iterable[str]:
    return (cluster_id,)


class Batches:
    """The histories of all triggers, and the triggers that refer to them.

    Args:
        aliases: Returns all ids by which triggers of a namespace can refer to the ClusterDefinition that an id
            refers to.
    """

    def __init__(self, aliases: AliasesOf = _itself) -> None:
        self._aliases = aliases
        self._triggers: dict[str, dict[str, Trigger]] = defaultdict(dict)
        self._wanted: dict[_Place, set[Key]] = defaultdict(set)
        """Triggers by what they refer to: a batch, or a clustering."""
        self._clustered: dict[_Place, set[Key]] = defaultdict(set)
        """Triggers that have completed a run with mode full, by their clustering."""

    def put(self, trigger: Trigger) -> Iterable[Key]:
        """Adds or replaces a trigger.

        Returns other triggers that refer to a run that was added to, or removed from, its history.
        """
        before = self._triggers[trigger.key.namespace].get(trigger.key.name)
        self._triggers[trigger.key.namespace][trigger.key.name] = trigger
        self._follow(before, trigger)
        return self._concerned(trigger.key, before, trigger)

    def remove(self, key: Key) -> Iterable[Key]:
        """Removes a trigger, if it exists. Returns other triggers that refer to a run of it."""
        before = self._triggers[key.namespace].pop(key.name, None)
        self._follow(before, None)
        return self._concerned(key, before, None)

    def find(self, namespace: str, batch_id: str) -> Batch | None:
        """Returns the run with this name, if it is in the history of a trigger of the namespace."""
        beginning = batch_id.rsplit("-", 2)[0]
        for name, trigger in self._triggers[namespace].items():
            if not name.replace(".", "-").startswith(beginning):
                continue  # as the names of Jobs are made; see core.jobs.naming
            for run in trigger.status.history:
                if run.job_id == batch_id:
                    spec, last = trigger.spec, trigger.status.last_result
                    return Batch(
                        trigger=name,
                        run=run,
                        action_type=run.action_type or "cluster",
                        policy=spec.run if spec else None,
                        last=last.job_id if last else None,
                    )
        return None

    def newest_clustering(self, namespace: str, reference: str, collections: str) -> Clustered | None:
        """Returns the newest completed run with mode full of any trigger of the namespace with the same clustering.

        Args:
            namespace: Where to look.
            reference: What is clustered (`ClusterTriggerSpec.clustering`).
            collections: Digest of the collections to cluster. A run of other collections does not count.
        """
        keys = {
            key for same in self._spellings(namespace, reference) for key in self._clustered.get((namespace, same), ())
        }
        found = (_clustered(self._triggers[namespace][key.name], collections) for key in keys)
        return max(filter(None, found), key=lambda one: (one.ended_at, one.baseline.run), default=None)

    def names(self, namespace: str) -> list[str]:
        """The triggers of a namespace."""
        return sorted(self._triggers[namespace])

    def _follow(self, before: Trigger | None, now: Trigger | None) -> None:
        for index, places_of in ((self._wanted, _wanted), (self._clustered, _offered)):
            if before:
                _remove(index, places_of(before), before.key)
            if now:
                for place in places_of(now):
                    index[place].add(now.key)

    def _concerned(self, key: Key, before: Trigger | None, now: Trigger | None) -> Iterable[Key]:
        if not self._wanted:
            return ()
        changed = _jobs(before) ^ _jobs(now)
        for _, clustering in {place for place, _ in _models(before) ^ _models(now)}:
            changed.update(self._spellings(key.namespace, clustering))
        return {who for what in changed for who in self._wanted.get((key.namespace, what), ())} - {key}

    def _spellings(self, namespace: str, clustering: str) -> Iterable[str]:
        """Returns all values of `ClusterTriggerSpec.clustering` with the same meaning."""
        if not clustering.startswith(BY_ID):
            return (clustering,)
        return (f"{BY_ID}{one}" for one in self._aliases(namespace, clustering.removeprefix(BY_ID)))


def _clustered(trigger: Trigger, collections: str) -> Clustered | None:
    snapshot = trigger.status.baseline_snapshot or {}
    baseline = read_baseline(snapshot)
    if baseline is None or trigger.spec is None or snapshot.get("collections") not in (None, collections):
        return None
    run = next((run for run in trigger.status.history if run.job_id == baseline.run), None)
    return Clustered(trigger.key.name, baseline, trigger.spec.run, run)


def _remove(index: dict[_Place, set[Key]], places: Iterable[_Place], key: Key) -> None:
    for place in places:
        if place in index:
            index[place].discard(key)
            if not index[place]:
                del index[place]


def _wanted(trigger: Trigger) -> list[_Place]:
    spec, namespace = trigger.spec, trigger.key.namespace
    if spec is None:
        return []
    batch = spec.action_config.batch_id if spec.action_config else None
    clustering = spec.clustering if spec.mode == "assign" else None
    config = spec.execution_config or spec.action_config
    sources = [f"{_COMPLETED}{job}" for job in (config and config.source_execution_ids) or ()]
    return [(namespace, what) for what in (batch, clustering, *sources) if what]


def _offered(trigger: Trigger) -> list[_Place]:
    return [place for place, _ in _models(trigger)]


def _models(trigger: Trigger | None) -> set[tuple[_Place, str]]:
    """Returns the clustering of a trigger, and the run to whose clusters others can assign documents."""
    run = (trigger.status.baseline_snapshot or {}).get("run") if trigger else None
    if trigger is None or trigger.spec is None or not isinstance(run, str):
        return set()
    clustering = trigger.spec.clustering
    return {((trigger.key.namespace, clustering), run)} if clustering else set()


def _jobs(trigger: Trigger | None) -> set[str]:
    """Returns the names of the runs in the history, and of those that have completed."""
    history = trigger.status.history if trigger else []
    return {run.job_id for run in history} | {
        f"{_COMPLETED}{run.job_id}" for run in history if run.status == "completed"
    }
