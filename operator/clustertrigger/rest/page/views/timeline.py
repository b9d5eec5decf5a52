"""Computes the coming 24 hours: which triggers fire when, and when many fire at the same time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from clustercontract.counted import counted
from clustertrigger.api.schedule import EventSchedule
from clustertrigger.core.json_text import read_json
from clustertrigger.core.resources.validation import parse_trigger
from clustertrigger.core.schedules.timetable import ScheduleError, timetable
from clustertrigger.rest.page.views.glance import Glance
from clustertrigger.rest.page.views.words import Moment, moment

HOURS = 24
STEP = 30
"""Minutes of one column."""
COLUMNS = HOURS * 60 // STEP
MINUTES = HOURS * 60
LANES = 12
"""Maximum number of triggers that are drawn individually: those that fire first."""
CROWDS = 3
LARGEST = 1000
"""Maximum number of triggers that are included: the first ones."""
_MOST_SLOTS = 96
"""Maximum number of slots in a day that are drawn individually; a trigger with more is drawn as spans."""
_NAMES = 4


@dataclass(frozen=True, slots=True)
class Column:
    """Half an hour.

    Attributes:
        x: Its beginning, in minutes from the left.
        at: Its beginning, as an instant.
        triggers: Number of triggers that fire in it.
        height: 0 to 100; the fullest column has 100.
    """

    x: int
    at: Moment
    triggers: int
    height: int


@dataclass(frozen=True, slots=True)
class Span:
    """A span in which a trigger fires, in minutes from the left."""

    start: int
    width: int


@dataclass(frozen=True, slots=True)
class Lane:
    """One trigger's day.

    Attributes:
        spans: When it fires.
        checks: Whether these are checks, which fire only on drift.
        words: Description for screen readers.
    """

    namespace: str
    name: str
    spans: Sequence[Span]
    checks: bool
    first: Moment
    words: str


@dataclass(frozen=True, slots=True)
class Crowd:
    """Triggers that fire in the same minute.

    Attributes:
        at: The first time.
        times: How often this happens in the coming 24 hours.
    """

    at: Moment
    times: int
    triggers: int
    names: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The coming 24 hours.

    Attributes:
        columns: Half-hours, beginning with the current one.
        lanes: The triggers that fire first.
        crowds: The minutes in which most triggers fire.
        marks: Every sixth hour, with minutes from the left.
        summary: Summary in one line.
    """

    columns: Sequence[Column]
    lanes: Sequence[Lane]
    crowds: Sequence[Crowd]
    marks: Sequence[tuple[int, Moment]]
    summary: str


@dataclass(frozen=True, slots=True)
class _Day:
    """When one schedule fires, in minutes from the start.

    Attributes:
        minutes: Minutes of its slots; empty if there are too many.
        columns: Columns in which it fires.
    """

    minutes: tuple[int, ...]
    columns: tuple[int, ...]


_NEVER = _Day((), ())


def timeline(glances: Sequence[Glance], now: datetime) -> Timeline:
    """Returns the timeline.

    Args:
        glances: The triggers.
        now: The current time.
    """
    start = now.replace(minute=now.minute // STEP * STEP, second=0, microsecond=0)
    days = [(one, day) for one in glances[:LARGEST] if (day := _day_of(one, start, now)).columns]
    counts = Counter(column for _, day in days for column in day.columns)
    fullest = max(counts.values(), default=1)
    columns = [
        Column(
            STEP * n,
            _moment(start + timedelta(minutes=STEP * n), now),
            counts[n],
            round(100 * counts[n] / fullest),
        )
        for n in range(COLUMNS)
    ]
    days.sort(key=lambda found: (_first(found[1]), found[0].namespace, found[0].name))
    return Timeline(
        columns=columns,
        lanes=[_lane(one, day, start, now) for one, day in days[:LANES]],
        crowds=_crowds(days, start, now),
        marks=[(60 * hour - start.minute, _moment(at, now)) for hour, at in _hours(start)],
        summary=_summary(len(glances), len(days)),
    )


def _day_of(glance: Glance, start: datetime, now: datetime) -> _Day:
    if glance.schedule is None:
        return _NEVER
    return _day(glance.schedule, glance.anchor, start, now.replace(second=0, microsecond=0))


@lru_cache(maxsize=16_384)
def _day(schedule: bytes, anchor: datetime, start: datetime, now: datetime) -> _Day:
    """Returns the slots of a schedule.

    They are cached for all triggers with the same schedule, until the minute is over.
    """
    spec, _ = parse_trigger({**read_json(schedule), "cluster_id": "any"})
    if spec is None or isinstance(spec.schedule, EventSchedule):
        return _NEVER
    try:
        slots = timetable(spec.schedule, anchor)
    except ScheduleError:
        return _NEVER
    end = start + timedelta(minutes=MINUTES)
    minutes: list[int] = []
    slot = slots.next_after(now)
    while slot is not None and slot < end and len(minutes) <= _MOST_SLOTS:
        minutes.append((slot - start) // timedelta(minutes=1))
        slot = slots.next_after(slot)
    if len(minutes) <= _MOST_SLOTS:
        return _Day(tuple(minutes), tuple(sorted({minute // STEP for minute in minutes})))
    second = timedelta(seconds=1)
    columns = []
    for number in range(COLUMNS):
        begin = max(start + timedelta(minutes=STEP * number), now + second)
        first = slots.next_after(begin - second)
        if first is not None and first < start + timedelta(minutes=STEP * (number + 1)):
            columns.append(number)
    return _Day((), tuple(columns))


def _first(day: _Day) -> int:
    return day.minutes[0] if day.minutes else day.columns[0] * STEP


def _lane(glance: Glance, day: _Day, start: datetime, now: datetime) -> Lane:
    if day.minutes:
        spans = [Span(minute, 0) for minute in day.minutes]
        what = counted(len(day.minutes), "slot")
    else:
        spans = _joined(day.columns)
        what = f"more than {_MOST_SLOTS} slots"
    return Lane(
        namespace=glance.namespace,
        name=glance.name,
        spans=spans,
        checks=glance.trigger_type == "conditional",
        first=_moment(max(start + timedelta(minutes=_first(day)), now), now),
        words=what,
    )


def _joined(columns: Sequence[int]) -> list[Span]:
    spans: list[Span] = []
    for column in columns:
        if spans and spans[-1].start + spans[-1].width == column * STEP:
            spans[-1] = Span(spans[-1].start, spans[-1].width + STEP)
        else:
            spans.append(Span(column * STEP, STEP))
    return spans


def _crowds(days: Sequence[tuple[Glance, _Day]], start: datetime, now: datetime) -> list[Crowd]:
    together: defaultdict[int, list[str]] = defaultdict(list)
    for glance, day in days:
        for minute in sorted(set(day.minutes)):
            together[minute].append(glance.name)
    minutes: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for minute, names in sorted(together.items()):
        if len(names) > 1:
            minutes[tuple(sorted(names))].append(minute)
    crowds = []
    for group, found in sorted(minutes.items(), key=lambda item: (-len(item[0]), item[1][0]))[:CROWDS]:
        more = f" and {len(group) - _NAMES} more" if len(group) > _NAMES else ""
        at = _moment(start + timedelta(minutes=found[0]), now)
        crowds.append(Crowd(at, len(found), len(group), ", ".join(group[:_NAMES]) + more))
    return crowds


def _hours(start: datetime) -> list[tuple[int, datetime]]:
    first = start.replace(minute=0)
    hours = [(hour, first + timedelta(hours=hour)) for hour in range(1, HOURS + 1)]
    return [(hour, at) for hour, at in hours if at.hour % 6 == 0 and 60 * hour - start.minute < MINUTES]


def _summary(total: int, firing: int) -> str:
    if not firing:
        return "No trigger has a slot in the coming 24 hours."
    looked_at = "" if total <= LARGEST else f" of the first {LARGEST:,}"
    return f"{counted(firing, 'trigger')}{looked_at} {'has' if firing == 1 else 'have'} slots in the coming 24 hours."


def _moment(instant: datetime, now: datetime) -> Moment:
    found = moment(instant, now)
    assert found is not None  # noqa: S101 - for mypy
    return found
