"""Tests of advice for expressions of other schedulers, and for expressions that often mean something else."""

from __future__ import annotations

import re
from calendar import monthrange

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustertrigger.api.schedule import IntervalSchedule
from clustertrigger.core.schedules.cron_syntax import parse, warnings
from clustertrigger.core.schedules.schedule_error import ScheduleError
from tests.core.schedules.offered_expressions import offered

EITHER = "cron combines day of month and day of week with OR, so the trigger is due on {} days of a month: "
BOTH = "for days that match both write {}"
ZONE = "a time zone does not belong in the expression: remove it and set schedule_config.timezone"
NONE = "cron cannot express only the days that match both"
NO_DAY = "no day ever matches both"


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("0 2 * * mon-sun", "day of week range 'mon-sun' is reversed: write *, which is every day of week"),
        ("0 2 * * fri-sun", "day of week range 'fri-sun' is reversed: write 5-7"),
        ("0 2 * * sat-mon", "day of week range 'sat-mon' is reversed: write 6-7,1"),
        ("0 2 * * 7-0", "day of week range '7-0' is reversed: write 0"),
        ("0 2 * * 7-2", "day of week range '7-2' is reversed: write 0-2"),
        ("0 2 * * tue-mon", "day of week range 'tue-mon' is reversed: write *, which is every day of week"),
        ("0 2 * * fri-mon/2", "day of week range 'fri-mon/2' is reversed: write 0,5"),
        ("0 22-2 * * *", "hour range '22-2' is reversed: write 22-23,0-2"),
        ("0 23-0 * * *", "hour range '23-0' is reversed: write 23,0"),
        ("0 22-3/2 * * *", "hour range '22-3/2' is reversed: write 0,2,22"),
        ("50-10 * * * *", "minute range '50-10' is reversed: write 50-59,0-10"),
        ("0 0 25-5 * *", "day of month range '25-5' is reversed: write 25-31,1-5"),
        ("0 0 1 nov-feb *", "month range 'nov-feb' is reversed: write 11-12,1-2"),
        ("0 0 1 dec-jan *", "month range 'dec-jan' is reversed: write 12,1"),
        ("0 0 1 mar-feb *", "month range 'mar-feb' is reversed: write *, which is every month"),
        ("0 12-11 * * *", "hour range '12-11' is reversed: write *, which is every hour"),
        ("0 0 L * *",
         "day of month 'L' is Quartz syntax for the last day: write 0 0 1 * *, the day after, or make a trigger for "
         "each: 0 0 31 1,3,5,7,8,10,12 *; 0 0 30 4,6,9,11 *; 0 0 28 2 *, one day early in leap years"),
        ("0 0 L-3 * *",
         "day of month 'L-3' is Quartz syntax for 3 days before the last day: make a trigger for each: "
         "0 0 28 1,3,5,7,8,10,12 *; 0 0 27 4,6,9,11 *; 0 0 25 2 *, one day early in leap years"),
        ("0 0 LW * *",
         "day of month 'LW' is Quartz syntax for the last working day, which cron cannot express: for the last day, "
         "write 0 0 1 * *, the day after, or make a trigger for each: 0 0 31 1,3,5,7,8,10,12 *; 0 0 30 4,6,9,11 *; "
         "0 0 28 2 *, one day early in leap years"),
        ("0 0 15W * *", "day of month '15W' is Quartz syntax for the working day nearest to the 15th: write 15, the "
                        "day itself"),
        ("0 0 * * 5L",
         "day of week '5L' is Quartz syntax: cron cannot express the last weekday of a month: write 5, which matches "
         "every week (thu if 5 is from Quartz, where 1 is Sunday)"),
        ("0 0 * * L", "day of week 'L' is Quartz syntax for Saturday: write 6"),
        ("0 0 * * friL",
         "day of week 'friL' is Quartz syntax: cron cannot express the last weekday of a month: write fri, which "
         "matches every "
         "week"),
        ("0 0 * * L5",
         "day of week 'L5' is Quartz syntax: cron cannot express the last weekday of a month: write 5, which matches "
         "every week (thu if 5 is from Quartz, where 1 is Sunday)"),
        ("0 0 * * 5#2",
         "day of week '5#2' is Quartz syntax: cron cannot express the 2nd such day of a month: write 5, which "
         "matches every week (thu if 5 is from Quartz, where 1 is Sunday)"),
        ("0 0 * * 2#1",
         "day of week '2#1' is Quartz syntax: write day of month */31,2-7 and day of week 2, which must then both "
         "match (mon if 2 is from Quartz, where 1 is Sunday)"),
        ("0 0 * * mon#1",
         "day of week 'mon#1' is Quartz syntax: write day of month */31,2-7 and day of week mon, which must then both "
         "match"),
        ("0 0 * * 0#2",
         "day of week '0#2' is Quartz syntax: write day of month 8-14 and day of week */7, which must then both match"),
        ("0 0 * * sun#5",
         "day of week 'sun#5' is Quartz syntax: cron cannot express the 5th such day of a month: write sun, which "
         "matches every "
         "week"),
        ("0 0 * * 1#L",
         "day of week '1#L' is Quartz syntax: cron cannot express the last such day of a month: write 1, which "
         "matches every week (sun if 1 is from Quartz, where 1 is Sunday)"),
        ("1, 5 * * * *", "spaces separate the fields: write lists, ranges and steps without them: 1,5 * * * *"),
        ("0 9 * * mon ,wed", "spaces separate the fields: write lists, ranges and steps without them: 0 9 * * mon,wed"),
        ("*/ 5 9 - 17 * * *", "spaces separate the fields: write lists, ranges and steps without them: */5 9-17 * * *"),
        ("0 0 ? * *", "day of month '?' is Quartz syntax: write *"),
        ("0 0 ? * 2",
         "day of month '?' is Quartz syntax: write *; days of week count from 0 = Sunday, and in Quartz and AWS from "
         "1 = Sunday"),
        ("0 0 ? * 2-6",
         "day of month '?' is Quartz syntax: write *; days of week count from 0 = Sunday, and in Quartz and AWS from "
         "1 = Sunday"),
        ("0 0 ? * mon-fri", "day of month '?' is Quartz syntax: write *"),
        ("? * * * *", "minute '?' is Quartz syntax: write *"),
        ("H H * * *", "minute 'H' is Jenkins syntax that spreads the load: write a fixed number such as 29"),
        ("H/15 * * * *", "minute 'H/15' is Jenkins syntax that spreads the load: write */15"),
        ("H(0-29) * * * *", "minute 'H(0-29)' is Jenkins syntax that spreads the load: write a fixed number such as "
                            "14"),
        ("0 H(0-7) * * *", "hour 'H(0-7)' is Jenkins syntax that spreads the load: write a fixed number such as 3"),
        ("H(0-29)/10 * * * *", "minute 'H(0-29)/10' is Jenkins syntax that spreads the load: write 0-29/10"),
        ("0 h(9-16)/2 * * 1-5", "hour 'h(9-16)/2' is Jenkins syntax that spreads the load: write 9-16/2"),
        ("R * * * *", "minute 'R' is Jenkins syntax that spreads the load: write a fixed number such as 29"),
        ("0~59 * * * *", "minute '0~59' is OpenBSD syntax for a random time: write a fixed number"),
        ("H 2 * * *", "minute 'H' is Jenkins syntax that spreads the load: write a fixed number such as 29"),
        ("@every 1h30m", "a cron expression cannot express an interval: use trigger_type interval with "
                         "interval_seconds: 5400"),
        ("@every 90s", "a cron expression cannot express an interval: use trigger_type interval with "
                       "interval_seconds: 90"),
        ("@every 1.5h", "a cron expression cannot express an interval: use trigger_type interval with "
                        "interval_seconds: 5400"),
        ("@every 1d", "a cron expression cannot express an interval: use trigger_type interval with "
                      "interval_seconds: 86400"),
        ("@every", "a cron expression cannot express an interval: use trigger_type interval with interval_seconds"),
        ("@fortnightly", "unknown shortcut: use one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, "
                         "@annually"),
        ("every Monday at 9", "is a time of day: write 0 9 * * mon"),
        ("every day at 2am", "is a time of day: write 0 2 * * *"),
        ("weekdays at 12:15 pm", "is a time of day: write 15 12 * * 1-5"),
        ("13pm", "has 1 field: write five: minute, hour, day of month, month, day of week"),
        ("daily at 02:30 and 14:45", "names 2 times of day: make a trigger for each: 30 2 * * *; 45 14 * * *"),
        ("Mon..Fri *-*-* 02:00:00", "is a time of day: write 0 2 * * mon-fri"),
        ("*-*-01 02:00:00", "is a time of day: write 0 2 1 * *"),
        ("Mon *-*-01 02:00", "has 3 fields: write five: minute, hour, day of month, month, day of week"),
        ("*:0/15", "is a calendar event of systemd: write */15 * * * *"),
        ("Mon..Fri", "write minute and hour too: 0 0 * * mon-fri is midnight"),
        ("Fri-Mon", "write minute and hour too: 0 0 * * fri-sat,sun-mon is midnight"),
        ("every sat-sun", "write minute and hour too: 0 0 * * sat,sun is midnight"),
        ("Sunday..Sunday", "write minute and hour too: 0 0 * * sun is midnight"),
        ("Sat..Sun *-*-* 02:00:00", "is a time of day: write 0 2 * * sat,sun"),
        ("every thu-tue at 9", "is a time of day: write 0 9 * * thu-sat,sun-tue"),
        ("every month", "write @monthly"),
        ("P1Y", "write @yearly"),
        ("rate(1 month)", "write @monthly"),
        ("@every5m", "a cron expression cannot express an interval: use trigger_type interval with "
                     "interval_seconds: 300"),
        ("@every 9000h", "a cron expression cannot express an interval: use trigger_type interval with "
                         "interval_seconds, which is at most 31622400 (366 days)"),
        ("0 2 * * *\n0 3 * * *", "contains 2 expressions: make a trigger for each: 0 2 * * *; 0 3 * * *"),
        ("0 2 * * *; 0 3 * * mon", "contains 2 expressions: make a trigger for each: 0 2 * * *; 0 3 * * mon"),
        ("0 2 * * * && 0 3 * * *", "contains 2 expressions: make a trigger for each: 0 2 * * *; 0 3 * * *"),
        ("0 2 * * *, 0 3 * * *", "contains 2 expressions: make a trigger for each: 0 2 * * *; 0 3 * * *"),
        ("0 2 * * * 0 3 * * *", "contains 2 expressions: make a trigger for each: 0 2 * * *; 0 3 * * *"),
        ("0 2 * * 1\u20135", "has characters that crontab does not know: write 0 2 * * 1-5"),
        ("0 2 * * mon..fri", "has characters that crontab does not know: write 0 2 * * mon-fri"),
        ("0 2 * * 1;3", "has characters that crontab does not know: write 0 2 * * 1,3"),
        ("0 2 \\* \\* \\*", "has characters that crontab does not know: write 0 2 * * *"),
        ("\uff10 2 \u2217 * *\u200b", "has characters that crontab does not know: write 0 2 * * *"),
        ("0 2 * * mon,", "day of week 'mon,' has an empty item: write mon"),
        ("0, 2 * * mon", "minute '0,' has an empty item: write 0"),
        ("0 2 * * ,fri", "day of week ',fri' has an empty item: write fri"),
        ("0 , * * *", "hour ',' is an empty list: write *, a number, a range 1-5 or a list 1,3"),
        ("0 2 * * mon;", "has characters that crontab does not know: write 0 2 * * mon"),
        ("0 2 * * mon.", "has characters that crontab does not know: write 0 2 * * mon"),
        ("0 2 * * 1,,L", "day of week 'L' is Quartz syntax for Saturday: write 6"),
        ("0 2 * * 1 3",
         "has 6 fields, but cron has neither seconds nor years: write 2 * * 1 3 if the first is seconds, 0 2 * * 1,3 "
         "if the last two are days of the week"),
        ("0 2 * * mon/2", "day of week 'mon/2' has a step without a range: write 1-6/2"),
        ("0 2 * * 7/2", "day of week '7/2' has a step without a range: write 7"),
        ("59/5 * * * *", "minute '59/5' has a step without a range: write 59"),
        ("0 2 1 m\u00e4rz *", "month 'm\u00e4rz' is not a number: write 1-12 or jan-dec"),
        ("0 0 32W * *", "day of month '32W' is not a number: write 1-31"),
        ("0 0 * * 9L", "day of week '9L' is not a number: write 0-7 or sun-sat"),
        ("0 0 * * 8#1", "day of week '8#1' is invalid: write a number, a range 1-5, a list 1,3 or a step */2"),
        ("TZ = UTC 0 2 * * *", f"{ZONE}: UTC"),
        ("cron_tz=europe/berlin @daily", f"{ZONE}: Europe/Berlin"),
        ("TZ=Nowhere 0 2 * * *", ZONE),
        ("0 2 * * * Europe/Berlin", f"{ZONE}: Europe/Berlin"),
        ("0 2 * * 1-5 (UTC)", f"{ZONE}: UTC"),
        ("America/New_York 0 2 * * *", f"{ZONE}: America/New_York"),
        ("0 2 * * * CEST", f"{ZONE}, such as Europe/Berlin"),
        ("0 9 * * 1 Europe/Berln", f"{ZONE}: Europe/Berlin"),
        ("0 9 * * 1 Asia/Calcuta", f"{ZONE}: Asia/Kolkata"),
        ("0 9 * * MON-FRI Berlin", f"{ZONE}: Europe/Berlin"),
        ("0 9 * * MON-FRI New York", f"{ZONE}: America/New_York"),
        ("Munich 0 9 * * 1", f"{ZONE}: Europe/Berlin"),
        ("0 2 * * * BST", f"{ZONE}, such as Europe/London or Asia/Dhaka"),
        ("0 0 2 * * SUN", "has 6 fields, but cron has neither seconds nor years: write 0 2 * * SUN"),
        ("every weekday", "write minute and hour too: 0 0 * * 1-5 is midnight"),
        ("Monday", "write minute and hour too: 0 0 * * mon is midnight"),
        ("sun", "write minute and hour too: 0 0 * * sun is midnight"),
        ("0 0 1W * *", "day of month '1W' is Quartz syntax for the working day nearest to the 1st: write 1, the day "
                       "itself"),
        ("0 0 22W * *", "day of month '22W' is Quartz syntax for the working day nearest to the 22nd: write 22, the "
                        "day itself"),
        ("@every 10", "a cron expression cannot express an interval: use trigger_type interval with interval_seconds"),
        ("@every 500ms", "a cron expression cannot express an interval: use trigger_type interval with "
                         "interval_seconds: 1, which is the shortest interval"),
        ("@every 0s", "a cron expression cannot express an interval: use trigger_type interval with "
                      "interval_seconds: 1, which is the shortest interval"),
        ("@every 1.5s", "a cron expression cannot express an interval: use trigger_type interval with "
                        "interval_seconds: 2, because it must be a whole number"),
        ("@every_minute", "a cron expression cannot express an interval: use trigger_type interval with "
                          "interval_seconds: 60"),
        ("@minutely", "unknown shortcut: write * * * * *"),
        ("@noon", "unknown shortcut: write 0 12 * * *"),
        ("@quarterly", "unknown shortcut: write 0 0 1 1,4,7,10 *"),
        ("@weekdays", "unknown shortcut: write 0 0 * * 1-5"),
        ("daily", "write @daily"),
        ("hourly", "write @hourly"),
        ("5m", "a cron expression cannot express an interval: use trigger_type interval with interval_seconds: 300"),
        ("1h30m", "a cron expression cannot express an interval: use trigger_type interval with interval_seconds: "
                  "5400"),
        ("PT1H30M", "a cron expression cannot express an interval: use trigger_type interval with interval_seconds: "
                    "5400"),
        ("3600", "a cron expression cannot express an interval: use trigger_type interval with interval_seconds: 3600"),
        ("02:30", "is a time of day: write 30 2 * * *"),
        ("every 5 minutes", "a cron expression cannot express an interval: use trigger_type interval with "
                            "interval_seconds: 300"),
        ("every day", "a cron expression cannot express an interval: use trigger_type interval with "
                      "interval_seconds: 86400"),
        ("rate(5 minutes)", "a cron expression cannot express an interval: use trigger_type interval with "
                            "interval_seconds: 300"),
        ("rate(1 hour)", "a cron expression cannot express an interval: use trigger_type interval with "
                         "interval_seconds: 3600"),
        ("cron(0 2 * * ? *)", "cron( ) does not belong in the expression: write 0 2 * * *"),
        ("cron(0 2 ? * MON-FRI *)", "cron( ) does not belong in the expression: write 0 2 * * MON-FRI"),
        ("cron(0 2 ? * 2 *)",
         "cron( ) does not belong in the expression: write five: minute, hour, day of month, month, day of week, "
         "days of week as names, because Quartz and AWS count them from 1 = Sunday"),
        ("0 0 2 * * *",
         "has 6 fields, but cron has neither seconds nor years: write 0 2 * * * if the first is seconds, 0 0 2 * * if "
         "the last is years"),
        ("0 0 2 * * ?", "has 6 fields, but cron has neither seconds nor years: write 0 2 * * *"),
        ("0 0/5 14,18 * * ?", "has 6 fields, but cron has neither seconds nor years: write */5 14,18 * * *"),
        ("0 10,44 14/2 ? 3/3 WED", "has 6 fields, but cron has neither seconds nor years: write 10,44 14-23/2 * 3-12/3 "
                                   "WED"),
        ("0 0 12 1/5 * ?", "has 6 fields, but cron has neither seconds nor years: write 0 12 1-31/5 * *"),
        ("cron(0/15 8 1/2 * ? *)", "cron( ) does not belong in the expression: write */15 8 1-31/2 * *"),
        ("0 0 2 ? * MON-FRI", "has 6 fields, but cron has neither seconds nor years: write 0 2 * * MON-FRI"),
        ("0 0 2 ? * 2",
         "has 6 fields, but cron has neither seconds nor years: write five: minute, hour, day of month, month, day of "
         "week, days of week as names, because Quartz and AWS count them from 1 = Sunday"),
        ("0 0 2 ? * 2#1",
         "has 6 fields, but cron has neither seconds nor years: write five: minute, hour, day of month, month, day of "
         "week, days of week as names, because Quartz and AWS count them from 1 = Sunday"),
        ("0 0 2 L * ?",
         "has 6 fields, but cron has neither seconds nor years: day of month 'L' is Quartz syntax for the last day: "
         "write 0 2 1 * *, the day after, or make a trigger for each: 0 2 31 1,3,5,7,8,10,12 *; 0 2 30 4,6,9,11 *; "
         "0 2 28 2 *, one day early in leap years"),
        ("0 0 2 * * * 2027", "has 7 fields, but cron has neither seconds nor years: write 0 2 * * * (in every year)"),
        ("0 0 2 * * ? 2027", "has 7 fields, but cron has neither seconds nor years: write 0 2 * * * (in every year)"),
        ("0 0 2 * * ? *", "has 7 fields, but cron has neither seconds nor years: write 0 2 * * *"),
        ("0 2 * * * 2027", "has 6 fields, but cron has neither seconds nor years: write 0 2 * * * (in every year)"),
        ("*/10 * * * * *",
         "has 6 fields, but cron has neither seconds nor years: a cron expression cannot express an interval: use "
         "trigger_type "
         "interval with interval_seconds: 10"),
        ("* * * * * *",
         "has 6 fields, but cron has neither seconds nor years: a cron expression cannot express an interval: use "
         "trigger_type "
         "interval with interval_seconds: 1"),
        ("30 0 2 * * 1", "has 6 fields, but cron has neither seconds nor years: write 0 2 * * 1"),
        ("0 0 2 * * mon", "has 6 fields, but cron has neither seconds nor years: write 0 2 * * mon"),
        ("0/30 * * * * ?",
         "has 6 fields, but cron has neither seconds nor years: a cron expression cannot express an interval: use "
         "trigger_type "
         "interval with interval_seconds: 30"),
        ("0 2 * * 1-5 root /bin/true",
         "has 7 fields, but cron has neither seconds nor years: a command or a comment does not belong in it: "
         "write 0 2 * * 1-5"),
        ("0 2 * * * /usr/bin/cmd --x",
         "has 7 fields, but cron has neither seconds nor years: a command or a comment does not belong in it: "
         "write 0 2 * * *"),
        ("0 2 * * Monday", "day of week 'Monday' is not a name that crontab knows: write mon"),
        ("0 2 * * monday-friday", "day of week 'monday' is not a name that crontab knows: write mon"),
        ("0 2 * * Mon,Wednesday", "day of week 'Wednesday' is not a name that crontab knows: write wed"),
        ("0 2 * * tues", "day of week 'tues' is not a name that crontab knows: write tue"),
        ("0 2 * * thurs", "day of week 'thurs' is not a name that crontab knows: write thu"),
        ("0 2 1 January *", "month 'January' is not a name that crontab knows: write jan"),
        ("0 2 1 sept *", "month 'sept' is not a name that crontab knows: write sep"),
        ("0 2 1 june *", "month 'june' is not a name that crontab knows: write jun"),
        ("0 2 * * weekdays", "day of week 'weekdays' is not a name that crontab knows: write 1-5"),
        ("0 2 * * weekend", "day of week 'weekend' is not a name that crontab knows: write 6-7"),
        ("0 2 * * mo", "day of week 'mo' is not a number: write 0-7 or sun-sat"),
        ("0 2 * * Mondays", "day of week 'Mondays' is not a name that crontab knows: write mon"),
        ("0 2 * * di", "day of week 'di' is not a number: write 0-7 or sun-sat"),
        ("0 2 1 mai *", "month 'mai' is not a number: write 1-12 or jan-dec"),
        ("0 2 * * MON#2",
         "day of week 'MON#2' is Quartz syntax: cron cannot express the 2nd such day of a month: write mon, which "
         "matches every "
         "week"),
        ("0 2 W * *", "day of month 'W' is Quartz syntax for a working day: write * and day of week 1-5"),
        ("0 2 *  * 1-5,L", "day of week 'L' is Quartz syntax for Saturday: write 6"),
        ("0 0 0 1 1 *", "has 6 fields, but cron has neither seconds nor years: write 0 0 1 1 *"),
        ("0 2 * * 2-", "day of week '2-' is invalid: write a number, a range 1-5, a list 1,3 or a step */2"),
        ("0 2 1/5 * *", "day of month '1/5' has a step without a range: write 1-31/5"),
        ("0 2 * * * # every night", "has 8 fields, but cron has neither seconds nor years: a command or a comment does "
         "not belong in it: write 0 2 * * *"),
        ("'0 9 30 2 *'", "quotes do not belong in the expression: 0 9 30 2 * never fires, because no such day exists: "
                         "change day of month or month"),
        ("0 9 30 2 *; 0 9 * * 1", "contains 2 expressions: 0 9 30 2 * never fires, because no such day exists: change "
                                  "day of month or month"),
        ("0 9 30 2 mon, tue", "spaces separate the fields: write lists, ranges and steps without them: 0 9 30 2 "
                              "mon,tue"),
        ("0 9 30, 31 2 *", "spaces separate the fields: write lists, ranges and steps without them: 0 9 30,31 2 * "
                           "never fires, because no such day exists: change day of month or month"),
        ("cron(0 9 30 2 *)", "cron( ) does not belong in the expression: 0 9 30 2 * never fires, because no such day "
                             "exists: change day of month or month"),
        ("cron(0 9 * * Monday)", "cron( ) does not belong in the expression: write 0 9 * * mon"),
        ("cron(0 9 1-7 * MON)", "cron( ) does not belong in the expression: write 0 9 1-7 * MON"),
        ("'0 2 * * *'", "quotes do not belong in the expression: write 0 2 * * *"),
        ('"61 * * * *"', "remove the quotes: write five: minute, hour, day of month, month, day of week"),
    ],
)  # fmt: skip
def test_other_schedulers_expressions_get_a_remedy(expression: str, reason: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        parse(expression)
    assert refused.value.reason == reason
    if "never fires" not in reason:
        assert all(map(parse, offered(reason)))


@pytest.mark.parametrize(
    ("expression", "days", "remedy"),
    [
        ("0 9 1-7 * 1", "10 to 11", BOTH.format("0 9 */31,2-7 * 1")),
        ("0 2 1,15 * mon", "4 to 7", BOTH.format("0 2 */31,15 * mon")),
        ("0 2 8-14 * 0", "10 to 11", BOTH.format("0 2 8-14 * */7")),
        ("0 2 8-14 * sat,sun", "13 to 15", BOTH.format("0 2 8-14 * */7,6")),
        ("0 2 13 * 5", "4 to 6", NONE),
        ("0 2 8-14 * 1", "10 to 11", NONE),
        ("0 2 1 * mon-sun", None, None),
        ("0 2 1-31 * 1", "28 to 31", BOTH.format("0 2 * * 1")),
        ("0 2 1 3 0-7", "31", BOTH.format("0 2 1 3 *")),
        ("0 9 31 4 0-6", "30", NO_DAY),
        ("0 9 31 2,4 0", "4 to 5", NO_DAY),
        ("0 9 30 2 MON", "4 to 5", NO_DAY),
        ("0 9 31 1,2 0", "4 to 6", BOTH.format("0 9 31 1,2 */7")),
        ("0 2 1 3 1-7", "31", BOTH.format("0 2 1 3 *")),
    ],
)
def test_both_day_fields_restricted_cause_a_warning(expression: str, days: str | None, remedy: str | None) -> None:
    if days is None or remedy is None:
        with pytest.raises(ScheduleError):
            warnings(expression)
    else:
        assert warnings(expression) == (EITHER.format(days) + remedy,)


@pytest.mark.parametrize(
    "expression",
    [
        "0 2 * * 1", "0 2 1 * *", "0 2 */2 * *", "0 2 */1 * 1", "0 2 *,5 * 1", "0 2 1-7 * */7",
        "@weekly", "@Monthly", "0 2 */31,2-7 * 1",
        "*/45 * * * *", "*/60 */24 * * *", "0 2 * */12 *", "10-19/10 8-18/11 * * *", "0 2 * * mon-fri/5",
    ],
)  # fmt: skip
def test_other_expressions_cause_no_warning(expression: str) -> None:
    assert warnings(expression) == ()


STEPPED = (
    "{} begins with *, so that a day must match both day of month and day of week, which is {} days of a month. In a "
    "Kubernetes CronJob, one of them is enough: for that, write {}"
)


@pytest.mark.parametrize(
    ("expression", "item", "days", "either"),
    [
        ("0 0 */2 * 1", "day of month '*/2'", "2 to 3", "0 0 1-31/2 * 1"),
        ("0 2 */2,30 * mon-fri", "day of month '*/2'", "10 to 13", "0 2 1-31/2,30 * mon-fri"),
        ("0 2 1 * */2", "day of week '*/2'", "0 to 1", "0 2 1 * 0-6/2"),
        ("0 2 */10 2 */4", "day of month '*/10'", "0 to 2", "0 2 1-31/10 2 0-6/4"),
    ],
)
def test_steps_of_day_fields_differ_from_kubernetes(expression: str, item: str, days: str, either: str) -> None:
    """Its CronJobs are due on days that match one field, unless a field is * itself (robfig/cron, issue 527)."""
    assert warnings(expression) == (STEPPED.format(item, days, either),)
    written, other = parse(expression), parse(either)
    assert (written.days, written.weekdays) == (other.days, other.weekdays)
    assert written.days_and_weekdays
    assert not other.days_and_weekdays


WIDE = "{} matches only {} in each {}, because the step is larger than the range {}: {}"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("*/90 * * * *", ["minute '*/90'", 0, "hour", "0-59",
                          "for every 90 minutes, use trigger_type interval with interval_seconds: 5400; for the same "
                          "times as now, write */60"]),
        ("*/61 * * * *", ["minute '*/61'", 0, "hour", "0-59",
                          "for every 61 minutes, use trigger_type interval with interval_seconds: 3660; for the same "
                          "times as now, write */60"]),
        ("0 */36 * * *", ["hour '*/36'", 0, "day", "0-23",
                          "for every 36 hours, use trigger_type interval with interval_seconds: 129600; for the same "
                          "times as now, write */24"]),
        ("0 2 */45 * *", ["day of month '*/45'", 1, "month", "1-31",
                          "for every 45 days, use trigger_type interval with interval_seconds: 3888000; for the same "
                          "times as now, write */31"]),
        ("0 2 * * */10", ["day of week '*/10'", 0, "week", "0-7",
                          "for every 10 days, use trigger_type interval with interval_seconds: 864000; for the same "
                          "times as now, write */7"]),
        ("0 2 1 */18 *", ["month '*/18'", 1, "year", "1-12",
                          "cron cannot express every 18 months; for the same times as now, write */12"]),
        ("*/90 8-18 * * *", ["minute '*/90'", 0, "hour", "0-59",
                             "cron cannot express every 90 minutes; for the same times as now, write */60"]),
        ("0 2 */400 * *", ["day of month '*/400'", 1, "month", "1-31",
                           "cron cannot express every 400 days; for the same times as now, write */31"]),
        ("*/90,30 * * * *", ["minute '*/90'", 0, "hour", "0-59",
                             "cron cannot express every 90 minutes; for the same times as now, write */60"]),
        ("10-20/30 * * * *", ["minute '10-20/30'", 10, "hour", "10-20", "write 10"]),
        ("0 2 * * mon-fri/9", ["day of week 'mon-fri/9'", 1, "week", "1-5", "write 1"]),
    ],
)  # fmt: skip
def test_steps_larger_than_their_range_cause_a_warning(expression: str, expected: list[object]) -> None:
    (said,) = warnings(expression)
    assert said == WIDE.format(*expected)
    item = re.search(r"'(.+)'", said)
    written = re.search(r"write (\S+)$", said)
    assert item is not None
    assert written is not None
    assert parse(expression.replace(item[1], written[1], 1)) == parse(expression), "the same times as now"
    interval = re.search(r"interval_seconds: (\d+)", said)
    assert interval is None or IntervalSchedule(interval_seconds=int(interval[1]))


def test_an_expression_can_have_several_warnings() -> None:
    assert [said.split(" ")[0] for said in warnings("*/90 */36 1 * 1")] == ["cron", "minute", "hour"]


MONTHS = st.one_of(st.just(set(range(1, 13))), st.sets(st.integers(1, 12), min_size=1, max_size=3))


@given(st.sets(st.integers(1, 31), min_size=1), MONTHS, st.sets(st.integers(0, 7), min_size=1))
def test_the_expression_for_both_days_names_exactly_those(days: set[int], months: set[int], weekdays: set[int]) -> None:
    """The advice uses a property of Vixie cron: a list may begin with the * of a step that matches one value only."""
    written = [",".join(map(str, sorted(numbers))) for numbers in (days, months, weekdays)]
    (said,) = warnings(f"0 2 {' '.join(written)}")
    if min(days) > max(monthrange(2024, month)[1] for month in months):
        assert said.endswith(NO_DAY)
        return
    both = said.partition("write ")[2]
    if not both:
        assert said.endswith(NONE)
        assert 1 not in days
        assert not {0, 7} & weekdays
        return
    parsed = parse(both)
    assert parsed.days_and_weekdays
    assert set(parsed.days) == days
    assert {weekday % 7 for weekday in parsed.weekdays} == {weekday % 7 for weekday in weekdays}
