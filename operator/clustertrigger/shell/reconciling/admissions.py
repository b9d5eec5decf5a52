"""Takes Jobs with executors through Kueue's queues: creates their Workloads, and follows what Kueue decides.

Kueue may be missing or deny the operator access, so Workloads are not watched. They are listed while there is such a
Job that has not ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from clustertrigger.api.names import LABEL_MANAGED_BY, LABEL_TRIGGER_UID, MANAGED_BY
from clustertrigger.core.jobs import workload_status
from clustertrigger.core.jobs.admission import Step, next_step
from clustertrigger.core.jobs.admitted_placement import assigned_flavors, resumption
from clustertrigger.core.jobs.job_view import JobView, read_job
from clustertrigger.core.jobs.kueue_workload import build_workload, default_priority, priority_class, value_of
from clustertrigger.core.jobs.run_pods import any_left
from clustertrigger.core.jobs.workload_view import is_workload_of, read_workload
from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.shell.clock import Clock
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.observed.runs import Runs
from clustertrigger.shell.reconciling.job_writer import JobWriter

logger = logging.getLogger(__name__)

_EVERY = 2.0
"""Seconds between two lists of the Workloads of a namespace in which a run with executors is queued or admitted."""
_SLOW = 2.0
"""Seconds after which a namespace whose requests get no response no longer delays the others."""
_NAMESPACES_AT_ONCE = 32
"""Maximum number of namespaces whose requests are made at the same time; each makes one request at a time."""
_PATIENCE = 5
"""How many times in a row a request can fail temporarily before this is shown."""
_CONTESTED = (
    "Kueue has put the Job into a queue itself, and counts only its own Pod, not its executors: give the LocalQueue "
    "named default another name, or disable manageJobsWithoutQueueName for this namespace"
)
_DELETED = (
    "its Workload was deleted, and the operator creates it again: if this repeats, disable Kueue's "
    "manageJobsWithoutQueueName for this namespace"
)
_INTERNAL = "internal error with its Workload; the operator's log contains it"
_SELECTOR = f"{LABEL_MANAGED_BY}={MANAGED_BY}"


class _MissingError(Exception):
    """An object of the cluster that a Workload or its Job refers to does not exist."""


class Admissions:
    """Creates Workloads, and suspends and resumes their Jobs; no other class writes Workloads."""

    def __init__(self, api: ApiServer, clock: Clock, runs: Runs, jobs: JobWriter, *, every: float = _EVERY) -> None:
        self._api = api
        self._clock = clock
        self._runs = runs
        self._jobs = jobs
        self._every = every
        self._done: set[str] = set()
        """The uids of ended Jobs whose Workload has ended, too."""
        self._obstacles: dict[str, str] = {}
        self._had_workload: set[str] = set()
        """The uids of Jobs that have had a Workload."""
        self._failures: Counter[str] = Counter()
        """How often the last requests about a Job have failed temporarily, by its uid."""
        self._steps: dict[str, asyncio.Task[dict[str, str]]] = {}
        """The steps that are being taken, by namespace."""
        self._turns = asyncio.Semaphore(_NAMESPACES_AT_ONCE)

    async def run(self) -> None:
        """Takes steps periodically, in an endless loop. While there is no such Job, no request is made."""
        try:
            while True:
                try:
                    await self.advance()
                except Exception:
                    logger.exception("Internal error with Kueue's Workloads; retrying in %.0f s", self._every)
                await asyncio.sleep(self._every)
        finally:
            for step in self._steps.values():
                step.cancel()

    async def advance(self) -> None:
        """Takes one step for each Job that needs one.

        Returns without the steps of namespaces whose requests take long; a later call returns what they found.
        """
        jobs = self._runs.jobs.with_own_workload()
        uids = {job.uid for job in jobs}
        self._done &= uids
        self._had_workload &= uids
        self._failures = Counter({uid: count for uid, count in self._failures.items() if uid in uids})
        by_namespace: defaultdict[str, list[JobView]] = defaultdict(list)
        for job in jobs:
            if job.uid not in self._done:
                by_namespace[job.namespace].append(job)
        obstacles = await self._advance_in_each(by_namespace)
        for job in jobs:
            if (obstacle := obstacles.get(job.uid)) and obstacle != self._obstacles.get(job.uid):
                logger.warning("%s", obstacle, extra={"namespace": job.namespace, "job": job.name})
        self._obstacles = obstacles
        self._runs.hold(obstacles)

    async def _advance_in_each(self, by_namespace: Mapping[str, Sequence[JobView]]) -> dict[str, str]:
        """Returns why Jobs could not be taken further. If that is not known yet, it is what was shown before."""
        begun = {
            namespace: asyncio.create_task(self._advance_in_turn(namespace, jobs))
            for namespace, jobs in by_namespace.items()
            if namespace not in self._steps
        }
        self._steps |= begun
        if begun:  # A namespace that hangs delays only the pass that has begun its steps.
            await asyncio.wait(begun.values(), timeout=_SLOW)
        steps, self._steps = self._steps, {name: step for name, step in self._steps.items() if not step.done()}
        late = {job.uid for namespace in self._steps for job in by_namespace.get(namespace, ())}
        obstacles = {uid: shown for uid, shown in self._obstacles.items() if uid in late}
        for step in steps.values():
            if step.done():
                obstacles |= step.result()
        return obstacles

    async def _advance_in_turn(self, namespace: str, jobs: Sequence[JobView]) -> dict[str, str]:
        async with self._turns:
            return await self._advance_in(namespace, jobs)

    async def _advance_in(self, namespace: str, jobs: Sequence[JobView]) -> dict[str, str]:
        """Returns why Jobs of a namespace could not be taken further, by the Job's uid."""
        try:
            workloads, _ = await self._api.list(paths.workloads(namespace), labelSelector=_SELECTOR)
        except ApiError as error:
            said = _why_no_list(error)
            return {job.uid: found for job in jobs if (found := self._once_patient(job, error, said))}
        obstacles = {}
        for job in jobs:
            workload = next((raw for raw in workloads if is_workload_of(raw, job.uid)), None)
            try:
                step = await self._step(job, workload)
            except ApiError as error:
                obstacles[job.uid] = self._after_error(job, error)
            except _MissingError as error:
                obstacles[job.uid] = str(error)
            except Exception:
                obstacles[job.uid] = _INTERNAL
                if self._obstacles.get(job.uid) != _INTERNAL:
                    logger.exception("Internal error with the Workload of Job %s", job.name)
            else:
                del self._failures[job.uid]
                obstacles[job.uid] = self._after_step(job, step)
                if workload is not None or step is Step.CREATE:
                    self._had_workload.add(job.uid)
        return {uid: obstacle for uid, obstacle in obstacles.items() if obstacle}

    def _after_step(self, job: JobView, step: Step) -> str:
        """Returns what is shown after a step."""
        if step is Step.YIELD:
            return _CONTESTED if job.is_contested else _why_rewritten(job)
        return _DELETED if step is Step.CREATE and job.uid in self._had_workload else ""

    def _after_error(self, job: JobView, error: ApiError) -> str:
        """Returns what is shown after an error of the API server."""
        if error.reason == "AlreadyExists":
            return f"Workload {job.name} exists and is not this run's: delete it"
        if error.is_conflict or error.is_not_found:
            return ""  # The watch and the next list show what has changed, or what was deleted.
        done = "failed" if error.is_temporary else "was refused"
        return self._once_patient(job, error, f"a request about its Workload {done}: {error.message}")

    def _once_patient(self, job: JobView, error: ApiError, said: str) -> str:
        """Returns what is shown about a failed request: what was shown before, while it can succeed soon."""
        self._failures[job.uid] += error.is_temporary
        is_shown = not error.is_temporary or self._failures[job.uid] >= _PATIENCE
        return said if is_shown else self._obstacles.get(job.uid, "")

    async def _step(self, job: JobView, workload: dict[str, Any] | None) -> Step:
        view = None if workload is None else read_workload(workload)
        # Each request takes time, in which the Job can change or end.
        job = self._now(job)
        step = next_step(job, view)
        if step is Step.COUNT_PODS:
            any_pods = await self._any_pods(job)
            job = self._now(job)
            step = next_step(job, view, any_pods)
        log = {"namespace": job.namespace, "job": job.name}
        now = self._clock()
        match step, workload:
            case Step.CREATE, _:
                if not await self._create(job):
                    return Step.WAIT
                logger.info("Created the Workload for LocalQueue %s", job.queue, extra=log)
            case Step.RESUME, dict():
                if await self._resume(job, workload):
                    logger.info("Resumed the Job, which Kueue has admitted", extra=log)
            case Step.SUSPEND, _:
                await self._change(job, {"suspend": True})
                logger.info("Suspended the Job, which Kueue does not admit any longer", extra=log)
            case Step.END, _:
                await self._change(job, {"suspend": False, "parallelism": 0})
                logger.info("Resumed the Job without Pods, so that its deadline ends it", extra=log)
            case Step.MARK_READY, dict():
                await self._tell(workload, workload_status.pods_ready(workload, now))
            case Step.RELEASE, dict():
                await self._tell(workload, workload_status.released(workload, now))
                logger.info("Returned the Job's quota; it waits in LocalQueue %s again", job.queue, extra=log)
            case Step.FINISH, dict():
                completed = job.outcome == "completed" or job.completed
                message = job.failure or job.outcome_message or "The Job has ended"
                await self._tell(
                    workload, workload_status.finished(workload, now, completed=completed, message=message)
                )
            case Step.DONE, _:
                self._done.add(job.uid)
        return step

    def _now(self, job: JobView) -> JobView:
        """Returns the Job as it was last seen."""
        current = self._runs.jobs.of(job.owner).get(job.name)
        return current if current is not None and current.uid == job.uid else replace(job, deleting=True)

    async def _change(self, job: JobView, spec: dict[str, Any]) -> None:
        """Changes a Job, unless it has changed since it was last seen."""
        patch = {"metadata": {"resourceVersion": job.resource_version}, "spec": spec}
        await self._jobs.change(job.namespace, job.name, patch)

    async def _create(self, job: JobView) -> bool:
        """Returns whether the Job still exists, and has a Workload now."""
        raw = await self._api.get(paths.job(job.namespace, job.name))
        if raw["metadata"]["uid"] != job.uid:
            return False
        found = priority_class(raw)
        if found is None:
            found, priority = default_priority((await self._api.list(paths.priority_classes()))[0])
        else:
            of_kueue = found.kind == "WorkloadPriorityClass"
            path = paths.workload_priority_class(found.name) if of_kueue else paths.priority_class(found.name)
            priority = value_of(await self._required(path))
        await self._api.create(paths.workloads(job.namespace), build_workload(raw, priority, found))
        return True

    async def _required(self, path: str) -> dict[str, Any]:
        try:
            return await self._api.get(path)
        except ApiError as error:
            if not error.is_not_found:
                raise
            raise _MissingError(f"{paths.kind_at(path)} {path.rpartition('/')[2]} does not exist: create it") from error

    async def _resume(self, job: JobView, workload: dict[str, Any]) -> bool:
        """Returns whether the Job was still to be resumed."""
        flavors = {
            name: await self._required(paths.resource_flavor(name)) for name in sorted(assigned_flavors(workload))
        }
        path = paths.job(job.namespace, job.name)
        raw = await self._api.get(path)
        current = read_job(raw)
        if current is None or next_step(current, read_workload(workload)) is not Step.RESUME:
            return False
        found = resumption(raw, workload, flavors)
        if found.resets_start:
            await self._api.merge_patch(f"{path}/status", {"status": {"startTime": None}})
            found = resumption(await self._api.get(path), workload, flavors)
        await self._jobs.change(job.namespace, job.name, found.job)
        return True

    async def _any_pods(self, job: JobView) -> bool:
        selector = f"{LABEL_TRIGGER_UID}={job.trigger_uid}"
        pods, _ = await self._api.list(paths.pods(job.namespace), labelSelector=selector)
        return any_left(job, pods)

    async def _tell(self, workload: dict[str, Any], patch: dict[str, Any]) -> None:
        metadata = workload["metadata"]
        await self._api.merge_patch(f"{paths.workload(metadata['namespace'], metadata['name'])}/status", patch)


def _why_rewritten(job: JobView) -> str:
    return (
        "Kueue manages the Job itself, and counts only its own Pod, not its executors: disable "
        f"manageJobsWithoutQueueName for this namespace, and delete Workload {job.name}"
    )


def _why_no_list(error: ApiError) -> str:
    if error.is_not_found:
        return "the cluster serves no Workloads of kueue.x-k8s.io/v1beta2: install a release of Kueue that does"
    return f"Kueue's Workloads cannot be listed: {error.message}"
