"""Converts between instants and the wall time of a time zone, both in whole seconds.

An instant counts seconds since the Unix epoch. Wall time counts the seconds that a local clock and calendar show since
1970-01-01 00:00, so a calendar day has 86,400 of them in every zone. Between two changes of its offset, a zone's wall
time is instant + offset; such a span is a `Stretch`. The rules come from the tzdata package alone, never from the
machine, so that every replica and every laptop agrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from clustertrigger.core.schedules.schedule_error import ScheduleError
from clustertrigger.core.schedules.zone_advice import remedy

DAY = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONE_FIELD = "schedule_config.timezone"
_PROBE = 3 * DAY
"""Minimum distance between two changes of a zone's offset: six days in Gaza in 2040. A test verifies this for tzdata.
"""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A span of time in which a zone's offset does not change: instants start <= t < end, in seconds."""

    start: int
    end: int
    offset: int

    @property
    def wall_start(self) -> int:
        """Wall time at the first instant."""
        return self.start + self.offset

    @property
    def wall_end(self) -> int:
        """Wall time at the end, if the offset had not changed."""
        return self.end + self.offset


class WallClock:
    """The wall clock of one zone. Use `wall_clock`, which keeps one per zone."""

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone
        self._years: dict[int, tuple[Stretch, ...]] = {}

    def at(self, instant: int) -> Stretch | None:
        """Returns the stretch that contains this instant; None outside of the years 1 to 9999."""
        year = 1970 + instant // 31_556_952  # the mean Gregorian year: off by one at most, near New Year
        for candidate in (year, year - 1, year + 1):
            for stretch in self._year(candidate):
                if stretch.start <= instant < stretch.end:
                    return stretch
        return None

    def after(self, stretch: Stretch) -> Stretch | None:
        """Returns the stretch that follows. If it begins at New Year (UTC), the offset can be the same."""
        return self.at(stretch.end)

    def before(self, stretch: Stretch) -> Stretch | None:
        """Returns the stretch that precedes. If it ends at New Year (UTC), the offset can be the same."""
        return self.at(stretch.start - 1)

    def _year(self, year: int) -> tuple[Stretch, ...]:
        if year not in self._years:
            self._years[year] = tuple(self._stretches(year)) if MINYEAR < year < MAXYEAR else ()
        return self._years[year]

    def _stretches(self, year: int) -> list[Stretch]:
        """Returns the year's stretches: samples the offset every few days, and bisects where it has changed."""
        end = _seconds(datetime(year + 1, 1, 1, tzinfo=UTC))
        start = seen = _seconds(datetime(year, 1, 1, tzinfo=UTC))
        offset = self._offset(start)
        found = []
        while seen < end - 1:
            probe = min(seen + _PROBE, end - 1)
            if self._offset(probe) != offset:
                change = self._change(seen, probe)
                found.append(Stretch(start, change, offset))
                start = seen = change
                offset = self._offset(change)
            else:
                seen = probe
        found.append(Stretch(start, end, offset))
        return found

    def _change(self, before: int, after: int) -> int:
        """Returns the first instant of the new offset, between one of the old and one of the new."""
        old = self._offset(before)
        while after - before > 1:
            middle = (before + after) // 2
            if self._offset(middle) == old:
                before = middle
            else:
                after = middle
        return after

    def _offset(self, instant: int) -> int:
        offset = datetime.fromtimestamp(instant, self.zone).utcoffset()
        assert offset is not None  # noqa: S101 - an aware time has one
        return offset // timedelta(seconds=1)


def _seconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(seconds=1)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Names of the IANA time zones, without Factory, which means that the zone has not been set."""
    return frozenset((resources.files("tzdata") / "zones").read_text(encoding="utf-8").split()) - {"Factory"}


@lru_cache(maxsize=1024)
def wall_clock(name: str) -> WallClock:
    """Returns the clock of an IANA zone.

    Raises:
        ScheduleError: there is no such zone.
    """
    if name not in zone_names():
        raise ScheduleError(ZONE_FIELD, name, f"no such time zone: {remedy(name, zone_names())}")
    with (resources.files("tzdata") / "zoneinfo" / name).open("rb") as file:
        return WallClock(ZoneInfo.from_file(file, key=name))
