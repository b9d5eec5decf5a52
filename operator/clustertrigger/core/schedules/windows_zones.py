"""IANA zones of the time zones of Windows.

The source is Unicode CLDR 48.2, supplemental/windowsZones.json of the npm package cldr-core: for each name, the zone of
territory 001, in the spelling of the time zone database (CLDR keeps Asia/Calcutta for Asia/Kolkata). Where a name
covers large countries besides, zones of their cities follow. CLDR also has UTC, UTC-11, UTC-09, UTC-08, UTC-02, UTC+12
and UTC+13, which are offsets and are explained as such.
"""

from __future__ import annotations

import re

_ZONES = {
    "dateline": ("Etc/GMT+12",),
    "aleutian": ("America/Adak",),
    "hawaiian": ("Pacific/Honolulu",),
    "marquesas": ("Pacific/Marquesas",),
    "alaskan": ("America/Anchorage",),
    "pacific": ("America/Los_Angeles", "America/Vancouver"),
    "pacific (mexico)": ("America/Tijuana",),
    "us mountain": ("America/Phoenix",),
    "mountain": ("America/Denver", "America/Edmonton"),
    "mountain (mexico)": ("America/Mazatlan",),
    "yukon": ("America/Whitehorse",),
    "central america": ("America/Guatemala", "America/Costa_Rica"),
    "central": ("America/Chicago", "America/Winnipeg"),
    "central (mexico)": ("America/Mexico_City",),
    "easter island": ("Pacific/Easter",),
    "canada central": ("America/Regina",),
    "sa pacific": ("America/Bogota", "America/Lima"),
    "eastern (mexico)": ("America/Cancun",),
    "eastern": ("America/New_York", "America/Toronto"),
    "haiti": ("America/Port-au-Prince",),
    "cuba": ("America/Havana",),
    "us eastern": ("America/Indiana/Indianapolis",),
    "turks and caicos": ("America/Grand_Turk",),
    "paraguay": ("America/Asuncion",),
    "atlantic": ("America/Halifax",),
    "venezuela": ("America/Caracas",),
    "central brazilian": ("America/Cuiaba",),
    "sa western": ("America/La_Paz", "America/Puerto_Rico"),
    "pacific sa": ("America/Santiago",),
    "newfoundland": ("America/St_Johns",),
    "tocantins": ("America/Araguaina",),
    "e. south america": ("America/Sao_Paulo",),
    "sa eastern": ("America/Cayenne",),
    "argentina": ("America/Argentina/Buenos_Aires",),
    "greenland": ("America/Nuuk",),
    "montevideo": ("America/Montevideo",),
    "magallanes": ("America/Punta_Arenas",),
    "saint pierre": ("America/Miquelon",),
    "bahia": ("America/Bahia",),
    "azores": ("Atlantic/Azores",),
    "cape verde": ("Atlantic/Cape_Verde",),
    "gmt": ("Europe/London", "Europe/Dublin", "Europe/Lisbon"),
    "greenwich": ("Atlantic/Reykjavik",),
    "sao tome": ("Africa/Sao_Tome",),
    "morocco": ("Africa/Casablanca",),
    "w. europe": ("Europe/Berlin", "Europe/Amsterdam", "Europe/Rome"),
    "central europe": ("Europe/Budapest", "Europe/Prague", "Europe/Belgrade"),
    "romance": ("Europe/Paris", "Europe/Brussels", "Europe/Madrid"),
    "central european": ("Europe/Warsaw", "Europe/Zagreb"),
    "w. central africa": ("Africa/Lagos", "Africa/Algiers"),
    "jordan": ("Asia/Amman",),
    "gtb": ("Europe/Bucharest", "Europe/Athens"),
    "middle east": ("Asia/Beirut",),
    "egypt": ("Africa/Cairo",),
    "e. europe": ("Europe/Chisinau",),
    "syria": ("Asia/Damascus",),
    "west bank": ("Asia/Hebron",),
    "south africa": ("Africa/Johannesburg",),
    "fle": ("Europe/Kyiv", "Europe/Helsinki", "Europe/Sofia"),
    "israel": ("Asia/Jerusalem",),
    "south sudan": ("Africa/Juba",),
    "kaliningrad": ("Europe/Kaliningrad",),
    "sudan": ("Africa/Khartoum",),
    "libya": ("Africa/Tripoli",),
    "namibia": ("Africa/Windhoek",),
    "arabic": ("Asia/Baghdad",),
    "turkey": ("Europe/Istanbul",),
    "arab": ("Asia/Riyadh", "Asia/Kuwait"),
    "belarus": ("Europe/Minsk",),
    "russian": ("Europe/Moscow",),
    "e. africa": ("Africa/Nairobi",),
    "volgograd": ("Europe/Volgograd",),
    "iran": ("Asia/Tehran",),
    "arabian": ("Asia/Dubai",),
    "astrakhan": ("Europe/Astrakhan",),
    "azerbaijan": ("Asia/Baku",),
    "russia time zone 3": ("Europe/Samara",),
    "mauritius": ("Indian/Mauritius",),
    "saratov": ("Europe/Saratov",),
    "georgian": ("Asia/Tbilisi",),
    "caucasus": ("Asia/Yerevan",),
    "afghanistan": ("Asia/Kabul",),
    "west asia": ("Asia/Tashkent",),
    "ekaterinburg": ("Asia/Yekaterinburg",),
    "pakistan": ("Asia/Karachi",),
    "qyzylorda": ("Asia/Qyzylorda",),
    "india": ("Asia/Kolkata",),
    "sri lanka": ("Asia/Colombo",),
    "nepal": ("Asia/Kathmandu",),
    "central asia": ("Asia/Bishkek",),
    "bangladesh": ("Asia/Dhaka",),
    "omsk": ("Asia/Omsk",),
    "myanmar": ("Asia/Yangon",),
    "se asia": ("Asia/Bangkok", "Asia/Ho_Chi_Minh", "Asia/Jakarta"),
    "altai": ("Asia/Barnaul",),
    "w. mongolia": ("Asia/Hovd",),
    "north asia": ("Asia/Krasnoyarsk",),
    "n. central asia": ("Asia/Novosibirsk",),
    "tomsk": ("Asia/Tomsk",),
    "china": ("Asia/Shanghai", "Asia/Hong_Kong"),
    "north asia east": ("Asia/Irkutsk",),
    "singapore": ("Asia/Singapore", "Asia/Kuala_Lumpur", "Asia/Manila"),
    "w. australia": ("Australia/Perth",),
    "taipei": ("Asia/Taipei",),
    "ulaanbaatar": ("Asia/Ulaanbaatar",),
    "aus central w.": ("Australia/Eucla",),
    "transbaikal": ("Asia/Chita",),
    "tokyo": ("Asia/Tokyo",),
    "north korea": ("Asia/Pyongyang",),
    "korea": ("Asia/Seoul",),
    "yakutsk": ("Asia/Yakutsk",),
    "cen. australia": ("Australia/Adelaide",),
    "aus central": ("Australia/Darwin",),
    "e. australia": ("Australia/Brisbane",),
    "aus eastern": ("Australia/Sydney", "Australia/Melbourne"),
    "west pacific": ("Pacific/Port_Moresby", "Pacific/Guam"),
    "tasmania": ("Australia/Hobart",),
    "vladivostok": ("Asia/Vladivostok",),
    "lord howe": ("Australia/Lord_Howe",),
    "bougainville": ("Pacific/Bougainville",),
    "russia time zone 10": ("Asia/Srednekolymsk",),
    "magadan": ("Asia/Magadan",),
    "norfolk": ("Pacific/Norfolk",),
    "sakhalin": ("Asia/Sakhalin",),
    "central pacific": ("Pacific/Guadalcanal",),
    "russia time zone 11": ("Asia/Kamchatka",),
    "new zealand": ("Pacific/Auckland",),
    "fiji": ("Pacific/Fiji",),
    "chatham islands": ("Pacific/Chatham",),
    "tonga": ("Pacific/Tongatapu",),
    "samoa": ("Pacific/Apia",),
    "line islands": ("Pacific/Kiritimati",),
}
_ENGLISH = {
    "alaska": ("America/Anchorage",),
    "australian central": ("Australia/Adelaide", "Australia/Darwin"),
    "australian eastern": ("Australia/Sydney", "Australia/Brisbane"),
    "australian western": ("Australia/Perth",),
    "brasilia": ("America/Sao_Paulo",),
    "british": ("Europe/London",),
    "central africa": ("Africa/Maputo",),
    "coordinated universal": ("UTC",),
    "east africa": ("Africa/Nairobi",),
    "eastern european": ("Europe/Athens", "Europe/Helsinki", "Europe/Kyiv"),
    "gulf": ("Asia/Dubai",),
    "hawaii": ("Pacific/Honolulu",),
    "hong kong": ("Asia/Hong_Kong",),
    "irish": ("Europe/Dublin",),
    "japan": ("Asia/Tokyo",),
    "korean": ("Asia/Seoul",),
    "moscow": ("Europe/Moscow",),
    "west africa": ("Africa/Lagos",),
    "western european": ("Europe/Lisbon",),
}
"""English names of CLDR's zones and metazones, and short forms of them, that Windows does not have."""
_BY_NAME = {name.replace(".", ""): zones for name, zones in (_ENGLISH | _ZONES).items()}
_ENDING = re.compile(r" (?:standard time|daylight time|summer time|time)$")
"""Windows names daylight time, too, where it shows the current time."""


def zones_of_windows(name: str) -> tuple[str, ...]:
    """Returns the IANA zones of a time zone of Windows, the most usual first; none if it is not one.

    Args:
        name: A name such as `W. Europe Standard Time`, or as it is displayed, such as `(UTC-05:00) Eastern Time (US &
            Canada)`; in any case.
    """
    folded = re.sub(r"^\(.*?\)", "", name.casefold())
    of_mexico = " (mexico)" if "(mexico)" in folded else ""
    plain = " ".join(re.sub(r"\(.*?\)", " ", folded).replace("_", " ").replace(".", " ").split())
    if plain.startswith("russia time zone "):
        return _BY_NAME.get(plain, ())
    if (ending := _ENDING.search(plain)) is None:
        return ()
    return _BY_NAME.get(plain[: ending.start()] + of_mexico, ())
