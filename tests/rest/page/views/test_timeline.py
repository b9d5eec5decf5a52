"""Tests of the timeline of 24 hours, which starts at 10:00; NOW is 10:07:30."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pytest

from clustertrigger.rest.page.views.glance import glance_at
from clustertrigger.rest.page.views.timeline import LANES, LARGEST, Timeline, timeline
from harness.control_plane.manifests import Object, conditional, cron, events, interval
from tests.rest.page.objects import NOW, seen


def coming(raws: Sequence[Object], now: datetime) -> Timeline:
    return timeline([glance_at(raw) for raw in raws], now)


def minutes(spec: Object, **status: str) -> list[tuple[int, int]]:
    """The position of a trigger on the timeline: minutes from 10:00, and the width."""
    lanes = coming([seen(spec=spec, **status)], NOW).lanes
    return [(span.start, span.width) for lane in lanes for span in lane.spans]


@pytest.mark.parametrize(
    ("spec", "drawn"),
    [
        (cron("0 2 * * *"), [(16 * 60, 0)]),
        (cron("0 2 * * *", "Europe/Berlin"), [(15 * 60, 0)]),
        (cron("0 10 * * *"), []),  # of the day after tomorrow's line: today's has passed
        (cron("5,59 10 * * *"), [(59, 0)]),
        (cron("59 9 * * *"), [(24 * 60 - 1, 0)]),
        (cron("0 12 1 1 *"), []),
        (interval(6 * 3600), [(247, 0), (607, 0), (967, 0), (1327, 0)]),
        (conditional(12 * 3600), [(607, 0), (1327, 0)]),
        (interval(60), [(0, 1440)]),
        (cron("* 12-13,20 * * *"), [(120, 120), (600, 60)]),
        (events(10), []),
        (interval(60, status="paused"), []),
        ({**cron("61 * * * *")}, []),
        (cron("0 2 * * *", "Mars/Olympus"), []),
        (interval(10**7), []),
    ],
)
def test_positions_of_slots(spec: Object, drawn: list[tuple[int, int]]) -> None:
    assert minutes(spec) == drawn


def test_a_stopped_trigger_has_no_slots() -> None:
    assert minutes(interval(3600), status="failed") == []


def test_columns_count_triggers_and_not_slots() -> None:
    shown = coming([seen("a", interval(60)), seen("b", cron("0 2 * * *")), seen("c", cron("10 2 * * *"))], NOW)
    assert [column.triggers for column in shown.columns] == [1] * 32 + [3] + [1] * 15
    assert [column.height for column in shown.columns] == [33] * 32 + [100] + [33] * 15
    assert (shown.columns[32].x, shown.columns[32].at.iso) == (960, "2026-11-29T02:00:00Z")
    assert shown.summary == "3 triggers have slots in the coming 24 hours."


def test_triggers_are_ordered_by_their_next_slot() -> None:
    shown = coming([seen("b", cron("0 2 * * *")), seen("a", cron("0 2 * * *")), seen("z", interval(60))], NOW)
    assert [lane.name for lane in shown.lanes] == ["z", "a", "b"]
    assert [(lane.first.words, lane.words) for lane in shown.lanes] == [
        ("now", "more than 96 slots"), ("in 15h", "1 slot"), ("in 15h", "1 slot"),
    ]  # fmt: skip
    assert not shown.lanes[0].checks
    assert coming([seen("c", conditional(3600))], NOW).lanes[0].checks


def test_many() -> None:
    names = [f"t-{number:04}" for number in range(LARGEST + 5)]
    shown = coming([seen(name, cron("0 2 * * *")) for name in names], NOW)
    assert [lane.name for lane in shown.lanes] == names[:LANES]
    assert shown.summary == "1,000 triggers of the first 1,000 have slots in the coming 24 hours."
    (crowd,) = shown.crowds
    assert (crowd.triggers, crowd.times, crowd.names) == (1000, 1, "t-0000, t-0001, t-0002, t-0003 and 996 more")


def test_many_slots_at_one_time() -> None:
    triggers = [
        seen("a", cron("0 2,3 * * *")), seen("b", cron("0 2 * * *")), seen("c", cron("0 2-9 * * *")),
        seen("d", cron("0 4-6 * * *")), seen("alone", cron("30 12 * * *")),
    ]  # fmt: skip
    crowds = coming(triggers, NOW).crowds
    assert [(crowd.at.iso[11:16], crowd.times, crowd.triggers, crowd.names) for crowd in crowds] == [
        ("02:00", 1, 3, "a, b, c"), ("03:00", 1, 2, "a, c"), ("04:00", 3, 2, "c, d"),
    ]  # fmt: skip


def test_hours_are_marked() -> None:
    assert [(x, at.iso[11:16]) for x, at in coming([], NOW).marks] == [
        (120, "12:00"), (480, "18:00"), (840, "00:00"), (1200, "06:00"),
    ]  # fmt: skip
    later = NOW.replace(minute=31)
    assert [x for x, _ in coming([], later).marks] == [90, 450, 810, 1170]
    assert coming([], NOW).summary == "No trigger has a slot in the coming 24 hours."
