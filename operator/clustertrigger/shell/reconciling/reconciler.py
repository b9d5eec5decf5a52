"""Gathers what is known of a trigger, lets `decide` decide, and carries the decision out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from clustertrigger.core.decide import decide
from clustertrigger.core.decision import Action, CreateJob, Decision, DeleteJob, EndJob, LookUpJob, Observed
from clustertrigger.core.jobs.workload import split
from clustertrigger.core.resources.trigger import Key, Trigger
from clustertrigger.shell.clock import Clock
from clustertrigger.shell.kube.api_server import ApiError, ApiServer
from clustertrigger.shell.kube.paths import trigger as trigger_path
from clustertrigger.shell.kube.status_patch import status_patch
from clustertrigger.shell.logs import log_context
from clustertrigger.shell.metrics import Metrics
from clustertrigger.shell.observed.intake import Known
from clustertrigger.shell.reconciling.agenda import Agenda
from clustertrigger.shell.reconciling.foresight import Foresight
from clustertrigger.shell.reconciling.job_writer import JobWriter
from clustertrigger.shell.reconciling.recorder import Recorder

logger = logging.getLogger(__name__)

_MOST_ROUNDS = 10
"""Decisions in a row that each ask for something else to be done; more is a mistake of ours."""
_CONFLICT, _NOT_FOUND, _NO_ANSWER = 409, 404, 0


class Reconciler:
    """Brings one trigger at a time to where it should be."""

    def __init__(
        self,
        *,
        api: ApiServer,
        clock: Clock,
        known: Known,
        jobs: JobWriter,
        recorder: Recorder,
        agenda: Agenda,
        metrics: Metrics,
        surroundings: Observed,
    ) -> None:
        self._api = api
        self._clock = clock
        self._triggers = known.triggers
        self._runs = known.runs
        self._catalog = known.catalog
        self._jobs = jobs
        self._recorder = recorder
        self._agenda = agenda
        self._queue = agenda.queue
        self._metrics = metrics
        self._surroundings = surroundings
        self._foresight = Foresight()
        self._rested: set[Key] = set()
        """Triggers that have fired since their status was written: they rest once, not each time they fire."""

    async def work(self) -> None:
        """Takes keys off the queue, for ever. What goes wrong with one trigger stays with it."""
        while True:
            key = await self._queue.take()
            started = time.perf_counter()
            try:
                with log_context(namespace=key.namespace, trigger=key.name):
                    await self._reconcile_safely(key)
            finally:
                self._queue.done(key)
                self._metrics.reconcile.observe(time.perf_counter() - started)

    async def look_ahead(self) -> None:
        """Decides beforehand about what will be due shortly, a trigger at a time, for ever."""
        while True:
            key, due = await self._agenda.soon()
            # What goes wrong here goes wrong again when it is due, and is told then.
            with suppress(Exception):
                if (trigger := self._triggers.get(key)) and self._clock() < due:
                    self._foresight.foresee(trigger, self._gather(trigger, frozenset()), due)
            await asyncio.sleep(0)

    async def _reconcile_safely(self, key: Key) -> None:
        try:
            await self.reconcile(key)
            self._queue.forget_failures(key)
        except ApiError as error:
            self._metrics.reconcile_errors.inc()
            logger.warning("Trying again in %.1f s: %s", self._queue.add_after_failure(key), error)
        except Exception:
            self._metrics.reconcile_errors.inc()
            logger.exception("A mistake of ours; trying again in %.1f s", self._queue.add_after_failure(key))

    async def reconcile(self, key: Key) -> None:
        """One trigger, at one instant.

        Raises:
            ApiError: something could not be read or written; nothing is lost, the next attempt decides anew.
        """
        trigger = self._triggers.get(key)
        if trigger is None or trigger.deleting:
            self._agenda.at(key, None)
            self._jobs.forget(key)
            self._foresight.forget(key)
            self._rested.discard(key)
            return
        now = self._clock()
        looked_up: frozenset[str] = frozenset()
        for _ in range(_MOST_ROUNDS):
            observed = self._gather(trigger, looked_up)
            decision = self._foresight.recall(trigger, observed, now) or decide(trigger, observed, now)
            if not decision.actions:
                break
            for action in decision.actions:
                await self._carry_out(trigger, action)
                if isinstance(action, LookUpJob):
                    looked_up |= {action.name}
            if decision.creates_job and key not in self._rested:
                # The Jobs of other triggers that are due come before this one's status and events, once: where
                # something fires again and again, these would never be written.
                self._rested.add(key)
                self._agenda.again(key)
                return
        else:
            raise RuntimeError(f"still undecided after {_MOST_ROUNDS} rounds: {decision.actions}")
        if await self._write_status(trigger, decision):
            self._rested.discard(key)
            self._agenda.at(key, decision.wake_at)
            if self._jobs.settle(trigger, decision.status):
                self._agenda.now(key)
            for event in decision.events:
                self._recorder.record(trigger, event)

    def _gather(self, trigger: Trigger, looked_up: frozenset[str]) -> Observed:
        runs, checks = split({**self._jobs.lost(trigger), **self._runs.of(trigger.owner)})
        return replace(
            self._surroundings,
            work=self._catalog.resolve(trigger.key.namespace, trigger.spec) if trigger.spec else None,
            runs=runs,
            checks=checks,
            looked_up=looked_up,
            refusals=self._jobs.refusals(trigger.key),
            warnings=self._jobs.warnings(trigger.key),
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

    async def _write_status(self, trigger: Trigger, decision: Decision) -> bool:
        """Writes what changed, once; False where the trigger has moved on and must be decided anew."""
        changes = status_patch(trigger.raw_status, decision.status)
        if not changes:
            return True
        # A write on top of another version would count twice or undo an edit's effect.
        body = {"metadata": {"resourceVersion": trigger.resource_version}, "status": changes}
        try:
            written = await self._api.merge_patch(trigger_path(trigger.key) + "/status", body)
        except ApiError as error:
            if error.status == _CONFLICT:
                await self._refresh(trigger)
                if self._triggers.get(trigger.key) is trigger:
                    raise  # no newer version explains the conflict: trying at once would only spin
                self._agenda.again(trigger.key)
                return False
            if error.status == _NOT_FOUND:
                self._triggers.gone(*trigger.key, trigger.uid)
                return False
            arrived = await self._read_back(trigger.key, changes) if error.status == _NO_ANSWER else None
            if arrived is None:
                raise
            written = arrived
        self._triggers.put(written)
        self._count_ended(trigger, decision)
        return True

    async def _read_back(self, key: Key, changes: Mapping[str, Any]) -> dict[str, Any] | None:
        """The trigger, if a write whose answer was lost has changed it: then its events are still to be told."""
        raw = await self._api.get(trigger_path(key))
        status = raw.get("status") or {}
        return raw if all(status.get(field) == value for field, value in changes.items()) else None

    async def _refresh(self, trigger: Trigger) -> None:
        try:
            self._triggers.put(await self._api.get(trigger_path(trigger.key)))
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
            self._triggers.gone(*trigger.key, trigger.uid)

    def _count_ended(self, trigger: Trigger, decision: Decision) -> None:
        before, after = trigger.status, decision.status
        self._metrics.runs.labels("completed").inc(max(0, after.execution_count - before.execution_count))
        self._metrics.runs.labels("failed").inc(max(0, after.failure_count - before.failure_count))
        pending = {check.job_id for check in after.checks if check.status == "pending"}
        known = {check.job_id for check in before.checks if check.status != "pending"} | pending
        for check in after.checks:
            if check.job_id not in known:
                self._metrics.checks.labels(check.status).inc()
