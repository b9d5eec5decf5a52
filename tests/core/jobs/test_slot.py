"""Tests of slots, as they are read from Jobs and written to them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustertrigger.core.jobs.slot import CheckSlot, EventSlot, ManualSlot, ScheduledSlot, Slot, parse_slot

INSTANT = datetime(2026, 3, 2, 13, tzinfo=UTC)
INSTANTS = st.datetimes(datetime(1970, 1, 2), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        ("2026-03-02T13:00:00Z", ScheduledSlot(INSTANT)),
        ("2026-03-02T14:00:00+01:00", ScheduledSlot(INSTANT)),
        ("check/2026-03-02T13:00:00Z", CheckSlot(INSTANT)),
        ("event/7", EventSlot(7)),
        ("manual/anything/at all", ManualSlot("anything/at all")),
        ("manual/", ManualSlot("")),
        ("", None),
        ("/", None),
        ("manual", None),
        ("event/", None),
        ("event/-7", None),
        ("event/٣", None),
        ("event/" + "9" * 5000, None),
        ("check/event/7", None),
        ("other/7", None),
        ("/2026-03-02T13:00:00Z", None),
        ("2026-03-02T13:00:00", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("check/9999-12-31T23:59:59-23:59", None),
    ],
)
def test_slots_of_any_text_are_parsed(text: str, slot: Slot | None) -> None:
    assert parse_slot(text) == slot


@given(
    st.one_of(
        st.builds(ScheduledSlot, INSTANTS),
        st.builds(CheckSlot, INSTANTS),
        st.builds(EventSlot, st.integers(0, 10**18 - 1)),
        st.builds(ManualSlot, st.text()),
    )
)
def test_a_written_slot_is_read_back(slot: Slot) -> None:
    assert parse_slot(str(slot)) == slot
