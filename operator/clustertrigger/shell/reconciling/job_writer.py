"""Creates, changes, ends, deletes and reads the Jobs of triggers, and records what the API server refused."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from clustertrigger.api.conditions import EventReason, Reason
from clustertrigger.api.status import ClusterTriggerStatus
from clustertrigger.core.decision import CreateJob, EndJob, Refusal
from clustertrigger.core.jobs.job_view import JobView, read_job
from clustertrigger.core.jobs.jobs import end_job_patch
from clustertrigger.core.jobs.pod_view import read_pod
from clustertrigger.core.jobs.slot import CheckSlot, ScheduledSlot
from clustertrigger.core.jobs.workload import ObservedRun, observe_run
from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.resources.trigger import Key, Trigger
from clustertrigger.shell.clock import Clock
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.observed.runs import Runs

logger = logging.getLogger(__name__)

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_LONGEST_REQUESTED_PAUSE = 600.0
"""Maximum number of seconds that a server's Retry-After can delay the next attempt. Proxies and webhooks can set any
number. A pause of more than an hour would count as a time of a wrong clock.
"""


@dataclass(slots=True)
class _Memory:
    """Records about the Jobs of one trigger, by Job name.

    Attributes:
        refusals: Refused Jobs that are still retried.
        created: Jobs that the status may not contain yet.
    """

    refusals: dict[str, Refusal] = field(default_factory=dict)
    created: dict[str, JobView] = field(default_factory=dict)


_NOTHING = _Memory()


class JobWriter:
    """Writes Jobs; no other class does."""

    def __init__(self, api: ApiServer, clock: Clock, runs: Runs, metrics: Metrics) -> None:
        self._api = api
        self._clock = clock
        self._runs = runs
        self._metrics = metrics
        self._memory: defaultdict[Key, _Memory] = defaultdict(_Memory)

    def refusals(self, key: Key) -> Mapping[str, Refusal]:
        """Returns the refused Jobs of this trigger that are still retried, by Job name."""
        return dict(self._recalled(key).refusals)

    def lost(self, trigger: Trigger) -> dict[str, ObservedRun]:
        """Returns Jobs that were created and deleted before the status recorded them. They count as fired."""
        return {
            name: observe_run(job, ())
            for name, job in self._recalled(trigger.key).created.items()
            if job.trigger_uid == trigger.uid and not self._runs.has_job(trigger.owner, name)
        }

    def settle(self, trigger: Trigger, status: ClusterTriggerStatus) -> bool:
        """Drops records of created Jobs that the status now contains, and of refusals that it no longer contains.

        Returns:
            Whether a Job was lost, so that its end is still to be decided on.
        """
        has_lost = bool(self.lost(trigger))
        if memory := self._memory.pop(trigger.key, None):
            refused = any(c.reason == Reason.CREATE_REFUSED.value for c in status.conditions)
            if refused and memory.refusals:
                self._memory[trigger.key] = _Memory(refusals=memory.refusals)
        return has_lost

    def forget(self, key: Key) -> None:
        """Removes a trigger that was deleted."""
        self._memory.pop(key, None)

    async def create(self, trigger: Trigger, action: CreateJob) -> None:
        """Creates the Job of a slot.

        A refusal is recorded rather than raised, because the decision determines how long to retry.

        Raises:
            ApiError: a Job of that name exists and cannot be read.
        """
        namespace = trigger.key.namespace
        slot = action.slot
        trigger_type = trigger.spec.trigger_type if trigger.spec else ""
        fires = partial(self._metrics.fires.labels, "check" if isinstance(slot, CheckSlot) else trigger_type)
        extra = {"slot": str(slot), "job": action.name}
        try:
            raw = await self._api.create(paths.jobs(namespace), action.manifest)
        except ApiError as error:
            if _is_taken(error) and await self._is_own_job(trigger, action):
                fires("existed").inc()
                logger.info("The Job exists already", extra=extra)
                return
            self._refuse(trigger, action, error)
            fires("refused").inc()
            logger.warning("The API server refused the Job: %s", error, extra=extra)
            return
        fires("created").inc()
        # A run that a check fired has the slot of that check. The duration of the check does not count as lateness.
        if isinstance(slot, CheckSlot if trigger_type == "conditional" else ScheduledSlot):
            self._metrics.lateness.observe(max(0.0, (self._clock() - slot.instant).total_seconds()))
        logger.info("Created the Job", extra=extra)
        if job := read_job(raw):
            self._keep(trigger, job)

    async def delete(self, trigger: Trigger, name: str) -> None:
        """Deletes a Job and its Pods."""
        await self._api.delete(paths.job(trigger.key.namespace, name))
        self._runs.jobs.drop(trigger.key.namespace, name)
        logger.info("Deleted the Job", extra={"job": name})

    async def end(self, trigger: Trigger, action: EndJob) -> None:
        """Ends a run and keeps its Job. It is not an error if the Job was deleted."""
        patch = end_job_patch(action.reason, completed=action.completed, unstarted=action.unstarted)
        try:
            raw = await self._api.merge_patch(paths.job(trigger.key.namespace, action.name), patch)
        except ApiError as error:
            if not error.is_not_found:
                raise
            self._runs.jobs.drop(trigger.key.namespace, action.name)
            return
        logger.info("Ended the Job: %s", action.reason, extra={"job": action.name})
        if job := read_job(raw):
            self._runs.jobs.put(job)

    async def change(self, namespace: str, name: str, patch: Mapping[str, Any]) -> None:
        """Changes a Job with a merge patch.

        Raises:
            ApiError: refused, or no answer.
        """
        if job := read_job(await self._api.merge_patch(paths.job(namespace, name), patch)):
            self._runs.jobs.put(job)

    async def look_up(self, trigger: Trigger, name: str) -> None:
        """Reads a Job and its Pods from the API server instead of from the watches.

        Raises:
            ApiError: the Job or its Pods cannot be read.
        """
        namespace = trigger.key.namespace
        try:
            job = read_job(await self._api.get(paths.job(namespace, name)))
        except ApiError as error:
            if not error.is_not_found:
                raise
            job = None
        if job is None or job.trigger_uid != trigger.uid:
            self._runs.jobs.drop(trigger.key.namespace, name)
            return
        pods, _ = await self._api.list(paths.pods(namespace), labelSelector=paths.job_selector(name))
        for raw in pods:
            self._runs.pods.put(read_pod(raw))
        self._runs.jobs.put(job)

    def _recalled(self, key: Key) -> _Memory:
        """Returns the records of a trigger, without creating one."""
        return self._memory.get(key, _NOTHING)

    async def _is_own_job(self, trigger: Trigger, action: CreateJob) -> bool:
        job = read_job(await self._api.get(paths.job(trigger.key.namespace, action.name)))
        if job is None or job.trigger_uid != trigger.uid:
            return False
        self._keep(trigger, job)
        return True

    def _keep(self, trigger: Trigger, job: JobView) -> None:
        self._memory[trigger.key].created[job.name] = job
        self._runs.jobs.put(job)

    def _refuse(self, trigger: Trigger, action: CreateJob, error: ApiError) -> None:
        now = self._clock()
        refusals = self._memory[trigger.key].refusals
        before = refusals.get(action.name)
        since = before.since if before else now
        taken = _is_taken(error)
        message = (
            f"Job {action.name} exists and does not belong to this trigger: delete it or rename the trigger"
            if taken
            else f"Creating Job {action.name} was refused, and the operator retries until the starting deadline: "
            f"{error.message}"
        )
        reason = EventReason.NAME_TAKEN if taken else EventReason.CREATE_REFUSED
        refusals[action.name] = Refusal(reason, message, since, _retry_at(since, now, error))


def _is_taken(error: ApiError) -> bool:
    # The API server also responds 409, with the reason Conflict, if two requests update a quota at the same time.
    return error.reason == "AlreadyExists"


def _retry_at(since: datetime, now: datetime, error: ApiError) -> datetime:
    """Returns the pause before the next attempt.

    It equals the time since the first one, so pauses double. The server's Retry-After takes precedence.
    """
    requested = min(error.retry_after or 0.0, _LONGEST_REQUESTED_PAUSE)
    pause = requested or min(max((now - since).total_seconds(), _FIRST_PAUSE), _LONGEST_PAUSE)
    return now + timedelta(seconds=pause)
