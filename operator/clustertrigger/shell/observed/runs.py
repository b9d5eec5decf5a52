"""Returns the observed Jobs and Pods as the runs of triggers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from clustertrigger.core.jobs.pod_view import PodView
from clustertrigger.core.jobs.workload import ObservedRun, observe_run
from clustertrigger.core.resources.trigger import Owner
from clustertrigger.shell.observed.views import Jobs, Pods


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
        self._obstacles: dict[str, str] = {}
        """Why Jobs cannot get into their queue, or are not in it as a whole, by the Job's uid."""

    def queues(self) -> set[Queue]:
        """Returns the queues in which a Job waits."""
        return {Queue(job.namespace, job.queue) for job in self.jobs.waiting()}

    def place(self, positions: Mapping[str, int]) -> None:
        """Replaces all known positions by those of the Jobs that wait, by the Job's uid."""
        before, self._positions = self._positions, dict(positions)
        for job in self.jobs.waiting():
            if before.get(job.uid) != positions.get(job.uid):
                self._changed(job.owner)

    def hold(self, obstacles: Mapping[str, str]) -> None:
        """Replaces all known reasons why Jobs are not in their queue as a whole, by the Job's uid."""
        before, self._obstacles = self._obstacles, dict(obstacles)
        if before == self._obstacles:
            return
        for job in self.jobs.with_own_workload():
            if before.get(job.uid) != obstacles.get(job.uid):
                self._changed(job.owner)

    def of(self, owner: Owner) -> dict[str, ObservedRun]:
        """Returns the runs of a trigger by Job name."""
        jobs = self.jobs.of(owner)
        if not jobs:
            return {}
        pods: dict[str, list[PodView]] = defaultdict(list)
        for pod in self.pods.of(owner).values():
            pods[pod.job].append(pod)
        return {
            name: observe_run(job, pods.get(name, ()), self._positions.get(job.uid), self._obstacles.get(job.uid, ""))
            for name, job in jobs.items()
        }

    def has_job(self, owner: Owner, name: str) -> bool:
        """Returns whether the Job exists, as far as it was observed."""
        return name in self.jobs.of(owner)
