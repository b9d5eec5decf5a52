"""Tests of the advice for time zones that do not exist."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clustertrigger.core.schedules import zone_advice
from clustertrigger.core.schedules.timetable import ScheduleError
from clustertrigger.core.schedules.wallclock import wall_clock, zone_names


@pytest.mark.parametrize(
    ("zone", "remedy"),
    [
        ("europe/berlin", "did you mean Europe/Berlin?"),
        ("Berlin", "did you mean Europe/Berlin?"),
        ("America/New York", "did you mean America/New_York?"),
        ("Asia/Kolkatta", "did you mean Asia/Kolkata?"),
        ("Hanoi", "did you mean Asia/Ho_Chi_Minh?"),
        ("A", "it is an abbreviation: write a city's zone, such as Europe/Berlin or America/New_York"),
        ("Mars/Olympus_Mons", "write an IANA name, such as Europe/Berlin or UTC"),
        ("../../etc/passwd", "write an IANA name, such as Europe/Berlin or UTC"),
        ("right/Europe/Berlin", "did you mean Europe/Berlin?"),
        ("localtime", "write an IANA name, such as Europe/Berlin or UTC"),
        ("", "write an IANA name, such as Europe/Berlin or UTC"),
    ],
)
def test_unknown_zones(zone: str, remedy: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        wall_clock(zone)
    assert str(refused.value) == f"schedule_config.timezone: {zone!r}: no such time zone: {remedy}"


NOW = datetime(2026, 11, 21, 21, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "cities"),
    [
        ("CEST", "Europe/Berlin"),
        ("cest", "Europe/Berlin"),
        ("MEZ", "Europe/Berlin"),
        ("MESZ", "Europe/Berlin"),
        ("Europe/CEST", "Europe/Berlin"),
        ("WEST", "Europe/Lisbon"),
        ("BST", "Europe/London or Asia/Dhaka"),
        ("IST", "Asia/Kolkata, Europe/Dublin or Asia/Jerusalem"),
        ("CST", "America/Chicago, Asia/Shanghai or America/Havana"),
        ("EDT", "America/New_York"),
        ("est", "America/New_York"),
        ("US/EST", "America/New_York"),
        ("PST", "America/Los_Angeles"),
        ("PDT", "America/Los_Angeles"),
        ("JST", "Asia/Tokyo"),
        ("XYZ", "Europe/Berlin or America/New_York"),
        ("wst", "Australia/Perth or Pacific/Apia"),
        ("Wst", "Australia/Perth or Pacific/Apia"),
        ("Asia/wst", "Australia/Perth or Pacific/Apia"),
        ("xst", "Europe/Berlin or America/New_York"),
        ("Europe/WEST", "Europe/Lisbon"),
        ("Asia/west", "Europe/Lisbon"),
        ("Etc/WEST", "Europe/Lisbon"),
        ("MDT", "America/Denver"),
        ("har", "America/Denver"),
        ("AEDT", "Australia/Sydney"),
        ("ACDT", "Australia/Adelaide"),
        ("HDT", "America/Adak"),
        ("HADT", "America/Adak"),
    ],
)
def test_abbreviations_get_a_city_and_no_similar_spelling(zone: str, cities: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        wall_clock(zone)
    assert refused.value.reason == (f"no such time zone: it is an abbreviation: write a city's zone, such as {cities}")


@pytest.mark.parametrize(
    ("zone", "city", "fixed"),
    [
        ("GMT+1", "Europe/Berlin", ("Etc/GMT-1", "UTC+1")),
        ("UTC+2", "Europe/Athens", ("Etc/GMT-2", "UTC+2")),
        ("+01:00", "Europe/Berlin", ("Etc/GMT-1", "UTC+1")),
        ("+0200", "Europe/Athens", ("Etc/GMT-2", "UTC+2")),
        ("utc-05:00", "America/New_York", ("Etc/GMT+5", "UTC-5")),
        ("UTC\N{MINUS SIGN}5", "America/New_York", ("Etc/GMT+5", "UTC-5")),
        ("Etc/UTC+1", "Europe/Berlin", ("Etc/GMT-1", "UTC+1")),
        ("GMT1", "Europe/Berlin", ("Etc/GMT-1", "UTC+1")),
        ("UTC +14", "Pacific/Kiritimati", ("Etc/GMT-14", "UTC+14")),
        ("+05:30", "Asia/Kolkata", None),
        ("UTC-3:30", "America/St_Johns", None),
    ],
)
def test_offsets_get_a_city_and_the_zone_whose_sign_is_reversed(
    zone: str, city: str, fixed: tuple[str, str] | None
) -> None:
    with pytest.raises(ScheduleError) as refused:
        wall_clock(zone)
    advice = f"no such time zone: it is an offset, which daylight saving changes: write a city's zone, such as {city}"
    if fixed is not None:
        advice += f"; {fixed[0]} is {fixed[1]} all year (its sign is reversed)"
        assert NOW.astimezone(wall_clock(fixed[0]).zone).utcoffset() == timedelta(
            hours=int(fixed[1].removeprefix("UTC"))
        )
    assert refused.value.reason == advice


@pytest.mark.parametrize(
    ("zone", "remedy"),
    [
        ("UTC+0", "did you mean UTC?"),
        ("+00:00", "did you mean UTC?"),
        ("Z", "did you mean UTC?"),
        ("utc", "did you mean UTC?"),
        ("etc/gmt-1", "did you mean Etc/GMT-1, which is UTC+1?"),
        ("Etc/GMT+13", "the zones of fixed offsets are Etc/GMT-14 to Etc/GMT+12, in whole hours, and their sign is "
         "reversed: Etc/GMT-1 is UTC+1"),
        ("UTC+15", "offsets end at UTC-12 and UTC+14: write a city's zone, such as Europe/Berlin"),
        ("CET-1CEST", "it is a rule of POSIX: write a city's zone, such as Europe/Berlin"),
        ("EST+5EDT", "it is a rule of POSIX: write a city's zone, such as America/New_York"),
        ("UTC+5.5", "it is an offset, which daylight saving changes: write a city's zone, such as Asia/Kolkata"),
        ("UTC+5.75", "it is an offset, which daylight saving changes: write a city's zone, such as Asia/Kathmandu"),
        ("UTC+08:00 (Beijing)", "it is an offset, which daylight saving changes: write a city's zone, such as "
         "Asia/Singapore; Etc/GMT-8 is UTC+8 all year (its sign is reversed)"),
        ("right/UTC", "did you mean UTC?"),
        ("UTC/GMT", "did you mean UTC?"),
        ("Rome", "did you mean Europe/Rome?"),
        ("Eastern Standard Tyme", "write an IANA name, such as Europe/Berlin or UTC"),
    ],
)  # fmt: skip
def test_neighbours_of_offsets_and_abbreviations(zone: str, remedy: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        wall_clock(zone)
    assert refused.value.reason == f"no such time zone: {remedy}"


@pytest.mark.parametrize(
    ("zone", "remedy"),
    [
        ("China", "it is a country: write a city's zone, such as Asia/Shanghai or Asia/Urumqi"),
        ("India", "it is a country: write a city's zone, such as Asia/Kolkata"),
        ("USA", "it is a country: write a city's zone, such as America/New_York, America/Detroit or "
         "America/Kentucky/Louisville"),
        ("UK", "it is a country: write a city's zone, such as Europe/London"),
        ("Asia/Beijing", "did you mean Asia/Shanghai?"),
        ("Asia/Mumbai", "did you mean Asia/Kolkata?"),
        ("America/Boston", "did you mean America/New_York?"),
        ("San Francisco", "did you mean America/Los_Angeles?"),
        ("Europe/Munich", "did you mean Europe/Berlin?"),
        ("Europe/Tokio", "did you mean Asia/Tokyo?"),
        ("Eastern", "did you mean US/Eastern?"),
        ("US/East", "write an IANA name, such as Europe/Berlin or UTC"),
        ("Salvador", "did you mean America/Bahia?"),
        ("Porto Alegre", "did you mean America/Sao_Paulo?"),
        ("Kano", "did you mean Africa/Lagos?"),
        ("Asia/North", "write an IANA name, such as Europe/Berlin or UTC"),
        ("Asia/Calcuta", "did you mean Asia/Kolkata, the current name of Asia/Calcutta?"),
        ("Calcutta", "did you mean Asia/Kolkata, the current name of Asia/Calcutta?"),
        ("Asia/Tel_Avi", "did you mean Asia/Jerusalem, the current name of Asia/Tel_Aviv?"),
        ("Factory", "write an IANA name, such as Europe/Berlin or UTC"),
        ("Kanpur", "write an IANA name, such as Europe/Berlin or UTC"),
        ("Tokio", "did you mean Asia/Tokyo?"),
        ("Lissabon", "did you mean Europe/Lisbon?"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "it is a rule of POSIX: write a city's zone, such as Europe/Berlin"),
    ],
)  # fmt: skip
def test_places_without_a_zone_get_no_similar_spelling(zone: str, remedy: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        wall_clock(zone)
    assert refused.value.reason == f"no such time zone: {remedy}"


def winter_and_summer(zone: str) -> tuple[int, ...]:
    """Returns a zone's offsets in January and July."""
    instants = (int(datetime(2026, month, 15, tzinfo=UTC).timestamp()) for month in (1, 7))
    return tuple(stretch.offset for stretch in map(wall_clock(zone).at, instants) if stretch is not None)


def test_the_suggestion_for_a_misspelt_city_has_its_time() -> None:
    """In the name of every city, one letter is missing, doubled, or exchanged with the next one."""
    for zone in sorted(zone_names()):
        region, _, city = zone.rpartition("/")
        if region not in zone_advice._PLACES or not city.isalpha() or len(city) < 6:
            continue
        for typo in (city[:2] + city[3:], city[:3] + city[2:], city[:2] + city[3] + city[2] + city[4:]):
            said = zone_advice.remedy(f"{region}/{typo}", zone_names())
            offered = said.removeprefix("did you mean ").removesuffix("?").partition(",")[0]
            if offered in zone_names():
                assert winter_and_summer(offered) == winter_and_summer(zone), (zone, typo, said)


OFFSETS = {
    "act": 9.5, "aet": 10, "akt": -9, "arst": -2, "art": -3, "ast": (-4, 3), "at": -4, "awdt": 9, "brst": -2, "brt": -3,
    "bst": (1, 6), "clst": -3, "clt": -4, "cot": -5, "ct": -6, "et": -5, "gst": 4, "hac": -5, "hadt": -9, "hae": -4,
    "hap": -7, "har": -6, "hast": -10, "heec": 2, "hnc": -6, "hne": -5, "hnec": 1, "hnp": -8, "hnr": -7, "ict": 7,
    "irst": 3.5, "isdt": 3, "medst": 2, "mest": 2, "mesz": 2, "met": 1, "mewt": 1, "mez": 1, "msd": 4, "mt": -7,
    "npt": 5.75, "nt": -3.5, "nzt": 12, "oesz": 3, "oez": 2, "pet": -5, "pht": 8, "pt": -8, "sgt": 8, "sst": (-11, 8),
    "trt": 3, "vet": -4, "wst": (8, 13),
}  # fmt: skip
"""Hours east of Greenwich of abbreviations that the time zone database does not have for all of their cities."""
ABOLISHED = {"arst", "awdt", "brst", "msd"}
"""Daylight saving time of places that have none today."""


@pytest.mark.parametrize(("abbreviation", "cities"), zone_advice._CITIES.items())
def test_cities_of_an_abbreviation_have_its_time(abbreviation: str, cities: tuple[str, ...]) -> None:
    """MDT is not the time of Phoenix, which has no daylight saving time."""
    hours = OFFSETS.get(abbreviation, ())
    for city in cities:
        zone = wall_clock(city).zone
        shown = [datetime(NOW.year, month, 15, tzinfo=UTC).astimezone(zone) for month in range(1, 13)]
        offsets = {offset / timedelta(hours=1) for local in shown if (offset := local.utcoffset()) is not None}
        has_name = abbreviation.upper() in {local.tzname() for local in shown}
        has_offset = not offsets.isdisjoint(hours if isinstance(hours, tuple) else (hours,))
        assert has_name or has_offset or abbreviation in ABOLISHED, city


def test_advice_on_zones_names_zones_that_exist() -> None:
    cities = {city for cities in zone_advice._CITIES.values() for city in cities}
    assert cities | set(zone_advice._CITY_OF_OFFSET.values()) | set(zone_advice._ZONE_OF_CITY.values()) <= zone_names()
    named = {zone.rpartition("/")[2].casefold() for zone in zone_names()}
    assert not named & zone_advice._ZONE_OF_CITY.keys()
    assert set(zone_advice._COUNTRIES.values()) <= zone_advice._zones_of_countries().keys()
    winter, summer = datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 7, 15, tzinfo=UTC)
    for minutes, city in zone_advice._CITY_OF_OFFSET.items():
        offsets = {when.astimezone(wall_clock(city).zone).utcoffset() for when in (winter, summer)}
        assert timedelta(minutes=minutes) in offsets


def test_zones_that_are_named_after_standard_time_but_never_change_cause_a_warning() -> None:
    """A person who writes EST in July means the time of New York, which is then an hour ahead of EST."""
    stay = {
        zone
        for zone in zone_names()
        if (cities := zone_advice.cities_of(zone))
        and len(set(winter_and_summer(zone))) == 1
        and winter_and_summer(zone) != winter_and_summer(cities[0])
    }
    assert stay == {"EST", "MST"}
    assert {zone for zone in zone_names() if zone_advice.warning(zone)} == stay


@pytest.mark.parametrize(
    ("zone", "offset", "changes", "stays"),
    [("EST", "UTC-5", "America/New_York", "America/Panama"), ("MST", "UTC-7", "America/Denver", "America/Phoenix")],
)
def test_the_warning_of_a_zone_without_daylight_saving(zone: str, offset: str, changes: str, stays: str) -> None:
    assert zone_advice.warning(zone) == (
        f"is {offset} all year, without daylight saving time: write {changes}; for {offset} all year, write {stays}"
    )
    assert winter_and_summer(stays) == winter_and_summer(zone) != winter_and_summer(changes)
    assert winter_and_summer(changes)[0] == winter_and_summer(zone)[0] == 3600 * int(offset.removeprefix("UTC"))
