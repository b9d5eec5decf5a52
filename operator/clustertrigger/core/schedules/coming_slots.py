"""Computes the next slots of a trigger, if its schedule determines them in advance."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from clustertrigger.api.schedule import ConditionalSchedule, CronSchedule, EventSchedule, IntervalSchedule
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.schedules.timetable import timetable


def slots_from(spec: ClusterTriggerSpec, start: datetime, anchor: datetime | None, count: int) -> tuple[datetime, ...]:
    """Returns the first slots of a schedule from an instant on; none if they are not known in advance.

    Args:
        spec: The trigger's spec.
        start: The instant.
        anchor: Slot 0 of an interval's grid; None computes the slots as if the trigger was created at `start`.
        count: Maximum number of slots.
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
    # A slot at the anchor of a trigger that is created now counts, so the search starts just before it.
    at_once = coming.latest_until(start) if anchor is None and isinstance(schedule, IntervalSchedule) else None
    slot = at_once or coming.next_after(start)
    for _ in range(count):
        if slot is None:
            return
        yield slot
        slot = coming.next_after(slot)
