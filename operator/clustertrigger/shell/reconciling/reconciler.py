"""Collects the input of `decide` for a trigger, calls it, and executes the decision."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple, Protocol

from clustertrigger.api.conditions import EventReason
from clustertrigger.core.actions.registry import resolve
from clustertrigger.core.decide import decide
from clustertrigger.core.decision import (
    Action,
    AskWhy,
    CountEvents,
    CreateJob,
    Decision,
    DeleteJob,
    EndJob,
    LookUpJob,
    Observed,
)
from clustertrigger.core.events.chains import RUN_COMPLETED
from clustertrigger.core.jobs.workload import split
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.resources.trigger import Key, Trigger
from clustertrigger.core.status_patch import status_patch
from clustertrigger.shell.clock import Clock
from clustertrigger.shell.logs import log_context
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.observed.known import Known
from clustertrigger.shell.reconciling.agenda import Agenda
from clustertrigger.shell.reconciling.foresight import Foresight
from clustertrigger.shell.reconciling.inquiries import Inquiries
from clustertrigger.shell.reconciling.job_writer import JobWriter
from clustertrigger.shell.status.recorder import Recorder
from clustertrigger.shell.status.status_writer import Outcome, StatusWriter

logger = logging.getLogger(__name__)

_MOST_ROUNDS = 10
"""Maximum number of consecutive decisions with different actions; more is an internal error."""


class EventCounter(Protocol):
    """Counts events that the operator itself observes."""

    async def count(self, trigger: Trigger, run: CountEvents) -> None:
        """Counts a run of a trigger as events, for all other triggers that count such events.

        Raises:
            ApiError: it could not be stored; it may be counted again.
        """


class Notifier(Protocol):
    """Notifies receivers of the notifications in the statuses of triggers."""

    def delivered(self, trigger: Trigger) -> frozenset[tuple[str, str]]:
        """Returns the confirmed notifications that are still in the status, each with its receiver."""

    def follow(self, trigger: Trigger) -> None:
        """Sends the notifications in a trigger's status, which has been stored."""

    def forget(self, key: Key) -> None:
        """Removes a trigger that was deleted."""

    def gave_up(self, count: int) -> None:
        """Counts notifications that were given up."""


class Executors(NamedTuple):
    """The objects that execute decisions."""

    jobs: JobWriter
    inquiries: Inquiries
    events: EventCounter
    notifier: Notifier


class Reconciler:
    """Reconciles one trigger at a time."""

    def __init__(
        self,
        *,
        statuses: StatusWriter,
        clock: Clock,
        known: Known,
        executors: Executors,
        recorder: Recorder,
        agenda: Agenda,
        metrics: Metrics,
        surroundings: Observed,
    ) -> None:
        self._statuses = statuses
        self._clock = clock
        self._triggers = known.triggers
        self._runs = known.runs
        self._catalog = known.catalog
        self._complete = known.complete
        self._jobs, self._inquiries, self._events, self._notifier = executors
        self._recorder = recorder
        self._agenda = agenda
        self._queue = agenda.queue
        self._metrics = metrics
        self._surroundings = surroundings
        self._foresight = Foresight()

    async def work(self) -> None:
        """Takes keys from the queue, in an endless loop. An error with one trigger affects no other."""
        while True:
            key = await self._queue.take()
            started = time.perf_counter()
            try:
                await self._complete.wait()
                with log_context(namespace=key.namespace, trigger=key.name):
                    await self._reconcile_safely(key)
            finally:
                self._queue.done(key)
                self._metrics.reconcile.observe(time.perf_counter() - started)

    async def look_ahead(self) -> None:
        """Decides in advance about triggers that are due shortly, one at a time, in an endless loop."""
        while True:
            key, due = await self._agenda.soon()
            # An error here occurs again when the trigger is due, and is reported then.
            with suppress(Exception):
                if (trigger := self._triggers.get(key)) and self._clock() < due:
                    self._foresight.foresee(trigger, self._gather(trigger), due)
            await asyncio.sleep(0)

    async def answer(self) -> None:
        """Finds out why runs do not start, one namespace at a time, in an endless loop."""
        while True:
            try:
                keys = await self._inquiries.answer()
            except Exception:
                logger.exception("Internal error; the Kubernetes events of these runs are read again later")
                continue
            for key in filter(self._triggers.get, keys):
                self._agenda.now(key)

    async def _reconcile_safely(self, key: Key) -> None:
        try:
            await self.reconcile(key)
            self._queue.forget_failures(key)
        except ApiError as error:
            self._metrics.reconcile_errors.inc()
            logger.warning("Retrying in %.1f s: %s", self._queue.add_after_failure(key), error)
        except Exception:
            self._metrics.reconcile_errors.inc()
            logger.exception("Internal error; retrying in %.1f s", self._queue.add_after_failure(key))

    async def reconcile(self, key: Key) -> None:
        """Reconciles one trigger at one instant.

        Raises:
            ApiError: something could not be read or written; Nothing is lost, because the next attempt decides again.
        """
        trigger = self._triggers.get(key)
        if trigger is None or trigger.deleting:
            self._forget(key)
            return
        now = self._clock()
        looked_up: frozenset[str] = frozenset()
        counted: frozenset[str] = frozenset()
        for _ in range(_MOST_ROUNDS):
            observed = self._gather(trigger, looked_up, counted)
            decision = self._foresight.recall(trigger, observed, now) or decide(trigger, observed, now)
            if not decision.actions:
                break
            for action in decision.actions:
                await self._carry_out(trigger, action)
                if isinstance(action, LookUpJob):
                    looked_up |= {action.name}
                if isinstance(action, CountEvents):
                    counted |= {action.job}
            if decision.creates_job and self._queue.rest_once(key):
                return
        else:
            raise RuntimeError(f"no stable decision after {_MOST_ROUNDS} rounds: {decision.actions}")
        if await self._write_status(trigger, decision):
            self._agenda.at(key, decision.wake_at)
            self._inquiries.settle(key, decision.status)
            if self._jobs.settle(trigger, decision.status):
                self._agenda.now(key)
            for event in decision.events:
                self._recorder.record(trigger, event)
            self._notifier.gave_up(sum(event.reason is EventReason.NOTIFICATION_FAILED for event in decision.events))
            if (stored := self._triggers.get(key)) is not None:
                self._notifier.follow(stored)

    def _forget(self, key: Key) -> None:
        """Removes a trigger that was deleted or needs no further work."""
        for memory in (self._agenda, self._jobs, self._inquiries, self._foresight, self._notifier):
            memory.forget(key)

    def _gather(
        self, trigger: Trigger, looked_up: frozenset[str] = frozenset(), counted: frozenset[str] = frozenset()
    ) -> Observed:
        runs, checks = split({**self._jobs.lost(trigger), **self._runs.of(trigger.owner)})
        return replace(
            self._surroundings,
            work=resolve(self._catalog, trigger.key.namespace, trigger.spec) if trigger.spec else None,
            runs=runs,
            checks=checks,
            looked_up=looked_up,
            awaited=self._triggers.event_index.awaited(trigger.key.namespace, RUN_COMPLETED),
            delivered=self._notifier.delivered(trigger),
            counted=counted,
            refusals=self._jobs.refusals(trigger.key),
            warnings=self._inquiries.warnings(trigger.key),
            asked_at=self._inquiries.asked_at(trigger.key),
        )

    async def _carry_out(self, trigger: Trigger, action: Action) -> None:
        match action:
            case CreateJob():
                await self._jobs.create(trigger, action)
            case DeleteJob(name):
                await self._jobs.delete(trigger, name)
            case EndJob():
                await self._jobs.end(trigger, action)
            case LookUpJob(name):
                await self._jobs.look_up(trigger, name)
                run = self._runs.of(trigger.owner).get(name)
                if run is not None and run.is_vague:  # Otherwise, its events are not shown, and a list of them costs.
                    await self._inquiries.ask_now(trigger, name)
            case AskWhy(name):
                self._inquiries.ask(trigger, name)
            case CountEvents():
                await self._events.count(trigger, action)

    async def _write_status(self, trigger: Trigger, decision: Decision) -> bool:
        """Writes the changed fields once.

        Returns False if the trigger changed in the meantime and must be decided again.
        """
        changes = status_patch(trigger.raw_status, decision.status)
        if not changes:
            return True
        outcome = await self._statuses.write(trigger, changes)
        if outcome is Outcome.OUTDATED:
            self._queue.add_after_rest(trigger.key)
        if outcome is not Outcome.WRITTEN:
            return False
        self._count_ended(trigger, decision)
        return True

    def _count_ended(self, trigger: Trigger, decision: Decision) -> None:
        before, after = trigger.status, decision.status
        self._metrics.runs.labels("completed").inc(max(0, after.execution_count - before.execution_count))
        self._metrics.runs.labels("failed").inc(max(0, after.failure_count - before.failure_count))
        pending = {check.job_id for check in after.checks if check.status == "pending"}
        known = {check.job_id for check in before.checks if check.status != "pending"} | pending
        for check in after.checks:
            if check.job_id not in known:
                self._metrics.checks.labels(check.status).inc()
