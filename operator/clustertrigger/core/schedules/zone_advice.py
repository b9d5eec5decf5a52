"""What to write in place of a time zone that does not exist, or that is often meant otherwise.

A nearest spelling is offered for misspelt names only. An abbreviation or an offset that is spelt like another one is
hours away from it (`CEST` and `EST`), so these get a city, or the one zone that has the offset. So do countries and
large cities that no zone is named after: `China` is spelt like Asia/Chita, and `Mumbai` like Asia/Dubai.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from importlib import resources

from clustertrigger.core.schedules.windows_zones import zones_of_windows
from clustertrigger.core.spelling import edits

_GENERIC = "write an IANA name, such as Europe/Berlin or UTC"
_BERLIN = "Europe/Berlin"
_OFFSETS_CHANGE = "it is an offset, which daylight saving changes"
_CITIES = {
    **dict.fromkeys(("cet", "cest", "mez", "mesz", "mewt", "met", "mest", "medst", "hnec", "heec"), (_BERLIN,)),
    **dict.fromkeys(("wet", "west"), ("Europe/Lisbon",)),
    **dict.fromkeys(("eet", "eest", "oez", "oesz"), ("Europe/Athens", "Europe/Helsinki")),
    **dict.fromkeys(("msk", "msd"), ("Europe/Moscow",)),
    **dict.fromkeys(("est", "edt", "et", "hne", "hae"), ("America/New_York",)),
    **dict.fromkeys(("cdt", "ct", "hnc", "hac"), ("America/Chicago",)),
    **dict.fromkeys(("mst", "mt", "hnr"), ("America/Denver", "America/Phoenix")),
    **dict.fromkeys(("mdt", "har"), ("America/Denver",)),
    **dict.fromkeys(("pst", "pdt", "pt", "hnp", "hap"), ("America/Los_Angeles",)),
    **dict.fromkeys(("akst", "akdt", "akt"), ("America/Anchorage",)),
    **dict.fromkeys(("hst", "hast"), ("Pacific/Honolulu",)),
    **dict.fromkeys(("hdt", "hadt"), ("America/Adak",)),
    **dict.fromkeys(("adt", "at"), ("America/Halifax",)),
    **dict.fromkeys(("nst", "ndt", "nt"), ("America/St_Johns",)),
    **dict.fromkeys(("brt", "brst"), ("America/Sao_Paulo",)),
    **dict.fromkeys(("art", "arst"), ("America/Argentina/Buenos_Aires",)),
    **dict.fromkeys(("clt", "clst"), ("America/Santiago",)),
    **dict.fromkeys(("aest", "aet"), ("Australia/Sydney", "Australia/Brisbane")),
    "aedt": ("Australia/Sydney",),
    **dict.fromkeys(("acst", "act"), ("Australia/Adelaide", "Australia/Darwin")),
    "acdt": ("Australia/Adelaide",),
    **dict.fromkeys(("awst", "awdt"), ("Australia/Perth",)),
    "wst": ("Australia/Perth", "Pacific/Apia"),
    **dict.fromkeys(("nzst", "nzdt", "nzt"), ("Pacific/Auckland",)),
    **dict.fromkeys(("idt", "isdt"), ("Asia/Jerusalem",)),
    "bst": ("Europe/London", "Asia/Dhaka"),
    "ist": ("Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"),
    "cst": ("America/Chicago", "Asia/Shanghai", "America/Havana"),
    "ast": ("America/Halifax", "Asia/Riyadh"),
    "gst": ("Asia/Dubai",),
    "jst": ("Asia/Tokyo",),
    "kst": ("Asia/Seoul",),
    "sgt": ("Asia/Singapore",),
    "sst": ("Asia/Singapore", "Pacific/Pago_Pago"),
    "hkt": ("Asia/Hong_Kong",),
    "pht": ("Asia/Manila",),
    "wib": ("Asia/Jakarta",),
    "wita": ("Asia/Makassar",),
    "wit": ("Asia/Jayapura",),
    "ict": ("Asia/Bangkok", "Asia/Ho_Chi_Minh"),
    "pkt": ("Asia/Karachi",),
    "npt": ("Asia/Kathmandu",),
    "irst": ("Asia/Tehran",),
    "trt": ("Europe/Istanbul",),
    "wat": ("Africa/Lagos",),
    "cat": ("Africa/Maputo",),
    "eat": ("Africa/Nairobi",),
    "sast": ("Africa/Johannesburg",),
    "cot": ("America/Bogota",),
    "pet": ("America/Lima",),
    "vet": ("America/Caracas",),
}
"""Locations that use the time zone of an abbreviation."""

_STANDARD_ALL_YEAR = {
    "EST": ("UTC-5", "America/New_York", "America/Panama"),
    "MST": ("UTC-7", "America/Denver", "America/Phoenix"),
}
"""Zones of the time zone database that are named after standard time and have it in summer, too: their offset, the
city that changes to daylight saving time, and one that does not. HST is not among them, because Hawaii does not change.
CET, EST5EDT and the like follow daylight saving time.
"""

_ZONE_OF_CITY = {
    **dict.fromkeys(("munich", "münchen", "hamburg", "frankfurt", "cologne", "köln", "stuttgart"), _BERLIN),
    **dict.fromkeys(("geneva", "genf", "genève", "basel", "bern"), "Europe/Zurich"),
    **dict.fromkeys(("edinburgh", "manchester", "birmingham", "glasgow"), "Europe/London"),
    **dict.fromkeys(("milan", "milano", "naples", "turin"), "Europe/Rome"),
    **dict.fromkeys(("barcelona", "valencia", "seville"), "Europe/Madrid"),
    **dict.fromkeys(("lyon", "marseille", "toulouse"), "Europe/Paris"),
    **dict.fromkeys(("rotterdam", "the_hague", "utrecht"), "Europe/Amsterdam"),
    **dict.fromkeys(("krakow", "kraków", "gdansk", "gdańsk"), "Europe/Warsaw"),
    **dict.fromkeys(("saint_petersburg", "st_petersburg", "moskau"), "Europe/Moscow"),
    **dict.fromkeys(("wien",), "Europe/Vienna"),
    **dict.fromkeys(("prag", "praha"), "Europe/Prague"),
    **dict.fromkeys(("ankara", "izmir"), "Europe/Istanbul"),
    **dict.fromkeys(("mumbai", "delhi", "new_delhi", "bangalore", "bengaluru", "chennai", "hyderabad", "pune"),
                    "Asia/Kolkata"),
    **dict.fromkeys(("beijing", "peking", "shenzhen", "guangzhou", "hangzhou", "chengdu"), "Asia/Shanghai"),
    **dict.fromkeys(("osaka", "kyoto", "nagoya"), "Asia/Tokyo"),
    "hanoi": "Asia/Ho_Chi_Minh",
    **dict.fromkeys(("islamabad", "lahore"), "Asia/Karachi"),
    **dict.fromkeys(("abu_dhabi",), "Asia/Dubai"),
    **dict.fromkeys(("haifa",), "Asia/Jerusalem"),
    **dict.fromkeys(("busan",), "Asia/Seoul"),
    **dict.fromkeys(("wellington", "christchurch"), "Pacific/Auckland"),
    **dict.fromkeys(("cape_town", "pretoria", "durban"), "Africa/Johannesburg"),
    **dict.fromkeys(("abuja", "kano", "ibadan"), "Africa/Lagos"),
    **dict.fromkeys(("boston", "washington", "philadelphia", "atlanta", "miami", "pittsburgh", "ottawa", "quebec"),
                    "America/New_York"),
    **dict.fromkeys(("houston", "dallas", "austin", "minneapolis", "new_orleans", "st_louis"), "America/Chicago"),
    **dict.fromkeys(("salt_lake_city", "albuquerque"), "America/Denver"),
    **dict.fromkeys(("san_francisco", "seattle", "san_diego", "san_jose", "las_vegas", "portland", "sacramento"),
                    "America/Los_Angeles"),
    **dict.fromkeys(("rio", "rio_de_janeiro", "brasilia", "brasília", "porto_alegre"), "America/Sao_Paulo"),
    "salvador": "America/Bahia",
    **dict.fromkeys(("guadalajara",), "America/Mexico_City"),
}  # fmt: skip
"""Zones of large cities after which no zone is named."""
_COUNTRIES = {
    **dict.fromkeys(("usa", "us", "united_states_of_america"), "united_states"),
    **dict.fromkeys(("uk", "great_britain", "united_kingdom", "england", "scotland", "wales"), "britain"),
    "czechia": "czech_republic",
    "south_korea": "korea_(south)",
    "uae": "united_arab_emirates",
}
"""Other names of countries."""
_PARTS_OF_AUSTRALIA = ("act", "lhi", "nsw", "north", "south", "west")
"""Names of zones that are not cities, although their region has cities: Europe/West is not Australia/West."""
_DIRECTIONS = ("east", "west", "north", "south", "central")
"""Words that are not misspelt cities: Eastern is spelt like Pacific/Easter."""
_SHORT = 6
"""Length of a name from which two letters can be wrong."""
_MOST_ZONES = 3
"""Maximum number of zones of a country to suggest."""
_PLACES = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
"""Regions in which zones are named after cities and islands; US/Eastern and Brazil/East are not."""

_CITY_OF_OFFSET = {
    -660: "Pacific/Pago_Pago", -600: "Pacific/Honolulu", -570: "Pacific/Marquesas", -540: "America/Anchorage",
    -480: "America/Los_Angeles", -420: "America/Denver", -360: "America/Chicago", -300: "America/New_York",
    -240: "America/Halifax", -210: "America/St_Johns", -180: "America/Sao_Paulo", -120: "America/Noronha",
    -60: "Atlantic/Azores", 60: _BERLIN, 120: "Europe/Athens", 180: "Europe/Istanbul", 210: "Asia/Tehran",
    240: "Asia/Dubai", 270: "Asia/Kabul", 300: "Asia/Karachi", 330: "Asia/Kolkata", 345: "Asia/Kathmandu",
    360: "Asia/Dhaka", 390: "Asia/Yangon", 420: "Asia/Bangkok", 480: "Asia/Singapore", 525: "Australia/Eucla",
    540: "Asia/Tokyo", 570: "Australia/Adelaide", 600: "Australia/Sydney", 630: "Australia/Lord_Howe",
    660: "Pacific/Noumea", 720: "Pacific/Auckland", 765: "Pacific/Chatham", 780: "Pacific/Tongatapu",
    840: "Pacific/Kiritimati",
}  # fmt: skip
"""Cities by minutes east of Greenwich in standard time."""

_OFFSET = re.compile(
    r"(?P<prefix>(?:etc/)?(?:utc|gmt|ut|zulu|z)?)[ _]*(?P<sign>[-+±]?)[ _]*"
    r"(?P<hours>\d{1,2})(?:[:.]?(?P<minutes>[0-5]\d)|\.(?P<decimals>5|75))?(?:[ _]*h(?:ours?)?)?",
)
_DISPLAYED = re.compile(r"\((?:UTC|GMT)[^)]*\)\s*(?P<city>\w[^,(]*)", re.IGNORECASE)
"""A zone as Windows displays it: `(UTC+01:00) Amsterdam, Berlin, Bern`."""
_POSIX = re.compile(r"<?(?P<word>[a-z]{2,5})>?[-+]?\d.*")
_ABBREVIATION = re.compile(r"[A-Z]{1,5}|(?i:[a-z][sd]t)")
"""Capital letters, or what ends like "standard time" or "daylight time"."""
_MINUSES = str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{FULLWIDTH PLUS SIGN}": "+"})
_EASTERNMOST, _WESTERNMOST = 14, -12


def remedy(name: str, zones: Collection[str]) -> str:
    """Returns what to write instead of an unknown time zone."""
    if of_windows := zones_of_windows(name):
        return f"write its IANA name: {_listed(of_windows)}{_explained(of_windows[0])}"
    displayed = _DISPLAYED.match(name.strip())
    return _spelt(displayed["city"] if displayed else name, zones)


def warning(zone: str) -> str | None:
    """Returns what is often misunderstood in an existing time zone, with its remedy; None for the others."""
    if zone not in _STANDARD_ALL_YEAR:
        return None
    offset, changes, stays = _STANDARD_ALL_YEAR[zone]
    return f"is {offset} all year, without daylight saving time: write {changes}; for {offset} all year, write {stays}"


def cities_of(abbreviation: str) -> Sequence[str]:
    """Returns zones of cities that use the time zone of an abbreviation, such as CEST; none if it is unknown."""
    return _CITIES.get(abbreviation.casefold(), ())


def zone_meant(name: str, zones: Collection[str]) -> str | None:
    """Returns the zone of a city that is beside a cron expression, perhaps misspelt; None if it can be another word."""
    folded = name.replace(" ", "_").casefold()
    region, _, city = folded.rpartition("/")
    if name.islower() or (region and region not in map(str.casefold, _PLACES)):
        return None
    by_city = _by_city(zones)
    known = by_city.get(city) or _ZONE_OF_CITY.get(city) or (_nearest(folded, city, by_city) if region else None)
    return _current_names().get(known, known) if known else None


def _spelt(name: str, zones: Collection[str]) -> str:
    """Returns what to write instead of a misspelt zone, a city, a country, an abbreviation or an offset."""
    written = re.sub(r"\s*\(.*\)$", "", name.strip()).translate(_MINUSES)
    folded = written.replace(" ", "_").casefold()
    if folded in _CITIES:
        return _for_abbreviation(folded, folded)
    by_folded = {zone.casefold(): zone for zone in sorted(zones)}
    if (exact := by_folded.get(folded)) is not None:
        return f"did you mean {exact}{_explained(exact)}?"
    by_city = _by_city(zones)
    last = folded.rpartition("/")[2]
    if (known := by_city.get(last) or _ZONE_OF_CITY.get(last)) is not None:
        return f"did you mean {_current(known)}?"
    if last == folded and (american := by_folded.get(f"us/{last}")) is not None:
        return f"did you mean {american}?"
    if last in ("utc", "gmt", "zulu", "universal"):
        return "did you mean UTC?"
    if (country := _zones_of_countries().get(_COUNTRIES.get(last, last))) is not None:
        return f"it is a country: write a city's zone, such as {_listed(country[:_MOST_ZONES])}"
    for text in (folded, last):
        if (offset := _OFFSET.fullmatch(text)) is not None and (offset["prefix"] or offset["sign"]):
            return _for_offset(offset)
    if last in ("z", "ut"):
        return "did you mean UTC?"
    posix = _POSIX.fullmatch(last) or _POSIX.fullmatch(folded)
    word = posix["word"] if posix else last
    if posix or word in _CITIES or _ABBREVIATION.fullmatch(written.rpartition("/")[2]):
        return _for_abbreviation(word, last)
    unlike = re.search(r"\d", folded) or "time" in folded.split("_") or last.startswith(_DIRECTIONS)
    near = None if unlike else _nearest(folded, last, by_city)
    return f"did you mean {_current(near)}?" if near else _GENERIC


def _by_city(zones: Collection[str]) -> dict[str, str]:
    """Returns zones by the cities they are named after, in lower case."""
    places = {zone.rpartition("/")[2].casefold(): zone for zone in sorted(zones) if _is_place(zone)}
    return {city: zone for city, zone in places.items() if city not in _PARTS_OF_AUSTRALIA}


def _current(zone: str) -> str:
    """Returns a zone, with the current name in front if its own is an old one that is kept for compatibility."""
    current = _current_names().get(zone)
    return f"{current}, the current name of {zone}" if current else zone


@lru_cache(maxsize=1)
def _current_names() -> dict[str, str]:
    """Returns the current names of zones by their old ones."""
    current = {zone for _, zone in _pairs("zone.tab", 2)}
    links = (line.split() for line in _lines("tzdata.zi") if line.startswith("L "))
    return {old: target for _, target, old in links if old not in current and target in current}


@lru_cache(maxsize=1)
def _zones_of_countries() -> dict[str, list[str]]:
    """Returns zones by the English names of their countries, in lower case and with _ for blanks."""
    names = dict(_pairs("iso3166.tab", 1))
    found: dict[str, list[str]] = {}
    for code, zone in _pairs("zone.tab", 2):
        name = names[code].casefold().replace(" ", "_")
        for spelling in {name, name.partition("_(")[0]}:
            found.setdefault(spelling, []).append(zone)
    return found


def _pairs(table: str, column: int) -> Iterator[tuple[str, str]]:
    """Yields the code of the country and another column of a table."""
    for line in _lines(table):
        if line and not line.startswith("#"):
            cells = line.split("\t")
            yield cells[0], cells[column]


def _lines(table: str) -> list[str]:
    return (resources.files("tzdata") / "zoneinfo" / table).read_text(encoding="utf-8").splitlines()


def _is_place(zone: str) -> bool:
    """Returns whether a zone is named after a place, for which a misspelt name can be meant."""
    return zone.partition("/")[0] in _PLACES and "/" in zone


def _nearest(folded: str, last: str, by_city: dict[str, str]) -> str | None:
    """Returns the city with the most similar spelling, within the given region if there is one.

    The region's name is not compared, because a long one would make all of its cities similar. A city that differs by
    more letters is another one: Salvador is not El Salvador, and Kano is not Kanton.
    """
    region = folded.rpartition("/")[0]
    of_region = {city: zone for city, zone in by_city.items() if zone.casefold().startswith(f"{region}/")}
    for cities in (of_region, by_city):
        for near in difflib.get_close_matches(last, cities, n=5, cutoff=0.8):
            if edits(last, near) <= (1 if len(last) < _SHORT else 2):
                return cities[near]
    return None


def _explained(zone: str) -> str:
    """Explains a zone of a fixed offset, because its sign is reversed."""
    offset = re.fullmatch(r"Etc/GMT([-+])([1-9]\d?)", zone)
    return f", which is UTC{'-' if offset[1] == '+' else '+'}{offset[2]}" if offset else ""


def _for_abbreviation(word: str, last: str) -> str:
    if word in ("utc", "gmt"):
        return f"{_OFFSETS_CHANGE}: write a city's zone, such as {_BERLIN}"
    cities = _CITIES.get(word, (_BERLIN, "America/New_York"))
    what = "is an abbreviation" if word == last else "is a rule of POSIX"
    return f"it {what}: write a city's zone, such as {_listed(cities)}"


def _listed(cities: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(cities[:-1]), cities[-1])))


def _for_offset(offset: re.Match[str]) -> str:
    part = {"5": 30, "75": 45, None: 0}[offset["decimals"]]
    total = int(offset["hours"]) * 60 + int(offset["minutes"] or part)
    if total == 0:
        return "did you mean UTC?"
    if offset["prefix"] == "etc/gmt":
        return (
            "the zones of fixed offsets are Etc/GMT-14 to Etc/GMT+12, in whole hours, and their sign is reversed: "
            f"{_fixed(60)} is UTC+1"
        )
    east = -total if offset["sign"] == "-" else total
    if not _WESTERNMOST * 60 <= east <= _EASTERNMOST * 60:
        return "offsets end at UTC-12 and UTC+14: write a city's zone, such as Europe/Berlin"
    city = f", such as {_CITY_OF_OFFSET[east]}" if east in _CITY_OF_OFFSET else ""
    advice = f"{_OFFSETS_CHANGE}: write a city's zone{city}"
    if total % 60:
        return advice
    return f"{advice}; {_fixed(east)} is UTC{east // 60:+d} all year (its sign is reversed)"


def _fixed(east: int) -> str:
    """Returns the zone that is this many minutes east of Greenwich all year; POSIX counts westward."""
    return f"Etc/GMT{-east // 60:+d}"
