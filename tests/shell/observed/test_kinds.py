"""Tests of changes that arrive in any order: the newest version is kept, and is compared with lists."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from clustertrigger.api.names import ANNOTATION_SLOT, LABEL_TRIGGER_UID
from clustertrigger.core.resources.catalog import COLLECTION, Catalog
from clustertrigger.core.resources.trigger import Key, Owner
from clustertrigger.shell.kube.api_server import Named
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.observed.kinds import Kind, Name
from clustertrigger.shell.observed.references import References
from clustertrigger.shell.observed.triggers import Triggers
from clustertrigger.shell.observed.views import Jobs, Pods
from harness.control_plane.kube import Object
from harness.control_plane.manifests import rarely

NAME = Name("search", "products")


@dataclass
class Case:
    """One kind of object: how the test creates it, and the known object called NAME."""

    kind: Kind
    make: Callable[[str, int], Object]
    changed: list[Any]

    def known(self) -> Named | None:
        return next((found for found in self.kind.store.known() if (found.namespace, found.name) == NAME), None)


def metadata(uid: str, version: int) -> Object:
    return {
        "namespace": NAME.namespace,
        "name": NAME.name,
        "uid": uid,
        "generation": 1,
        "resourceVersion": str(version),
        "creationTimestamp": "2026-11-22T05:00:00Z",
    }


def _trigger(uid: str, version: int) -> Object:
    return {"metadata": metadata(uid, version), "spec": rarely()}


def _collection(uid: str, version: int) -> Object:
    return {"metadata": metadata(uid, version), "spec": {"collection_id": f"col_{uid}"}}


def _job(uid: str, version: int) -> Object:
    own = {
        "labels": {LABEL_TRIGGER_UID: "owner"},
        "annotations": {ANNOTATION_SLOT: "2026-11-22T05:00:00Z"},
        "ownerReferences": [{"uid": "owner"}, {"uid": "other"}],
    }
    return {"metadata": {**metadata(uid, version), **own}}


def _pod(uid: str, version: int) -> Object:
    own = {"labels": {LABEL_TRIGGER_UID: "owner", "job-name": "job"}}
    return {"metadata": {**metadata(uid, version), **own}}


@pytest.fixture(params=["triggers", "collections", "jobs", "pods"])
def case(request: pytest.FixtureRequest) -> Case:
    changed: list[Any] = []
    catalog = Catalog()
    stores: dict[str, tuple[Any, Callable[[str, int], Object]]] = {
        "triggers": (Triggers(changed.append, Metrics()), _trigger),
        "collections": (
            References(partial(catalog.put, COLLECTION), partial(catalog.remove, COLLECTION), changed.append),
            _collection,
        ),
        "jobs": (Jobs(changed.append), _job),
        "pods": (Pods(changed.append), _pod),
    }
    store, make = stores[request.param]
    return Case(Kind(request.param, lambda _: "", store), make, changed)


HISTORY = [("saw", "first", 10), ("saw", "first", 20), ("gone", "first", 30), ("saw", "second", 40)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
def test_the_newest_version_is_kept_in_any_order(case: Case, order: tuple[int, ...]) -> None:
    for event, uid, version in (HISTORY[n] for n in order):
        getattr(case.kind, event)(case.make(uid, version))
    known = case.known()
    assert known is not None
    assert (known.uid, known.version) == ("second", "40")


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_an_object_whose_last_change_is_its_deletion_is_removed(case: Case, order: tuple[int, ...]) -> None:
    history = [("gone", "first", 30), ("saw", "second", 40), ("gone", "second", 50)]
    case.kind.saw(case.make("first", 10))
    for event, uid, version in (history[n] for n in order):
        getattr(case.kind, event)(case.make(uid, version))
    assert case.known() is None


def test_a_list_removes_objects_that_it_lacks(case: Case) -> None:
    case.kind.saw(case.make("first", 10))
    before = len(case.changed)
    assert case.kind.remove_unlisted({}, "9", None) == 0, "the list is older than the object"
    assert case.kind.remove_unlisted({}, "20", "elsewhere") == 0, "the list is of another namespace"
    assert case.known() is not None
    assert len(case.changed) == before
    assert case.kind.remove_unlisted({}, "20", None) == 1
    assert case.known() is None
    assert len(case.changed) == before + 1


def test_a_list_removes_an_earlier_object_of_the_same_name(case: Case) -> None:
    case.kind.saw(case.make("first", 10))
    listed = {NAME: Named(*NAME, "second", "15")}
    assert case.kind.remove_unlisted(listed, "20", None) == 1
    assert case.known() is None
    assert case.kind.not_shown(listed.values()) == list(listed.values())
    case.kind.saw(case.make("second", 15))
    assert case.kind.not_shown(listed.values()) == []


def test_a_created_object_that_no_watch_reported_is_removed_too(case: Case) -> None:
    case.kind.store.saw(case.make("first", 10))
    assert case.kind.remove_unlisted({}, "20", None) == 1
    assert case.known() is None


def test_an_object_that_matches_the_selector_again_is_known_again(case: Case) -> None:
    """The watch reports it as deleted while it lacks the label, although it keeps its uid."""
    case.kind.saw(case.make("first", 10))
    case.kind.gone(case.make("first", 20))
    case.kind.saw(case.make("first", 15))
    assert case.known() is None
    case.kind.saw(case.make("first", 30))
    known = case.known()
    assert known is not None
    assert known.version == "30"


def test_an_older_version_reveals_a_restored_etcd(case: Case) -> None:
    case.kind.saw(case.make("first", 100))
    listed = {NAME: Named(*NAME, "first", "50")}
    assert not case.kind.contradicts(listed, "90"), "the list may be older than what was shown"
    assert case.kind.contradicts(listed, "100")
    case.kind.begin_anew()
    assert not case.kind.contradicts(listed, "100")
    assert case.kind.not_shown(listed.values()) == list(listed.values())
    case.kind.saw(case.make("first", 50))
    known = case.known()
    assert known is not None
    assert known.version == "50"
    case.kind.saw(case.make("first", 40))
    assert case.known() == known, "from here on versions grow again"


def test_objects_missing_from_a_restored_etcd_are_removed(case: Case) -> None:
    case.kind.saw(case.make("first", 100))
    case.kind.begin_anew()
    assert case.kind.remove_unlisted({}, "50", None) == 1
    assert case.known() is None


def test_a_deleted_trigger_exists_again_in_a_restored_etcd() -> None:
    triggers = Triggers(lambda _: None, Metrics())
    kind = Kind("triggers", lambda _: "", triggers)
    kind.saw(_trigger("first", 10))
    kind.gone(_trigger("first", 20))
    kind.saw(_trigger("first", 10))
    assert triggers.get(Key(*NAME)) is None
    kind.begin_anew()
    kind.saw(_trigger("first", 10))
    assert triggers.get(Key(*NAME)) is not None


def test_a_job_belongs_to_the_trigger_of_its_label() -> None:
    jobs = Jobs(lambda _: None)
    jobs.saw(_job("first", 10))
    moved = _job("first", 20)
    moved["metadata"]["labels"][LABEL_TRIGGER_UID] = "other"
    jobs.saw(moved)
    assert jobs.of(Owner("search", "owner")) == {}
    assert list(jobs.of(Owner("search", "other"))) == [NAME.name]
    jobs.drop(*NAME)
    assert jobs.of(Owner("search", "other")) == {}
