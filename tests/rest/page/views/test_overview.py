"""Tests of the table of triggers: its rows, and its filters."""

from __future__ import annotations

import pytest

from clustertrigger.rest.page.views.glance import Read
from clustertrigger.rest.page.views.overview import ROWS, Filters, overview
from harness.control_plane.manifests import Object, conditional, cron, events, interval
from tests.rest.page.objects import NOW, at, condition, run, seen

UNSEEN: Object = {
    "metadata": {"name": "new", "namespace": "search", "uid": "u", "creationTimestamp": at(seconds=5)},
    "spec": interval(60),
}
TRIGGERS = [
    seen("nightly", cron("0 2 * * *", "Europe/Berlin"), history=[run("n-1", "completed", begun=at(hours=8))],
         next_scheduled_at="2026-11-29T01:00:00Z", execution_count=12, failure_count=1,
         schedule="0 2 * * * Europe/Berlin"),
    seen("hourly", history=[run("h-1", "running", begun=at(minutes=2))]),
    seen("counting", events(100), event_counter=37, schedule="37/100 documents_added"),
    seen("drifting", conditional(3600), namespace="research", history=[run("d-1", "failed", error="no column")]),
    seen("quiet", interval(3600, status="paused"), status="paused",
         conditions=[condition("Ready", "True", "Paused")]),
    seen("stopped", status="failed", conditions=[condition("Ready", "False", "TooManyFailures", "5 runs failed")]),
    seen("lost", conditions=[condition("Ready", "False", "CollectionNotFound", "no Collection 'x'")]),
    UNSEEN,
]  # fmt: skip


def listed(raws: list[Object]) -> list[Read]:
    return [Read(raw) for raw in raws]


def test_rows() -> None:
    shown = overview(listed(TRIGGERS), Filters(), NOW)
    assert [(row.namespace, row.name) for row in shown.rows] == [
        ("research", "drifting"), ("search", "counting"), ("search", "hourly"), ("search", "lost"),
        ("search", "new"), ("search", "nightly"), ("search", "quiet"), ("search", "stopped"),
    ]  # fmt: skip
    rows = {row.name: row for row in shown.rows}
    nightly = rows["nightly"]
    assert (nightly.type, nightly.action, nightly.schedule) == ("cron", "cluster", "0 2 * * * Europe/Berlin")
    assert (nightly.state, nightly.tone, nightly.trouble) == ("active", "good", "")
    assert nightly.last_run is not None
    assert (nightly.last_run.words, nightly.last_result, nightly.result_tone) == ("8h ago", "completed", "good")
    assert nightly.next_run is not None
    assert (nightly.next_run.iso, nightly.coming) == ("2026-11-29T01:00:00Z", "in 14h")
    assert (nightly.runs, nightly.failures, nightly.age) == (12, 1, "2h")
    assert (rows["counting"].next_run, rows["counting"].coming) == (None, "37/100 events")
    assert (rows["drifting"].last_result, rows["drifting"].trouble) == ("failed", "the last run failed: no column")
    assert {name: (row.state, row.tone) for name, row in rows.items()} == {
        "drifting": ("active", "good"), "counting": ("active", "good"), "hourly": ("running", "busy"),
        "lost": ("not ready", "bad"), "new": ("not seen", "unsure"), "nightly": ("active", "good"),
        "quiet": ("paused", "off"), "stopped": ("failed", "bad"),
    }  # fmt: skip
    assert (rows["new"].last_run, rows["new"].schedule, rows["new"].age) == (None, "", "5s")
    assert shown.summary == "8 triggers: 3 active, 1 running, 1 paused, 1 failed, 1 not ready, 1 not seen"


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (Filters(namespace="research"), ["drifting"]),
        (Filters(namespace="nowhere"), []),
        (Filters(type="cron"), ["nightly"]),
        (Filters(type="weekly"), []),
        (Filters(state="not ready"), ["lost"]),
        (Filters(state="running", type="interval"), ["hourly"]),
        (Filters(action="cluster", state="paused"), ["quiet"]),
        (Filters(action="other"), []),
    ],
)
def test_filters_and_search(filters: Filters, names: list[str]) -> None:
    shown = overview(listed(TRIGGERS), filters, NOW)
    assert [row.name for row in shown.rows] == names
    assert shown.total == len(names)


def test_an_unused_action_can_be_chosen() -> None:
    assert overview(listed(TRIGGERS), Filters(action="other"), NOW).actions == ["cluster", "other"]
    assert overview([], Filters(), NOW).summary == "0 triggers"


@pytest.mark.parametrize(
    ("start", "first", "earlier", "later"),
    [
        (0, "t-000", None, "type=interval&start=100"),
        (100, "t-100", "type=interval", "type=interval&start=200"),
        (200, "t-200", "type=interval&start=100", None),
        (99_999, "t-200", "type=interval&start=100", None),
    ],
)
def test_pages(start: int, first: str, earlier: str | None, later: str | None) -> None:
    many = [seen(f"t-{number:03}") for number in reversed(range(2 * ROWS + 5))]
    shown = overview(listed(many), Filters(type="interval", start=start), NOW)
    assert shown.rows[0].name == first
    assert (shown.earlier, shown.later, shown.total) == (earlier, later, 205)


def test_queries() -> None:
    filters = Filters(namespace="a&b", state="not ready", start=100)
    assert filters.query() == "namespace=a%26b&state=not+ready&start=100"
    assert filters.query(start=0, state="") == "namespace=a%26b"
    assert Filters().query() == ""


def test_coming_slots_follow_the_filters() -> None:
    assert [lane.name for lane in overview(listed(TRIGGERS), Filters(type="cron"), NOW).timeline.lanes] == ["nightly"]
