"""The coming slots of a trigger, as far as its schedule knows them in advance."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from clustertrigger.api.schedule import ConditionalSchedule, CronSchedule, EventSchedule, IntervalSchedule
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.schedules.timetable import timetable


def slots_from(spec: ClusterTriggerSpec, start: datetime, anchor: datetime | None, count: int) -> tuple[datetime, ...]:
    """The first slots of a schedule from an instant on; none where they are not known in advance.

    Args:
        spec: of the trigger.
        start: the instant.
        anchor: slot 0 of an interval's grid; None: the trigger is as if created at `start`.
        count: at most so many.
    """
    schedule = spec.schedule
    return () if isinstance(schedule, EventSchedule) else tuple(_slots(schedule, start, anchor, count))


def _slots(
    schedule: CronSchedule | IntervalSchedule | ConditionalSchedule,
    start: datetime,
    anchor: datetime | None,
    count: int,
) -> Iterator[datetime]:
    coming = timetable(schedule, anchor=anchor or start)
    # Of a trigger that is created now, a slot at its anchor is one of the coming ones: looking begins just before.
    at_once = coming.latest_until(start) if anchor is None and isinstance(schedule, IntervalSchedule) else None
    slot = at_once or coming.next_after(start)
    for _ in range(count):
        if slot is None:
            return
        yield slot
        slot = coming.next_after(slot)
