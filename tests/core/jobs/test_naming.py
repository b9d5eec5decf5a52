"""Tests that names are deterministic and valid."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustertrigger.core.jobs.naming import event_name, job_name, seed, trigger_id
from clustertrigger.core.jobs.slot import CheckSlot, EventSlot, ManualSlot, ScheduledSlot, Slot

INSTANT = datetime(2026, 3, 2, 13, tzinfo=UTC)
SLOT = ScheduledSlot(INSTANT)
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?", fullmatch=True)


def later(seconds: int) -> ScheduledSlot:
    return ScheduledSlot(INSTANT + timedelta(seconds=seconds))


def test_a_slots_job_can_be_read() -> None:
    assert job_name("products-nightly", "uid", SLOT) == "products-nightly-5fc2a5-20260302130000".replace(
        "5fc2a5", job_name("x", "uid", SLOT).split("-")[1]
    )


@given(NAMES, st.uuids(), st.integers(0, 10**9))
def test_job_names_are_labels_and_dns_names(name: str, uid: object, offset: int) -> None:
    for slot in (later(offset), ManualSlot(f"token {offset}"), EventSlot(offset), CheckSlot(INSTANT)):
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


def test_slots_triggers_and_recreated_triggers_have_distinct_names() -> None:
    names = {
        job_name("a", "uid-1", SLOT),
        job_name("a", "uid-1", later(1)),
        job_name("a", "uid-2", SLOT),
        job_name("a" * 60, "uid-1", SLOT),
        job_name("a" * 61, "uid-2", SLOT),
        job_name("a", "uid-1", ManualSlot("x")),
        job_name("a", "uid-1", ManualSlot("y")),
        job_name("a", "uid-1", EventSlot(7)),
        job_name("a", "uid-1", CheckSlot(INSTANT)),
    }
    assert len(names) == 9


@pytest.mark.parametrize(
    ("slot", "name"),
    [
        (SLOT, "a-4a49ac-20260302130000"),
        (EventSlot(7), "a-4a49ac-e7"),
        (CheckSlot(INSTANT), "a-4a49ac-c20260302130000"),
        (ManualSlot("x"), "a-4a49ac-mfda7eb30262e8"),
    ],
)
def test_names_are_the_same_as_in_earlier_versions(slot: Slot, name: str) -> None:
    """A different name would fire a slot again that fired before an upgrade."""
    assert job_name("a", "uid-1", slot) == name


def test_ids_and_seeds_are_stable() -> None:
    assert trigger_id("0f0e0d0c-0b0a-0908-0706-050403020100") == "trg_0f0e0d0c0b0a0908"
    assert seed("uid") == seed("uid") < 2**31
