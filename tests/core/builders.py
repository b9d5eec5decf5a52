"""Triggers and runs for the tables of tests, with only the fields that a case is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import to_json

from clustertrigger.api.collection import CollectionSpec
from clustertrigger.api.conditions import EventReason
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.actions.cluster import ClusterWork
from clustertrigger.core.actions.work import RunDefaults, Work
from clustertrigger.core.decide import decide
from clustertrigger.core.decision import AskWhy, CreateJob, Decision, DeleteJob, EndJob, LookUpJob, Observed, Refusal
from clustertrigger.core.events.event_counting import Arrival, count_events
from clustertrigger.core.events.seen_events import fingerprint
from clustertrigger.core.jobs.naming import job_name
from clustertrigger.core.jobs.slot import ScheduledSlot, parse_slot
from clustertrigger.core.jobs.workload import ObservedRun, split
from clustertrigger.core.resources.catalog import Unresolved
from clustertrigger.core.resources.trigger import Trigger, parse_spec, read_trigger
from clustertrigger.core.status_patch import status_patch
from harness.control_plane.merge_patch import merge_patch

CREATED = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
UID = "0f0e0d0c-0b0a-0908-0706-050403020100"
DEFAULTS = RunDefaults(image="worker:1")
EXECUTION = {"collection_ids": ["col_a"], "config": {"algorithm": "kmeans", "n_clusters": 3}}
HOURLY_CHECK = {
    "trigger_type": "conditional",
    "schedule_config": {
        "condition_type": "drift",
        "threshold": 0.3,
        "metric": "cosine_drift",
        "check_interval_seconds": 3600,
    },
    "execution_config": EXECUTION,
}
HOURLY = {"trigger_type": "interval", "schedule_config": {"interval_seconds": 3600}, "execution_config": EXECUTION}
MINUTELY = {"trigger_type": "cron", "schedule_config": {"cron_expression": "* * * * *"}, "execution_config": EXECUTION}
EVENTS = {
    "trigger_type": "event",
    "schedule_config": {"event_type": "documents_added", "event_threshold": 100, "collection_id": "col_a"},
    "execution_config": EXECUTION,
}


def at(seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> datetime:
    """An instant after the trigger's creation."""
    return CREATED + timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)


def spec(base: Mapping[str, Any] = HOURLY, **changes: Any) -> dict[str, Any]:
    """A spec with some fields changed."""
    return {**base, **changes}


def trigger(
    raw_spec: Mapping[str, Any] = HOURLY,
    status: Mapping[str, Any] | None = None,
    *,
    generation: int = 1,
    edited_at: datetime | None = CREATED,
    annotations: Mapping[str, str] | None = None,
) -> Trigger:
    """A trigger as the API server returns it."""
    managed = [] if edited_at is None else [{"time": edited_at.isoformat(), "fieldsV1": {"f:spec": {}}}]
    return read_trigger(
        {
            "metadata": {
                "namespace": "search",
                "name": "products",
                "uid": UID,
                "generation": generation,
                "resourceVersion": "7",
                "creationTimestamp": CREATED.isoformat(),
                "annotations": {f"clustertrigger.dev/{name}": value for name, value in (annotations or {}).items()},
                "managedFields": managed,
            },
            "spec": raw_spec,
            "status": status or {},
        }
    )


def run(slot: datetime | str, phase: Any = "pending", **fields: Any) -> ObservedRun:
    """A run as its Job shows it; created at its slot unless specified otherwise."""

    parsed = parse_slot(slot) if isinstance(slot, str) else ScheduledSlot(slot)
    assert parsed is not None
    created = fields.pop("created_at", slot if isinstance(slot, datetime) else CREATED)
    return ObservedRun(job=job_name("products", UID, parsed), slot=parsed, created_at=created, phase=phase, **fields)


def observed(
    runs: Iterable[ObservedRun] = (),
    *,
    work: Work | Unresolved | None = None,
    refusals: Mapping[str, Refusal] | None = None,
    looked_up: Iterable[str] = (),
) -> Observed:
    """The observed objects; the collection exists unless specified otherwise."""
    parsed = ClusterTriggerSpec.model_validate(HOURLY)
    assert parsed.execution_config is not None
    collection = CollectionSpec.model_validate({"source": {"uri": "a.parquet"}, "volume": "data"})
    seen_runs, checks = split({run.job: run for run in runs})
    return Observed(
        cluster_id="cluster-uid",
        defaults=DEFAULTS,
        work=work or ClusterWork(execution=parsed.execution_config, collections=(("col_a", collection),)),
        runs=seen_runs,
        checks=checks,
        looked_up=frozenset(looked_up),
        refusals=refusals or {},
    )


class World:
    """A trigger and its runs over time: decisions are carried out as the shell does, and statuses are kept."""

    def __init__(self, raw_spec: Mapping[str, Any] = HOURLY, **fields: Any) -> None:
        self.trigger = trigger(raw_spec, **fields)
        self.runs: dict[str, ObservedRun] = {}
        self.refusals: dict[str, Refusal] = {}
        self.work: Work | Unresolved | None = None
        self.created: list[str] = []
        self.ended: dict[str, str] = {}
        """Jobs that the operator ended, and the reasons."""
        self.warnings: dict[str, str] = {}
        """The warnings that events contain, once they are read."""
        self.asked_at: dict[str, datetime] = {}
        self.looked_up: list[str] = []
        """Jobs that were looked up, or whose events were read, in order."""
        self.events: list[str] = []
        self.writes = 0
        self.refuse = False

    def edit(self, raw_spec: Mapping[str, Any], when: datetime | None) -> None:
        """Changes the spec."""
        parsed, problems = parse_spec({"spec": raw_spec})
        self.trigger = replace(
            self.trigger, spec=parsed, problems=problems, generation=self.trigger.generation + 1, edited_at=when
        )

    def send(self, now: datetime, *ids: str, count: int = 1, chain: tuple[str, ...] = ()) -> tuple[bool, ...] | None:
        """Adds events, each of which represents `count` documents; returns for each whether it was counted."""
        arrivals = [Arrival(fingerprint("test", event), count, chain) for event in ids]
        counted = count_events(self.trigger, arrivals, now)
        if counted is None:
            return None
        self._write(Decision((), counted.status, (), None))
        return counted.fresh

    def request(self, *, run: str | None = None, reset: str | None = None) -> None:
        """Sets the annotation."""
        self.trigger = replace(
            self.trigger,
            run_requested=run or self.trigger.run_requested,
            reset_requested=reset or self.trigger.reset_requested,
        )

    def step(self, now: datetime) -> Decision:
        """Reconciles once at an instant."""

        looked_up: set[str] = set()
        for _ in range(10):
            decision = decide(self.trigger, self._observe(looked_up), now)
            if not decision.actions:
                self._write(decision)
                return decision
            self._require_lasting(decision, now, looked_up)
            for action in decision.actions:
                match action:
                    case CreateJob(name, slot):
                        if self.refuse:
                            before = self.refusals.get(name)
                            since = before.since if before else now
                            self.refusals[name] = refusal(since=since, retry_at=now + timedelta(seconds=30))
                        else:
                            assert name not in self.runs, "created twice"
                            self.created.append(str(slot))
                            self.runs[name] = ObservedRun(job=name, slot=slot, created_at=now, phase="pending")
                    case DeleteJob(name):
                        del self.runs[name]
                    case EndJob(name, reason, completed):
                        self.ended[name] = reason
                        self.runs[name] = replace(self.runs[name], ended_by_operator=True, recorded=completed)
                        if not completed:
                            self.runs[name] = replace(self.runs[name], phase="failed", error=reason)
                    case LookUpJob(name):
                        looked_up.add(name)
                        self.looked_up.append(name)
                        self.asked_at.setdefault(name, now)
                    case AskWhy(name):
                        self.looked_up.append(name)
                        self.asked_at[name] = now
        raise AssertionError("still undecided")

    def end(self, phase: Any = "completed", **fields: Any) -> None:
        """Ends the newest run."""
        name = max(self.runs.values(), key=lambda run: run.created_at).job
        self.runs[name] = replace(self.runs[name], phase=phase, **fields)

    def _observe(self, looked_up: set[str]) -> Observed:
        seen = observed(self.runs.values(), work=self.work, refusals=self.refusals, looked_up=looked_up)
        warnings = {job: said for job, said in self.warnings.items() if job in self.asked_at}
        return replace(seen, warnings=warnings, asked_at=dict(self.asked_at))

    def _require_lasting(self, decision: Decision, now: datetime, looked_up: set[str]) -> None:
        """Asserts that a decision that creates a Job stays the same until its wake_at, so it can be made early."""
        if not decision.creates_job:
            return
        assert decision.wake_at is not None
        assert decision.wake_at > now
        for later in (now + (decision.wake_at - now) / 2, decision.wake_at - timedelta(microseconds=1)):
            assert decide(self.trigger, self._observe(looked_up), later).actions == decision.actions, later

    def _write(self, decision: Decision) -> None:
        patch = status_patch(self.trigger.raw_status, decision.status)
        if patch:
            self.writes += 1
            self.trigger = replace(
                self.trigger, status=decision.status, status_json=to_json(merge_patch(self.trigger.raw_status, patch))
            )
        self.events += [f"{event.reason}: {event.message}" for event in decision.events]


def refusal(*, since: datetime, retry_at: datetime, message: str = "quota exceeded") -> Refusal:
    """A refused create."""

    return Refusal(EventReason.CREATE_REFUSED, message, since, retry_at)


def condition(world: World, kind: str) -> tuple[str, str]:
    """Status and reason of a condition."""
    found = next(c for c in world.trigger.status.conditions if c.type == kind)
    return found.status, found.reason


def message(world: World, kind: str) -> str:
    """The message of a condition."""
    return next(c for c in world.trigger.status.conditions if c.type == kind).message


def fire(world: World, hour: int) -> None:
    """Lets the slot of an hour become due."""
    world.step(at(hours=hour))


def fail(world: World, hour: int, error: str = "no such column") -> None:
    """Lets its run fail half a minute later."""
    fire(world, hour)
    world.end("failed", error=error)
    world.step(at(hours=hour, seconds=30))


def started(world: World, phase: Any, **fields: Any) -> str:
    """Fires the first slot of an hourly trigger, and sets the phase of its run immediately."""
    fire(world, 1)
    world.end(phase, **fields)
    (name,) = world.runs
    return name
