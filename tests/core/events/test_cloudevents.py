"""Tests of CloudEvents over HTTP: all content modes, and the errors for invalid events."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustertrigger.core.events.cloudevents import BATCHED, MOST_EVENTS, STRUCTURED, EventError, Occurrence, read_events

EVENT = {
    "specversion": "1.0",
    "id": "a-1",
    "source": "/ingest",
    "type": "documents_added",
    "subject": "col_products",
}
HEADERS = {f"ce-{name}": value for name, value in EVENT.items()}
READ = Occurrence("/ingest", "a-1", "documents_added", "col_products", 1)


TIME = "must be a time with an offset, such as 2026-11-22T00:13:00Z"


def in_base64(data: Any) -> str:
    return base64.b64encode(json.dumps(data).encode()).decode()


def counting(count: int) -> Occurrence:
    return Occurrence(READ.source, READ.id, READ.type, READ.collection_id, count)


def structured(event: Any, content_type: str = STRUCTURED) -> list[Occurrence]:
    return read_events({"content-type": content_type}, json.dumps(event).encode())


@pytest.mark.parametrize(
    ("case", "headers", "body", "expected"),
    [
        ("structured", {"content-type": STRUCTURED}, EVENT, [READ]),
        ("structured, charset", {"content-type": f"{STRUCTURED}; charset=UTF-8"}, EVENT, [READ]),
        ("count", {"content-type": STRUCTURED}, {**EVENT, "data": {"count": 100}}, [counting(100)]),
        ("data of another shape", {"content-type": STRUCTURED}, {**EVENT, "data": "text"}, [READ]),
        ("data in base64", {"content-type": STRUCTURED}, {**EVENT, "data_base64": "AAAA"}, [READ]),
        ("count in base64", {"content-type": STRUCTURED},
         {**EVENT, "data_base64": in_base64({"count": 9})}, [counting(9)]),
        ("text in base64", {"content-type": STRUCTURED},
         {**EVENT, "datacontenttype": "text/plain", "data_base64": in_base64({"n": 9})}, [READ]),
        ("text that is JSON", {"content-type": STRUCTURED},
         {**EVENT, "datacontenttype": "text/plain", "data": '{"n": 9}'}, [READ]),
        ("count in base64, charset", {"content-type": STRUCTURED},
         {**EVENT, "datacontenttype": "Application/JSON; charset=utf-8", "data_base64": in_base64({"count": 9})},
         [counting(9)]),
        ("JSON, charset", {"content-type": STRUCTURED},
         {**EVENT, "datacontenttype": "application/json; charset=utf-8", "data": {"count": 9}}, [counting(9)]),
        ("binary, text/json", {**HEADERS, "content-type": "text/json"}, {"count": 7}, [counting(7)]),
        ("binary without a content type", HEADERS, {"count": 7}, [counting(7)]),
        ("binary, another form", {**HEADERS, "content-type": "application/x-www-form-urlencoded"}, {"n": 7}, [READ]),
        ("extension", {"content-type": STRUCTURED}, {**EVENT, "subject": "x", "collectionid": "col_products"}, [READ]),
        ("other extensions", {"content-type": STRUCTURED}, {**EVENT, "traceparent": "00-1", "partition": "7"}, [READ]),
        ("time", {"content-type": STRUCTURED}, {**EVENT, "time": "2026-11-22T00:13:00+01:00"}, [READ]),
        ("null is absent", {"content-type": STRUCTURED}, {**EVENT, "time": None, "collectionid": None}, [READ]),
        ("batch", {"content-type": BATCHED}, [EVENT, {**EVENT, "data": {"count": 3}}], [READ, counting(3)]),
        ("empty batch", {"content-type": BATCHED}, [], []),
        ("binary", {**HEADERS, "content-type": "application/json"}, {"count": 7}, [counting(7)]),
        ("binary, +json", {**HEADERS, "content-type": "application/vnd.a+json"}, {"count": 7}, [counting(7)]),
        ("binary without a body", HEADERS, None, [READ]),
        ("binary, text", {**HEADERS, "content-type": "text/plain"}, "count", [READ]),
        ("binary, percent-encoded", {**HEADERS, "ce-subject": "col%5Fproducts"}, None, [READ]),
        ("binary, quoted", {**HEADERS, "ce-subject": '"col_products"'}, None, [READ]),
    ],
)  # fmt: skip
def test_modes(case: str, headers: dict[str, str], body: Any, expected: list[Occurrence]) -> None:
    assert read_events(headers, b"" if body is None else json.dumps(body).encode()) == expected, case


def without(attribute: str) -> dict[str, Any]:
    return {name: value for name, value in EVENT.items() if name != attribute}


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (without("id"), "id: is missing: every CloudEvent requires it"),
        (without("source"), "source: is missing"),
        (without("type"), "type: is missing"),
        (without("specversion"), "specversion: is missing"),
        (without("subject"), "subject: is missing: set it, or the extension collectionid, to the collection"),
        ({**EVENT, "specversion": "0.3"}, "specversion: must be 1.0, not '0.3'"),
        ({**EVENT, "id": ""}, "id: must not be empty, not ''"),
        ({**EVENT, "id": 7}, "id: must be a string, not 7"),
        ({**EVENT, "time": "yesterday"}, f"time: {TIME}, not 'yesterday'"),
        ({**EVENT, "time": "2026-11-22T00:13:00"}, f"time: {TIME}, not '2026-11-22T00:13:00'"),
        ({**EVENT, "data": '{"count": 100}'}, "data: is a string that contains JSON: send the object itself"),
        (
            {**EVENT, "datacontenttype": "text/plain", "data": '{"count": 100}'},
            "data: is a string that contains JSON: send the object itself",
        ),
        ({**EVENT, "data_base64": "{}"}, "data_base64: is not base64: encode the data, or send it as data"),
        ({**EVENT, "data_base64": in_base64({"count": 0})}, "data.count: must be a whole number from 1"),
        ({**EVENT, "data": {"count": 0}}, "data.count: must be a whole number from 1 to 1000000000, not 0"),
        ({**EVENT, "data": {"count": -1}}, "data.count: "),
        ({**EVENT, "data": {"count": 1.5}}, "data.count: "),
        ({**EVENT, "data": {"count": True}}, "data.count: "),
        ({**EVENT, "data": {"count": "5"}}, "data.count: "),
        ({**EVENT, "data": {"count": None}}, "data.count: "),
        ({**EVENT, "data": {"count": 10**30}}, "data.count: "),
        ([EVENT], "the body: "),
        ("text", "the body: "),
        (None, "the body: "),
    ],
)
def test_a_wrong_event_names_the_attribute(event: Any, says: str) -> None:
    with pytest.raises(EventError) as refused:
        structured(event)
    assert refused.value.status == 400
    assert str(refused.value).startswith(says)


def test_a_count_in_base64_needs_a_type_that_is_json() -> None:
    """It counted as one document."""
    event = {**EVENT, "datacontenttype": "application/octet-stream", "data_base64": in_base64({"count": 100})}
    with pytest.raises(EventError) as refused:
        structured([EVENT, event], BATCHED)
    assert refused.value.status == 415
    assert str(refused.value) == (
        "[1].datacontenttype: data.count needs application/json, not 'application/octet-stream': set it"
    )


def test_a_wrong_event_in_a_batch_is_named_by_its_place() -> None:
    with pytest.raises(EventError, match=r"^\[1\]\.id: is missing"):
        structured([EVENT, without("id")], BATCHED)
    with pytest.raises(EventError, match=r"^\[2\]\.data\.count: "):
        structured([EVENT, EVENT, {**EVENT, "data": {"count": 0}}], BATCHED)


@pytest.mark.parametrize(
    ("headers", "body", "status", "says"),
    [
        ({}, b"{}", 415, "the request is not a CloudEvent: send content type application/cloudevents"),
        ({"content-type": "application/json"}, b"{}", 415, "the request is not a CloudEvent"),
        (
            {"content-type": "application/cloudevents+avro"},
            b"",
            415,
            "content type 'application/cloudevents\\+avro' is not",
        ),
        ({"content-type": f"{STRUCTURED}; charset=utf-16"}, b"{}", 415, "charset utf-16 is not supported: send UTF-8"),
        ({"content-type": STRUCTURED}, b"", 400, "the body: "),
        ({"content-type": STRUCTURED}, b"\xff\xfe", 400, "the body: "),
        ({"content-type": STRUCTURED}, b"[" * 100_000, 400, "the body: "),
        ({"content-type": STRUCTURED}, b'{"a":' * 100_000, 400, "the body: "),
        ({**HEADERS, "content-type": "application/json"}, b"{", 400, "data: "),
        ({**HEADERS, "content-type": "application/json"}, b"[" * 100_000, 400, "data: "),
        (
            {**HEADERS, "content-type": "application/x-www-form-urlencoded"},
            b'{"count": 100}',
            415,
            "data.count needs the content type application/json, not 'application/x-www-form-urlencoded': set it",
        ),
        ({"ce-id": "1"}, b"", 400, "ce-specversion: is missing"),
        ({**HEADERS, "ce-id": "\udcff"}, b"", 400, "ce-id: "),
        (
            {"content-type": BATCHED},
            json.dumps([EVENT] * (MOST_EVENTS + 1)).encode(),
            413,
            "1001 events in one request",
        ),
    ],
)
def test_a_wrong_request(headers: dict[str, str], body: bytes, status: int, says: str) -> None:
    with pytest.raises(EventError, match=f"^{says}") as refused:
        read_events(headers, body)
    assert refused.value.status == status


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
ATTRIBUTES = st.dictionaries(st.sampled_from([*EVENT, "data", "time", "collectionid", "count"]), JSON)
BODIES = st.one_of(
    st.binary(max_size=200),
    JSON.map(lambda said: json.dumps(said).encode()),
    ATTRIBUTES.map(lambda said: json.dumps({**EVENT, **said}).encode()),
    st.lists(ATTRIBUTES.map(lambda said: {**EVENT, **said}), max_size=3).map(lambda said: json.dumps(said).encode()),
)
CONTENT_TYPES = st.sampled_from(
    [STRUCTURED, BATCHED, "application/json", "text/plain", "", "application/cloudevents+x"]
)


@settings(max_examples=500)
@given(
    content_type=CONTENT_TYPES,
    body=BODIES,
    headers=st.dictionaries(st.sampled_from(list(HEADERS)), st.text(min_size=1, max_size=20), max_size=6),
)
def test_any_request_is_read_or_refused(content_type: str, body: bytes, headers: dict[str, str]) -> None:
    try:
        events = read_events({**headers, "content-type": content_type}, body)
    except EventError as error:
        refusal = error
        events = []
    else:
        refusal = EventError(400, "none")
    assert refusal.status in (400, 413, 415)
    assert str(refusal)
    assert all(event.count >= 1 and event.id and event.source for event in events)
