"""Creates, ends, deletes and reads the Jobs of triggers, and records what the API server refused."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from clustertrigger.api.conditions import EventReason, Reason
from clustertrigger.api.status import ClusterTriggerStatus
from clustertrigger.core.decision import CreateJob, EndJob, Refusal
from clustertrigger.core.jobs.job_view import JobView, read_job
from clustertrigger.core.jobs.jobs import end_job_patch
from clustertrigger.core.jobs.pod_view import read_pod
from clustertrigger.core.jobs.pod_warnings import most_telling
from clustertrigger.core.jobs.slot import CheckSlot, ScheduledSlot
from clustertrigger.core.jobs.workload import ObservedRun, observe_run
from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.resources.trigger import Key, Trigger
from clustertrigger.shell.clock import Clock
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.kube.reading import Raw
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.observed.intake import Runs

logger = logging.getLogger(__name__)

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_EVENTS_PAUSE = 1.0
"""Seconds, at least, from one list of events to the next."""
_EVENTS_SHARE = 0.1
"""The share of time, at most, in which such lists are read."""


@dataclass(slots=True)
class _Memory:
    """Of one trigger, by Job name.

    Attributes:
        refusals: what is still to be tried.
        created: Jobs of which the status may not tell yet.
        warnings: what events warn of.
        asked: when events were last asked for, or read.
    """

    refusals: dict[str, Refusal] = field(default_factory=dict)
    created: dict[str, JobView] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)
    asked: dict[str, datetime] = field(default_factory=dict)


_NOTHING = _Memory()


class JobWriter:
    """The only place that writes Jobs."""

    def __init__(self, api: ApiServer, clock: Clock, runs: Runs, metrics: Metrics) -> None:
        self._api = api
        self._clock = clock
        self._runs = runs
        self._metrics = metrics
        self._memory: defaultdict[Key, _Memory] = defaultdict(_Memory)
        self._questions: dict[str, dict[tuple[Key, str], Trigger]] = {}
        """Why which Jobs do not start, by namespace."""
        self._asking: asyncio.Queue[str] = asyncio.Queue()
        """Namespaces with questions."""

    def refusals(self, key: Key) -> Mapping[str, Refusal]:
        """What was refused for this trigger and is still to be tried, by Job name."""
        return dict(self._recalled(key).refusals)

    def warnings(self, key: Key) -> Mapping[str, str]:
        """What events warn of, by the names of Jobs that were looked up and have no worker that has started."""
        return dict(self._recalled(key).warnings)

    def asked(self, key: Key) -> Mapping[str, datetime]:
        """When events were last asked for, or read, by Job name."""
        return dict(self._recalled(key).asked)

    def lost(self, trigger: Trigger) -> dict[str, ObservedRun]:
        """Jobs that were created and deleted before the status recorded them. They have fired nevertheless."""
        return {
            name: observe_run(job, ())
            for name, job in self._recalled(trigger.key).created.items()
            if job.trigger_uid == trigger.uid and not self._runs.has_job(trigger.owner, name)
        }

    def settle(self, trigger: Trigger, status: ClusterTriggerStatus) -> bool:
        """Drops the created Jobs that the status now contains, and what it no longer contains or needs.

        Returns:
            Whether a Job was lost, so that its end is still to be decided on.
        """
        has_lost = bool(self.lost(trigger))
        if memory := self._memory.pop(trigger.key, None):
            refused = any(c.reason == Reason.CREATE_REFUSED.value for c in status.conditions)
            pending = {entry.job_id for entry in status.history if entry.status == "pending"}
            pending |= {check.job_id for check in status.checks if check.status == "pending"}
            kept = _Memory(
                refusals=memory.refusals if refused else {},
                warnings={name: said for name, said in memory.warnings.items() if name in pending},
                asked={name: at for name, at in memory.asked.items() if name in pending},
            )
            if kept != _NOTHING:
                self._memory[trigger.key] = kept
        return has_lost

    def forget(self, key: Key) -> None:
        """The trigger is gone."""
        self._memory.pop(key, None)

    async def create(self, trigger: Trigger, action: CreateJob) -> None:
        """Creates the Job of a slot. A refusal is remembered, not raised: the decision knows how long to try.

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
            if _is_taken(error) and await self._is_ours(trigger, action):
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
        self._runs.jobs.gone(trigger.key.namespace, name)
        logger.info("Deleted the Job", extra={"job": name})

    async def end(self, trigger: Trigger, action: EndJob) -> None:
        """Ends a run and keeps its Job; one that is gone needs no end."""
        patch = end_job_patch(action.reason, completed=action.completed, unstarted=action.unstarted)
        try:
            raw = await self._api.merge_patch(paths.job(trigger.key.namespace, action.name), patch)
        except ApiError as error:
            if not error.is_not_found:
                raise
            self._runs.jobs.gone(trigger.key.namespace, action.name)
            return
        logger.info("Ended the Job: %s", action.reason, extra={"job": action.name})
        if job := read_job(raw):
            self._runs.jobs.put(job)

    async def look_up(self, trigger: Trigger, name: str) -> None:
        """Reads a Job and its Pods past the watches, and, unless that was asked before, what events warn of.

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
            self._runs.jobs.gone(trigger.key.namespace, name)
            return
        pods, _ = await self._api.list(paths.pods(namespace), labelSelector=paths.job_selector(name))
        for raw in pods:
            self._runs.pods.put(read_pod(raw))
        self._runs.jobs.put(job)
        if name not in self._recalled(trigger.key).asked and (about := self._what_may_tell(trigger, name)):
            kind, subject = about
            self._memory[trigger.key].asked[name] = self._clock()
            selector = f"involvedObject.kind={kind},involvedObject.name={subject},type=Warning"
            self._keep_warnings({about: [(trigger.key, name)]}, await self._warnings(namespace, selector))

    def ask_why(self, trigger: Trigger, name: str) -> None:
        """Leaves it to `answer` to find out why a run does not start."""
        namespace = trigger.key.namespace
        self._memory[trigger.key].asked[name] = self._clock()
        if namespace not in self._questions:
            self._questions[namespace] = {}
            self._asking.put_nowait(namespace)
        self._questions[namespace][trigger.key, name] = trigger

    async def answer(self) -> list[Key]:
        """Answers the questions of one namespace by one list of its events, and pauses before the next.

        The API server keeps no events in memory, and reads all of a namespace for each list. So a thousand runs that do
        not start must not ask for a list each: it would have no time left to create Jobs.

        Returns:
            The triggers for which there is something new.
        """
        namespace = await self._asking.get()
        await asyncio.sleep(_EVENTS_PAUSE)  # Runs that were created together ask together.
        began = time.perf_counter()
        about: defaultdict[tuple[str, str], list[tuple[Key, str]]] = defaultdict(list)
        for (key, name), trigger in self._questions.pop(namespace).items():
            if name in self._recalled(key).asked and (subject := self._what_may_tell(trigger, name)):
                about[subject].append((key, name))
        changed = self._keep_warnings(about, await self._warnings(namespace, "type=Warning", about)) if about else []
        await asyncio.sleep((time.perf_counter() - began) * (1 / _EVENTS_SHARE - 1))
        return changed

    def _what_may_tell(self, trigger: Trigger, name: str) -> tuple[str, str] | None:
        """Kind and name of what events are about; None if a worker has started."""
        pods = [pod for pod in self._runs.pods.of(trigger.owner).values() if pod.job == name]
        if any(pod.running or pod.terminated for pod in pods):
            return None
        newest = max(pods, key=lambda pod: pod.created_at, default=None)
        return ("Pod", newest.name) if newest else ("Job", name)

    def _keep_warnings(self, about: Mapping[tuple[str, str], list[tuple[Key, str]]], events: list[Raw]) -> list[Key]:
        """Keeps what events warn of; returns the triggers for which that is new."""
        by_subject = defaultdict(list)
        for event in events:
            by_subject[_involved(event)].append(event)
        changed = []
        for subject, asking in about.items():
            warning = most_telling(by_subject[subject])
            for key, name in asking:
                memory = self._recalled(key)
                if warning and name in memory.asked and memory.warnings.get(name) != warning:
                    memory.warnings[name] = warning
                    changed.append(key)
        return changed

    def _recalled(self, key: Key) -> _Memory:
        """Returns the records of a trigger, without creating one."""
        return self._memory.get(key, _NOTHING)

    async def _warnings(
        self, namespace: str, selector: str, about: Container[tuple[str, str]] | None = None
    ) -> list[Raw]:
        """Warnings of a namespace; who refuses a Pod, or a volume, says so nowhere else.

        They are news, not memory: where they cannot be read, what is known otherwise must do.

        Args:
            namespace: where.
            selector: of the API server.
            about: kinds and names of the objects of interest, where the selector does not name one.
        """
        found: list[Raw] = []
        try:
            async for page, _ in self._api.pages(paths.events(namespace), fieldSelector=selector):
                # The last warning of a Job can be that its deadline passed.
                found += [
                    event
                    for event in page
                    if (about is None or _involved(event) in about)
                    and (_involved(event)[0] != "Job" or event.get("reason") == "FailedCreate")
                ]
        except ApiError as error:
            logger.warning("Reading the Kubernetes events of namespace %s failed: %s", namespace, error)
        return found

    async def _is_ours(self, trigger: Trigger, action: CreateJob) -> bool:
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


def _involved(event: Raw) -> tuple[str, str]:
    """Kind and name of the object that an event is about."""
    about = event.get("involvedObject") or {}
    return str(about.get("kind")), str(about.get("name"))


def _is_taken(error: ApiError) -> bool:
    # A quota that two requests count up at once is also answered by 409, with the reason Conflict.
    return error.reason == "AlreadyExists"


def _retry_at(since: datetime, now: datetime, error: ApiError) -> datetime:
    """Waits as long as has been waited already, so pauses double; the server's own wish comes first."""
    pause = error.retry_after or min(max((now - since).total_seconds(), _FIRST_PAUSE), _LONGEST_PAUSE)
    return now + timedelta(seconds=pause)
