"""What is said of time zones of Windows."""

from __future__ import annotations

import re

import pytest

from clustertrigger.core.schedules import windows_zones
from clustertrigger.core.schedules.timetable import ScheduleError
from clustertrigger.core.schedules.wallclock import wall_clock, zone_names


@pytest.mark.parametrize(
    ("zone", "iana"),
    [
        ("W. Europe Standard Time", "Europe/Berlin, Europe/Amsterdam or Europe/Rome"),
        ("W. Europe Daylight Time", "Europe/Berlin, Europe/Amsterdam or Europe/Rome"),
        ("w europe standard time", "Europe/Berlin, Europe/Amsterdam or Europe/Rome"),
        ("W._Europe_Standard_Time", "Europe/Berlin, Europe/Amsterdam or Europe/Rome"),
        ("Central Europe Standard Time", "Europe/Budapest, Europe/Prague or Europe/Belgrade"),
        ("Eastern Standard Time", "America/New_York or America/Toronto"),
        ("Eastern Time", "America/New_York or America/Toronto"),
        ("Eastern Standard Time (Mexico)", "America/Cancun"),
        ("(UTC-05:00) Eastern Time (US & Canada)", "America/New_York or America/Toronto"),
        ("US Eastern Standard Time", "America/Indiana/Indianapolis"),
        ("GMT Standard Time", "Europe/London, Europe/Dublin or Europe/Lisbon"),
        ("India Standard Time", "Asia/Kolkata"),
        ("China Standard Time", "Asia/Shanghai or Asia/Hong_Kong"),
        ("Tokyo Standard Time", "Asia/Tokyo"),
        ("Japan Standard Time", "Asia/Tokyo"),
        ("British Summer Time", "Europe/London"),
        ("Russia Time Zone 11", "Asia/Kamchatka"),
        ("Dateline Standard Time", "Etc/GMT+12, which is UTC-12"),
        ("Coordinated Universal Time", "UTC"),
    ],
)
def test_time_zones_of_windows_get_their_iana_names(zone: str, iana: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        wall_clock(zone)
    assert str(refused.value).endswith(f"no such time zone: write its IANA name: {iana}")


@pytest.mark.parametrize(
    "zone", ["Standard Time", "Nowhere Standard Time", "Time", "Russia Time Zone 99", "(UTC)", "(mexico)", "Mars Time"]
)
def test_other_names_that_end_like_those_of_windows(zone: str) -> None:
    with pytest.raises(ScheduleError, match="write an IANA name, such as Europe/Berlin or UTC"):
        wall_clock(zone)


def test_a_zone_as_windows_displays_it() -> None:
    with pytest.raises(ScheduleError, match=r"did you mean Europe/Amsterdam\?"):
        wall_clock("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna")


def test_every_zone_of_windows_exists() -> None:
    named = [zone for zones in (windows_zones._ZONES | windows_zones._ENGLISH).values() for zone in zones]
    assert set(named) <= zone_names()
    assert len(windows_zones._ZONES) == 132


@pytest.mark.parametrize(
    ("zone", "fixed"),
    [
        ("UTC-11", "Etc/GMT+11 is UTC-11"),
        ("UTC-09", "Etc/GMT+9 is UTC-9"),
        ("UTC-08", "Etc/GMT+8 is UTC-8"),
        ("UTC-02", "Etc/GMT+2 is UTC-2"),
        ("UTC+12", "Etc/GMT-12 is UTC+12"),
        ("UTC+13", "Etc/GMT-13 is UTC+13"),
    ],
)
def test_the_offsets_among_the_zones_of_windows(zone: str, fixed: str) -> None:
    with pytest.raises(ScheduleError, match=rf"; {re.escape(fixed)} all year \(its sign is reversed\)$"):
        wall_clock(zone)
