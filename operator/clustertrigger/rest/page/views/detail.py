"""Builds the page of one trigger: all about it, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from clustertrigger.api import API_VERSION
from clustertrigger.api.conditions import ConditionType
from clustertrigger.api.names import COMMAND
from clustertrigger.api.schedule import CronSchedule
from clustertrigger.api.status import Execution
from clustertrigger.core.effective_state import effective_status, has_stopped
from clustertrigger.core.humanize import duration
from clustertrigger.core.instants import parse_instant
from clustertrigger.core.resources.gitops import managed_by
from clustertrigger.core.resources.validation import parse_trigger
from clustertrigger.core.schedules.coming_slots import slots_from
from clustertrigger.core.schedules.timetable import ScheduleError
from clustertrigger.core.schedules.wallclock import wall_clock
from clustertrigger.core.trigger_state import TriggerState, advice, condition_in_words, is_bad, work_in_words
from clustertrigger.core.yaml_text import write_yaml
from clustertrigger.rest.actions import action_of
from clustertrigger.rest.page.views.charts import Bars, bars
from clustertrigger.rest.page.views.drift import DriftView, drift_view
from clustertrigger.rest.page.views.result import ResultView, result_view
from clustertrigger.rest.page.views.words import TONES, Moment, Tone, moment, took

Object = Mapping[str, Any]
Verb = Literal["run", "pause", "resume", "reset"]
SLOTS = 10
_CALM: dict[ConditionType, Tone] = {
    ConditionType.READY: "good",
    ConditionType.STALLED: "bad",
    ConditionType.RUNNING: "busy",
}
"""Colours of conditions that are true."""
_COMMAND = re.compile(rf"(.*?): ((?:{COMMAND}|kubectl) .+)", re.DOTALL)
"""Matches a sentence that ends with a command."""


@dataclass(frozen=True, slots=True)
class ConditionView:
    """A condition as text."""

    words: str
    tone: Tone
    message: str
    since: Moment | None


@dataclass(frozen=True, slots=True)
class SlotView:
    """A future slot.

    Attributes:
        local: The slot in the trigger's time zone.
    """

    at: Moment
    local: str


@dataclass(frozen=True, slots=True)
class Coming:
    """The next slots.

    Attributes:
        sentence: A sentence that replaces the slots, or explains them.
        zone: The trigger's time zone.
    """

    sentence: str
    zone: str
    slots: Sequence[SlotView]


@dataclass(frozen=True, slots=True)
class EventsView:
    """The events that are counted.

    Attributes:
        share: Share of the threshold, 0 to 1.
        cooldown: Description of the cooldown.
        cools_until: End of the current cooldown.
    """

    counter: int
    threshold: int
    share: int
    what: str
    cooldown: str
    cools_until: Moment | None


@dataclass(frozen=True, slots=True)
class RunView:
    """A row in the table of runs."""

    job: str
    at: Moment | None
    slot: str
    status: str
    tone: Tone
    took: str
    clusters: str
    documents: str
    error: str
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Step:
    """What a person can do."""

    text: str
    command: str


@dataclass(frozen=True, slots=True)
class Button:
    """An action that the reader can request."""

    verb: Verb
    label: str
    hint: str


@dataclass(frozen=True, slots=True)
class Detail:
    """The page of one trigger."""

    namespace: str
    name: str
    state: str
    tone: Tone
    description: str
    facts: Sequence[tuple[str, str]]
    notice: str
    conditions: Sequence[ConditionView]
    coming: Coming
    events: EventsView | None
    counts: str
    error: str
    steps: Sequence[Step]
    bars: Bars | None
    runs: Sequence[RunView]
    found: ResultView | None
    drift: DriftView | None
    buttons: Sequence[Button]
    gitops: str
    yaml: str


_RESET = Button("reset", "Reset failures", "Sets the number of consecutive failures to 0")


def detail(raw: Object, now: datetime, *, may_change: bool) -> Detail:
    """Returns the page of one trigger.

    Args:
        raw: The object.
        now: The current time.
        may_change: Whether the reader may change the trigger.
    """
    state = TriggerState(raw)
    status, spec = state.status, raw["spec"]
    failed = state.last is not None and state.last.status == "failed"
    tool = managed_by(raw["metadata"])
    return Detail(
        namespace=state.namespace,
        name=state.name,
        state=state.word,
        tone=TONES.get(state.word, "unsure"),
        description=str(spec.get("description") or ""),
        facts=list(_facts(state, now)),
        notice=_notice(state),
        conditions=list(_conditions(state, now)),
        coming=_coming(state, now),
        events=_events(state, now),
        counts=_counts(state),
        error=(state.last.error or "no reason is known") if failed and state.last else "",
        steps=[_step(line) for line in advice(state, f"-n {state.namespace}")],
        bars=bars(status.history),
        runs=[run_view(run, now) for run in status.history],
        found=result_view(state),
        drift=drift_view(state, now),
        buttons=list(_buttons(state)) if may_change else [],
        gitops=f"{tool} applies this trigger, and may set its status back: change it at the source too" if tool else "",
        yaml=_as_yaml(raw),
    )


def _facts(state: TriggerState, now: datetime) -> Iterator[tuple[str, str]]:
    spec, status = state.raw["spec"], state.status
    yield "Type", f"{spec.get('trigger_type')} {status.schedule or ''}".strip()
    yield "Action", action_of(spec)
    yield "Clusters", work_in_words(spec)
    created = moment(parse_instant(state.raw["metadata"]["creationTimestamp"]), now)
    by = f" by {status.created_by}" if status.created_by else ""
    yield "Created", f"{created.words if created else ''}{by}"
    if status.trigger_id:
        yield "Id", status.trigger_id


def _notice(state: TriggerState) -> str:
    if not state.is_seen:
        return "The operator has not seen this trigger."
    return "" if state.is_current else "This is the state before the last edit, which the operator has not seen yet."


def _conditions(state: TriggerState, now: datetime) -> Iterator[ConditionView]:
    if not state.is_seen:
        return
    for kind in ConditionType:
        if (condition := state.condition(kind)) is not None:
            tone: Tone = "bad" if is_bad(condition) else _CALM[kind] if condition.status == "True" else "off"
            since = moment(condition.lastTransitionTime, now)
            yield ConditionView(condition_in_words(condition), tone, condition.message, since)


def _coming(state: TriggerState, now: datetime) -> Coming:
    spec, _ = parse_trigger(state.raw["spec"])
    if spec is None:
        return Coming("The trigger does not fire, because its spec is invalid.", "", ())
    if (effective := effective_status(state.raw)) != "active":
        return Coming(f"The trigger does not fire: it is {effective}.", "", ())
    if spec.trigger_type == "event":
        return Coming("", "", ())
    memory = state.status.schedule_state
    zone, name = None, "UTC"
    try:
        if isinstance(spec.schedule, CronSchedule):
            zone, name = wall_clock(spec.schedule.timezone).zone, spec.schedule.timezone
        slots = slots_from(spec, now, memory.anchor if memory else None, SLOTS)
    except ScheduleError as error:
        return Coming(f"The trigger does not fire: {error}", "", ())
    if not slots:
        return Coming("No slot is left.", name, ())
    is_check = spec.trigger_type == "conditional"
    sentence = (
        "Each slot is a check. The trigger fires only if the check finds that the condition is met." if is_check else ""
    )
    shown = []
    for slot in slots:
        at = moment(slot, now)
        if at is not None:
            local = slot.astimezone(zone) if zone else slot
            shown.append(SlotView(at, f"{local:%a %d %b %H:%M:%S}" + (f" {local.tzname()}" if zone else "")))
    return Coming(sentence, name, shown)


def _events(state: TriggerState, now: datetime) -> EventsView | None:
    schedule, status = state.raw["spec"].get("schedule_config") or {}, state.status
    threshold = schedule.get("event_threshold")
    if not threshold:
        return None
    seconds = schedule.get("cooldown_seconds") or 0
    began = status.last_cooldown_at
    ends = began + timedelta(seconds=seconds) if began and seconds else None
    return EventsView(
        counter=status.event_counter,
        threshold=threshold,
        share=min(round(100 * status.event_counter / threshold), 100),
        what=f"{schedule.get('event_type')} for {schedule.get('collection_id')}",
        cooldown=f"Cooldown: at least {duration(seconds)} from one run to the next" if seconds else "No cooldown",
        cools_until=moment(ends, now) if ends and ends > now else None,
    )


def _counts(state: TriggerState) -> str:
    status = state.status
    row = f" ({status.consecutive_failures} in a row)" if status.consecutive_failures else ""
    return f"{status.execution_count:,} completed, {status.failure_count:,} failed{row}"


def run_view(run: Execution, now: datetime) -> RunView:
    """Returns a run as a row of a table."""
    return RunView(
        job=run.job_id,
        at=moment(run.triggered_at, now),
        slot=run.slot,
        status=run.status,
        tone=TONES.get(run.status, "unsure"),
        took=took(run.execution_time_ms),
        clusters="" if run.num_clusters is None else f"{run.num_clusters:,}",
        documents="" if run.num_documents is None else f"{run.num_documents:,}",
        error=run.error or "",
        notes=run.notes or (),
    )


def _step(line: str) -> Step:
    found = _COMMAND.fullmatch(line)
    return Step(f"{found[1]}:", found[2]) if found else Step(line, "")


def _buttons(state: TriggerState) -> Iterator[Button]:
    desired, stopped = state.raw["spec"].get("status", "active"), has_stopped(state.raw)
    if stopped:
        yield _RESET
    elif desired == "active":
        yield Button("run", "Run now", "The schedule does not change")
    if desired == "active":
        yield Button("pause", "Pause", "The trigger does not fire, but counts events. An active run continues")
    else:
        yield Button("resume", "Resume", "Slots that passed in the meantime do not fire")
    if state.status.consecutive_failures and not stopped:
        yield _RESET


def _as_yaml(raw: Object) -> str:
    metadata = {name: value for name, value in raw["metadata"].items() if name != "managedFields"}
    parts = ("spec", "status")
    shown = {"apiVersion": API_VERSION, "kind": "ClusterTrigger", "metadata": metadata}
    shown |= {name: raw[name] for name in parts if name in raw}
    return write_yaml(shown, width=80)
