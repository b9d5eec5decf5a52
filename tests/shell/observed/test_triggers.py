"""Tests that a deleted object stays deleted, even if older answers and lists arrive afterwards."""

from __future__ import annotations

import pytest

from clustertrigger.core.resources.trigger import Key
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.observed.triggers import Triggers
from harness.control_plane.kube import Object
from harness.control_plane.manifests import rarely

KEY = Key("search", "products")


@pytest.fixture
def triggers() -> Triggers:
    return Triggers(lambda _: None, Metrics())


def trigger(version: int, uid: str = "first") -> Object:
    metadata = {
        "namespace": KEY.namespace,
        "name": KEY.name,
        "uid": uid,
        "generation": 1,
        "resourceVersion": str(version),
        "creationTimestamp": "2026-11-22T05:00:00Z",
    }
    return {"metadata": metadata, "spec": rarely()}


def test_the_answer_to_a_write_arrives_after_the_deletion(triggers: Triggers) -> None:
    triggers.saw(trigger(1))
    triggers.gone(*KEY, "first")
    assert triggers.put(trigger(2)) is None
    assert triggers.get(KEY) is None


def test_an_older_list_arrives_after_the_deletion(triggers: Triggers) -> None:
    triggers.gone(*KEY, "first")
    triggers.saw(trigger(1))
    assert triggers.all_keys() == []


def test_a_deletion_found_by_a_list_counts(triggers: Triggers) -> None:
    triggers.saw(trigger(1))
    triggers.gone(*KEY, "first")
    assert triggers.put(trigger(2)) is None


def test_a_new_trigger_of_the_same_name_is_a_different_one(triggers: Triggers) -> None:
    triggers.saw(trigger(1))
    triggers.gone(*KEY, "first")
    triggers.saw(trigger(3, uid="second"))
    assert triggers.put(trigger(2)) is None
    known = triggers.get(KEY)
    assert known is not None
    assert known.uid == "second"


def test_a_new_object_of_the_same_name_reveals_an_unreported_deletion(triggers: Triggers) -> None:
    triggers.saw(trigger(1))
    triggers.saw(trigger(3, uid="second"))
    assert triggers.put(trigger(2)) is None


def test_the_memory_of_deletions_is_bounded(triggers: Triggers) -> None:
    for number in range(10_000):
        triggers.saw(trigger(1, uid=str(number)))
        triggers.gone(*KEY, str(number))
    assert len(triggers.tombstones) <= 5_000
    assert triggers.put(trigger(2, uid="9999")) is None
