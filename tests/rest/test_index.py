"""Tests of filters, orders and pages, compared with a plain search of the same objects."""

from __future__ import annotations

import itertools
import random
import time
import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from clustertrigger.core.instants import parse_instant
from clustertrigger.rest.definitions import Definitions
from clustertrigger.rest.index import Entry, Query, TriggerIndex
from harness.control_plane.kube import Object

TYPES = ("cron", "interval")
STATES = ("active", "paused")


def trigger(name: str, chance: random.Random, version: int = 1, uid: str | None = None) -> Object:
    cluster_id = chance.choice([None, "shop", "ads"])
    inner: Object = (
        {"cluster_id": cluster_id}
        if cluster_id
        else {"execution_config": {"collection_ids": [chance.choice(["col_a", "col_b"])], "config": {}}}
    )
    if chance.random() < 0.5:
        inner["description"] = chance.choice("abc")
    status: Object = {"execution_count": chance.randrange(4), "failure_count": chance.randrange(4)}
    if chance.random() < 0.5:
        second = chance.choice(["01", "01.25", "02"])
        status["last_triggered_at"] = f"2026-01-01T00:00:{second}Z"
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": uid or str(uuid.UUID(int=chance.getrandbits(128))),
            "resourceVersion": str(version),
            "generation": 1,
            "creationTimestamp": f"2026-01-01T00:00:0{chance.randrange(3)}Z",
        },
        "spec": {
            "trigger_type": chance.choice(TYPES),
            "schedule_config": {},
            "status": chance.choice(STATES),
            **inner,
        },
        "status": status,
    }


QUERIES = [
    Query(trigger_type=trigger_type, status=status, cluster_id=cluster_id, sort_by=sort_by, descending=descending)
    for trigger_type, status, cluster_id, sort_by, descending in itertools.product(
        (None, "cron"),
        (None, "paused"),
        (None, "shop"),
        ("created_at", "last_triggered_at", "description", "execution_count", "ended_count", "display_name"),
        (True, False),
    )
] + [Query(resource_id="col_a"), Query(resource_id="shop"), Query(action="cluster"), Query(action="other")]


def searched(entries: list[Entry], query: Query) -> list[str]:
    """The expected content of a page, by the definition of each filter and by two stable sorts."""
    found = [
        entry
        for entry in entries
        if (query.action is None or entry.action_type == query.action)
        and (query.trigger_type is None or entry.trigger_type == query.trigger_type)
        and (query.status is None or entry.status == query.status)
        and (query.cluster_id is None or entry.cluster_id == query.cluster_id)
        and (query.resource_id is None or query.resource_id in entry.resource_ids)
    ]
    found.sort(key=lambda entry: entry.trigger_id, reverse=query.descending)

    def value(entry: Entry) -> Any:
        plain = getattr(entry, query.sort_by)
        return plain.replace("Z", "") if isinstance(plain, str) else plain

    having = [entry for entry in found if getattr(entry, query.sort_by) is not None]
    having.sort(key=value, reverse=query.descending)
    lacking = [entry for entry in found if getattr(entry, query.sort_by) is None]
    lacking.sort(key=lambda entry: entry.trigger_id)
    return [entry.name for entry in (*having, *lacking)]


@pytest.mark.parametrize("seed", range(3))
def test_pages_follow_created_changed_and_deleted_triggers(seed: int) -> None:
    chance = random.Random(seed)
    index = TriggerIndex(Entry(trigger(f"t{number}", chance)) for number in range(20))
    for step in range(60):
        name = f"t{chance.randrange(30)}"
        if chance.random() < 0.3:
            index.remove(name)
        else:
            known = index.get(name)
            index.put(Entry(trigger(name, chance, step + 2, known.uid if known else None)))
        entries = list(index)
        for query in chance.sample(QUERIES, 12):
            expected = searched(entries, query)
            offset, limit = chance.randrange(len(expected) + 2), chance.randrange(1, 8)
            total, page = index.page(query, offset, limit)
            assert total == len(expected)
            assert [entry.name for entry in page] == expected[offset : offset + limit], query
        for entry in entries:
            assert index.name_of(entry.trigger_id) == entry.name


def test_an_answer_is_rendered_once_per_version() -> None:
    entry = Entry(trigger("t", random.Random(0)))
    made: list[int] = []

    def view() -> Object:
        made.append(1)
        return {"n": len(made)}

    assert entry.shown("kind", ("cluster", False), view) == b'{"n":1}'
    assert entry.shown("kind", ("cluster", False), view) == b'{"n":1}'
    assert entry.shown("kind", ("cluster", True), view) == b'{"n":2}'
    assert entry.shown("other", ("cluster", True), view) == b'{"n":3}'


def test_an_unchanged_page_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(0)
    due = trigger("due", chance)
    due["spec"]["status"] = "active"
    due["status"] = {"observedGeneration": 1, "status": "active", "next_scheduled_at": "2026-01-01T00:00:00Z"}
    index = TriggerIndex([Entry(due), Entry(trigger("other", chance))])
    now = parse_instant("2026-01-01T00:00:30Z").timestamp()
    monkeypatch.setattr(time, "time", lambda: now)
    made: list[int] = []

    def answer(about: str = "page") -> bytes:
        def make(total: int, entries: Sequence[Entry]) -> bytes:
            assert (total, len(entries)) == (len(index), len(index))
            made.append(1)
            return b"%d" % len(made)

        return index.answer(Query(), 0, 10, about, make)

    assert [answer(), answer(), answer("other")] == [b"1", b"1", b"2"]
    index.put(Entry(trigger("new", chance)))
    assert [answer(), answer()] == [b"3", b"3"]
    index.remove("new")
    assert [answer(), answer()] == [b"4", b"4"]
    now += 31  # a minute after it was due, it is overdue
    assert [answer(), answer()] == [b"5", b"5"]


def test_fields_kept_in_memory() -> None:
    raw = trigger("t", random.Random(0))
    raw["metadata"]["managedFields"] = [
        {"time": "2026-01-01T00:00:05Z", "fieldsV1": {"f:status": {"f:status": {}}}},
        {"time": "2026-01-01T00:00:03Z", "fieldsV1": {"f:spec": {"f:status": {}}}},
        {"time": "2026-01-01T00:00:02Z", "fieldsV1": {"f:spec": {"f:trigger_type": {}}}},
    ]
    entry = Entry(raw)
    assert entry.updated_at == "2026-01-01T00:00:03Z"
    kept = entry.raw
    assert kept["metadata"].pop("managedFields") == [{"time": "2026-01-01T00:00:03Z", "fieldsV1": {"f:spec": {}}}]
    assert Entry({**kept, "metadata": {**kept["metadata"]}}).created_at == entry.created_at
    assert kept["spec"] == raw["spec"]


def test_a_write_at_an_impossible_time_is_the_earliest() -> None:
    """One such trigger would end the watch, and so hide all others."""
    raw = trigger("t", random.Random(0))
    spec: Object = {"fieldsV1": {"f:spec": {}}}
    raw["metadata"]["managedFields"] = [{"time": "0000-01-01T00:00:00Z", **spec}]
    assert Entry(raw).updated_at == raw["metadata"]["creationTimestamp"]
    raw["metadata"]["managedFields"].append({"time": "2026-01-01T00:00:03Z", **spec})
    assert Entry(raw).updated_at == "2026-01-01T00:00:03Z"


@pytest.mark.parametrize(
    ("status", "is_overdue"),
    [
        ({}, False),
        ({"next_scheduled_at": "9999-12-31T23:59:59Z"}, False),
        ({"next_scheduled_at": "0000-01-01T00:00:00Z"}, False),
        ({"next_scheduled_at": "2026-01-01T00:00:00Z"}, True),
        ({"next_scheduled_at": "9000-01-01T00:00:00Z"}, False),
        ({"next_scheduled_at": "9000-01-01T00:00:00Z", "is_overdue": True}, True),
        ({"next_scheduled_at": "2026-01-01T00:00:00Z", "history": [{"job_id": "j", "status": "running"}]}, False),
        ({"next_scheduled_at": "2026-01-01T00:00:00Z", "status": "failed"}, False),
    ],
)
def test_overdue_triggers(status: Object, is_overdue: bool) -> None:
    raw = trigger("t", random.Random(0))
    raw["spec"]["status"] = "active"
    assert Entry({**raw, "status": {"observedGeneration": 1, "status": "active", **status}}).is_overdue is is_overdue


def test_definitions() -> None:
    def definition(name: str, cluster_id: str, version: str = "1") -> Object:
        metadata = {"name": name, "uid": f"uid-{name}", "resourceVersion": version}
        return {"metadata": metadata, "spec": {"cluster_id": cluster_id}}

    known = Definitions([definition("shop", "cluster_shop")])
    assert known.inherited("cluster_shop") == ("uid-shop/1", {"cluster_id": "cluster_shop"})
    assert known.inherited("shop") == known.inherited("cluster_shop")
    assert known.inherited("other") is None
    known.put(definition("shop", "cluster_shop", "2"))
    assert known.inherited("shop") == ("uid-shop/2", {"cluster_id": "cluster_shop"})
    known.put(definition("copy", "cluster_shop"))
    assert known.inherited("cluster_shop") is None
    known.remove("copy")
    assert known.inherited("cluster_shop") == ("uid-shop/2", {"cluster_id": "cluster_shop"})
