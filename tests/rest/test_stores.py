"""Tests of lists: they replace what was known before, but not what happened while they were read."""

from __future__ import annotations

import pytest

from clustertrigger.rest.index import Entry
from clustertrigger.rest.stores import Listed, TriggerStore
from tests.rest.test_following import trigger


@pytest.fixture
def store() -> TriggerStore:
    store = TriggerStore()
    store.saw(trigger("a", 90, "first"))
    return store


def known(store: TriggerStore) -> dict[str, str | None]:
    return {entry.name: entry.description for entry in store.everywhere()}


def read(store: TriggerStore, version: int = 100) -> None:
    """Reads a list that contains the first version of a."""
    store.listed(trigger("a", 90, "first"), str(version))
    store.keep_only(None, [Listed("search", "a", "uid of a")], str(version))


def test_a_change_while_a_list_is_read_is_kept(store: TriggerStore) -> None:
    assert store.begin_list(None) == 90
    store.put(Entry(trigger("a", 101, "changed")))
    store.put(Entry(trigger("b", 102, "created")))
    read(store)
    assert known(store) == {"a": "changed", "b": "created"}


@pytest.mark.parametrize("version", [None, "101"])
def test_a_deletion_while_a_list_is_read_is_kept(store: TriggerStore, version: str | None) -> None:
    store.begin_list("search")
    store.remove("search", "a", "uid of a", version)
    read(store)
    assert known(store) == {}


@pytest.mark.parametrize("version", [None, "99"])
def test_a_deletion_before_a_list_that_contains_the_trigger_was_undone(
    store: TriggerStore, version: str | None
) -> None:
    store.remove("search", "a", "uid of a", version)
    assert store.begin_list("search") == 0
    read(store)
    assert known(store) == {"a": "first"}
    store.saw(trigger("a", 95, "changed"))
    assert known(store) == {"a": "changed"}


def test_an_unchanged_trigger_is_not_reported(store: TriggerStore) -> None:
    changes = store.changes["search"]
    store.begin_list(None)
    read(store)
    assert store.changes["search"] == changes


def test_another_trigger_of_the_same_name_is_not_kept(store: TriggerStore) -> None:
    store.begin_list(None)
    store.keep_only(None, [Listed("search", "a", "another uid")], "100")
    assert known(store) == {}
