"""Tests of names of days and months that crontab does not know."""

from __future__ import annotations

import pytest

from clustertrigger.core.schedules.cron_fields import DAY_OF_WEEK, FIELDS
from clustertrigger.core.schedules.cron_names import short_name, with_short_names


@pytest.mark.parametrize(
    ("position", "text", "short"),
    [
        (DAY_OF_WEEK, "Wednesdays", "wed"),
        (DAY_OF_WEEK, "thur", "thu"),
        (DAY_OF_WEEK, "January", None),
        (DAY_OF_WEEK - 1, "janu", "jan"),
        (DAY_OF_WEEK - 1, "Monday", None),
        (0, "Monday", None),
    ],
)
def test_names_in_another_form(position: int, text: str, short: str | None) -> None:
    assert short_name(FIELDS[position], text) == short


@pytest.mark.parametrize(
    ("position", "text", "written"),
    [
        (DAY_OF_WEEK, "Mon,Tuesday", "Mon,tue"),
        (DAY_OF_WEEK, "mon-friday", "mon-fri"),
        (DAY_OF_WEEK, "FRI-MON", "fri-sat,sun-mon"),
        (DAY_OF_WEEK, "weekdays,6", "1-5,6"),
        (DAY_OF_WEEK, "MON-FRI", "MON-FRI"),
        (DAY_OF_WEEK, "1-friday", "1-friday"),
        (DAY_OF_WEEK - 1, "January-march", "jan-mar"),
        (DAY_OF_WEEK - 1, "sept,juli", "sep,juli"),
        (0, "Monday", "Monday"),
    ],
)
def test_fields_with_names_in_another_form(position: int, text: str, written: str) -> None:
    assert with_short_names(FIELDS[position], text) == written
