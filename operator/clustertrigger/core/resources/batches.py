"""Batches: the runs of a namespace's triggers, as an action refers to them by the names of their Jobs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from clustertrigger.api.status import Execution
from clustertrigger.api.trigger import RunPolicy
from clustertrigger.core.resources.trigger import Key, Trigger


@dataclass(frozen=True, slots=True)
class Batch:
    """A run that is in a trigger's history."""

    trigger: str
    run: Execution
    action_type: str
    """What it did, whatever the trigger's runs do now."""
    policy: RunPolicy | None
    """How the trigger's Jobs are run now; None where its spec is invalid."""
    last: str | None
    """The trigger's last completed run."""


class Batches:
    """The histories of all triggers, and who refers to what is in them."""

    def __init__(self) -> None:
        self._triggers: dict[str, dict[str, Trigger]] = defaultdict(dict)
        self._wanted: dict[tuple[str, str], set[Key]] = defaultdict(set)
        """Triggers by the namespace and the id of the batch to which they refer."""

    def put(self, trigger: Trigger) -> Iterable[Key]:
        """Adds or replaces a trigger; returns others that refer to a run that is new in, or gone from, its history."""
        before = self._triggers[trigger.key.namespace].get(trigger.key.name)
        self._triggers[trigger.key.namespace][trigger.key.name] = trigger
        self._follow(before, trigger)
        return self._concerned(trigger.key, before, trigger)

    def remove(self, key: Key) -> Iterable[Key]:
        """Removes a trigger, if it is there; returns others that refer to a run of it."""
        before = self._triggers[key.namespace].pop(key.name, None)
        self._follow(before, None)
        return self._concerned(key, before, None)

    def find(self, namespace: str, batch_id: str) -> Batch | None:
        """The run of that name, if a trigger of the namespace has it in its history."""
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

    def names(self, namespace: str) -> list[str]:
        """The triggers of a namespace."""
        return sorted(self._triggers[namespace])

    def _follow(self, before: Trigger | None, now: Trigger | None) -> None:
        for trigger in (before, now):
            if trigger is None or (wanted := _wanted(trigger)) is None:
                continue
            if trigger is now:
                self._wanted[wanted].add(trigger.key)
            elif wanted in self._wanted:
                self._wanted[wanted].discard(trigger.key)
                if not self._wanted[wanted]:
                    del self._wanted[wanted]

    def _concerned(self, key: Key, before: Trigger | None, now: Trigger | None) -> Iterable[Key]:
        if not self._wanted:
            return ()
        changed = _jobs(before) ^ _jobs(now)
        return {who for job in changed for who in self._wanted.get((key.namespace, job), ())} - {key}


def _wanted(trigger: Trigger) -> tuple[str, str] | None:
    config = trigger.spec.action_config if trigger.spec else None
    return (trigger.key.namespace, config.batch_id) if config and config.batch_id else None


def _jobs(trigger: Trigger | None) -> set[str]:
    return {run.job_id for run in trigger.status.history} if trigger else set()
