"""Tests that changes which no watch reports are found by listing names. A list that fails changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.resources.trigger import Key
from clustertrigger.shell.kube.api_server import ApiServer, Named
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.observed import census
from clustertrigger.shell.observed.census import Census
from clustertrigger.shell.observed.kinds import Kind
from clustertrigger.shell.observed.triggers import Triggers
from harness.control_plane.kube import Object
from harness.control_plane.manifests import rarely

PLACE = paths.custom("clustertriggers", "search")


def trigger(name: str, version: int) -> Object:
    metadata = {
        "namespace": "search",
        "name": name,
        "uid": f"uid of {name}",
        "generation": 1,
        "resourceVersion": str(version),
        "creationTimestamp": "2026-11-22T05:00:00Z",
    }
    return {"metadata": metadata, "spec": rarely()}


class Listing(ApiServer):
    """An API server that lists triggers from etcd, or from an older cache."""

    def __init__(self) -> None:
        self.there: dict[str, int] = {}
        """Versions by name."""
        self.version = 0
        self.remembers: tuple[dict[str, int], int] | None = None
        """The content of its cache, if that differs from the cluster."""
        self.trouble: ApiError | None = None
        self.asked: list[bool] = []
        """For each list of names, whether a list from the cache was sufficient."""
        self.read: list[str] = []
        self.meanwhile: Callable[[], None] = lambda: None
        """Called while a list of names is on its way."""

    async def names(
        self, path: str, selector: str = "", *, remembered: bool, most: int | None = None
    ) -> tuple[list[Named], str]:
        assert path == PLACE
        self.asked.append(remembered)
        if self.trouble:
            raise self.trouble
        there, version = self.remembers if remembered and self.remembers else (self.there, self.version)
        listed = [Named("search", name, f"uid of {name}", str(of)) for name, of in there.items()]
        self.meanwhile()
        return listed, str(version)

    async def list(self, path: str, **parameters: str) -> tuple[list[Object], str]:
        name = parameters["fieldSelector"].removeprefix("metadata.name=")
        self.read.append(name)
        return [trigger(name, self.there[name])] if name in self.there else [], str(self.version)


class Stage:
    """A census of the triggers of one namespace."""

    def __init__(self) -> None:
        self.api = Listing()
        self.triggers = Triggers(lambda _: None, Metrics())
        self.kind = Kind("clustertriggers", lambda namespace: paths.custom("clustertriggers", namespace), self.triggers)
        self.begun_anew: list[str] = []
        self.complete = asyncio.Event()
        self.census = self.census_of(self.begun_anew.append)

    def census_of(self, watch_anew: Callable[[str], None]) -> Census:
        """A census whose watches restart in this way."""
        return Census(self.api, [self.kind], ["search"], watch_anew, self.complete)

    def show(self, name: str, version: int) -> None:
        """Creates an object in the cluster, and a watch reports it."""
        self.api.there[name] = version
        self.api.version = max(self.api.version, version)
        self.kind.saw(trigger(name, version))

    def hide(self, number: int) -> list[str]:
        """Creates objects that no watch reports; returns their names."""
        names = [f"hidden-{index}" for index in range(number)]
        self.api.there |= dict.fromkeys(names, 7)
        self.api.version = 7
        return names

    def known(self) -> set[str]:
        return {key.name for key in self.triggers.all_keys()}


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.show("kept", 5)
    stage.show("deleted", 6)
    return stage


async def test_objects_missing_from_a_list_are_removed(stage: Stage) -> None:
    del stage.api.there["deleted"]
    stage.api.version = 7
    await stage.census.take()
    assert stage.known() == {"kept"}
    assert stage.api.asked == [True], "what an API server remembers is enough"


async def test_a_failed_list_is_not_taken_for_an_empty_one(stage: Stage) -> None:
    stage.api.trouble = ApiError(503, "ServiceUnavailable", "no")
    with pytest.raises(ApiError):
        await stage.census.take()
    assert stage.known() == {"kept", "deleted"}


async def test_a_cache_older_than_the_known_versions_is_not_used(stage: Stage) -> None:
    """A list from before an object's creation does not show that the object was deleted."""
    stage.api.remembers = {"kept": 5}, 5
    await stage.census.take()
    assert stage.api.asked == [True, False]
    assert stage.known() == {"kept", "deleted"}


async def test_objects_newer_than_a_list_are_kept(stage: Stage) -> None:
    stage.api.remembers = {"kept": 5, "deleted": 6}, 8
    stage.kind.saw(trigger("new", 9))
    stage.kind.highest = 8
    await stage.census.take()
    assert stage.known() == {"kept", "deleted", "new"}


async def test_objects_created_while_a_list_is_read_do_not_mean_a_restore(stage: Stage) -> None:
    """The version of the list is then lower than the highest that was reported when the list has arrived."""
    created = iter(range(7, 100))

    def create() -> None:
        version = next(created)
        stage.show(f"created at {version}", version)

    stage.api.meanwhile = create
    await stage.census.take()
    assert stage.begun_anew == []
    assert stage.complete.is_set()
    assert stage.known() == set(stage.api.there)


async def test_a_few_unreported_changes_are_read_directly(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census, "_PATIENCE", 0.1)
    stage.api.there |= {"hidden": 7, "kept": 8}
    stage.api.version = 8
    await stage.census.take()
    assert sorted(stage.api.read) == ["hidden", "kept"]
    assert stage.known() == {"kept", "deleted", "hidden"}
    found = stage.triggers.get(Key("search", "kept"))
    assert found is not None
    assert found.resource_version == "8"
    assert stage.begun_anew == []


async def test_an_object_without_identity_is_skipped(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The census must not end because of it."""
    monkeypatch.setattr(census, "_PATIENCE", 0.1)
    stage.hide(1)

    async def odd(path: str, **_: str) -> tuple[list[Object], str]:
        return [{"metadata": {}}, trigger("hidden-0", 7)], "7"

    monkeypatch.setattr(stage.api, "list", odd)
    await stage.census.take()
    assert "hidden-0" in stage.known()


async def test_many_unreported_changes_restart_the_watches(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census, "_LONG_PATIENCE", 0.2)
    hidden = stage.hide(60)

    def begin_anew(reason: str) -> None:
        stage.begun_anew.append(reason)
        for name in hidden:
            stage.kind.saw(trigger(name, 7))

    await stage.census_of(begin_anew).take()
    assert stage.begun_anew == ["the watch did not report 60 clustertriggers"]
    assert stage.api.read == []


async def test_watches_that_restarted_in_vain_restart_again_after_another_list(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(census, "_LONG_PATIENCE", 0.2)
    stage.hide(60)

    def begin_anew(reason: str) -> None:
        stage.begun_anew.append(reason)
        if len(stage.begun_anew) == 2:
            stage.api.there = {"kept": 5}
            stage.api.version = 8

    await stage.census_of(begin_anew).take()
    assert len(stage.begun_anew) == 2
    assert stage.known() == {"kept"}
    assert stage.complete.is_set()


async def test_versions_of_a_restored_etcd_replace_the_known_ones(stage: Stage) -> None:
    """etcd is restored from a backup: the restored objects have lower versions than the reported ones."""
    stage.api.there, stage.api.version = {"kept": 3}, 4

    def begin_anew(reason: str) -> None:
        stage.begun_anew.append(reason)
        stage.kind.saw(trigger("kept", 3))

    assert not stage.complete.is_set()
    await stage.census_of(begin_anew).take()
    assert stage.begun_anew == [
        "the cluster was restored from a backup (clustertriggers: from version 6 to 4)",
    ]
    assert stage.known() == {"kept"}
    found = stage.triggers.get(Key("search", "kept"))
    assert found is not None
    assert found.resource_version == "3"
    assert stage.complete.is_set()


async def test_restored_objects_are_incomplete_until_all_are_listed_again(stage: Stage) -> None:
    """A restored trigger must not be compared with a Job from before the restore."""
    await stage.census.take()
    assert stage.complete.is_set()
    stage.api.there, stage.api.version = {"kept": 3}, 4
    refused = ApiError(403, "Forbidden", "the roles are not loaded yet")

    def begin_anew(reason: str) -> None:
        stage.begun_anew.append(reason)
        stage.api.trouble = refused

    census_of_restored = stage.census_of(begin_anew)
    with pytest.raises(ApiError):
        await census_of_restored.take()
    assert not stage.complete.is_set(), "the kinds that were listed before may be outdated"
    stage.kind.saw(trigger("kept", 3))
    stage.api.trouble = None
    await census_of_restored.take()
    assert stage.complete.is_set()
    assert len(stage.begun_anew) == 1


def shows_all(stage: Stage) -> Callable[[str], None]:
    """The watches that restart report all objects."""

    def begin_anew(reason: str) -> None:
        stage.begun_anew.append(reason)
        for name, version in stage.api.there.items():
            stage.kind.saw(trigger(name, version))

    return begin_anew


@pytest.mark.parametrize("version", [9, 50, 1_000_000_009], ids=["one write later", "some writes later", "bumped"])
@pytest.mark.parametrize("number", [1, 60])
@pytest.mark.parametrize("is_reported", [True, False])
async def test_deleted_objects_are_back_after_a_restore_to_a_higher_version(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, version: int, number: int, is_reported: bool
) -> None:
    """etcdutl's --bump-revision raises versions above all that were seen, and so do writes after the restore."""
    monkeypatch.setattr(census, "_PATIENCE", 0.1)
    monkeypatch.setattr(census, "_LONG_PATIENCE", 0.1)
    names = [f"back-{index}" for index in range(number)]
    for name in names:
        stage.show(name, 7)
    for name in names:
        if is_reported:
            stage.kind.gone(trigger(name, 8))
        del stage.api.there[name]
    stage.api.version = 8
    await stage.census.take()
    assert stage.known() == {"kept", "deleted"}
    stage.api.there |= dict.fromkeys(names, 7)
    stage.api.version = version
    async with asyncio.timeout(60):
        await stage.census_of(shows_all(stage)).take()
    assert stage.known() == {"kept", "deleted", *names}
    assert stage.begun_anew == [
        f"the cluster was restored from a backup (clustertriggers: from version 8 to {version})"
    ]
    assert stage.complete.is_set()
    await stage.census_of(shows_all(stage)).take()
    assert len(stage.begun_anew) == 1


@pytest.mark.parametrize("is_still_there", [True, False])
async def test_an_object_that_was_created_again_is_the_former_one_after_a_restore(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, is_still_there: bool
) -> None:
    monkeypatch.setattr(census, "_PATIENCE", 0.1)
    again = trigger("kept", 8)
    again["metadata"]["uid"] = "another uid"
    stage.kind.saw(again)
    if not is_still_there:
        stage.kind.gone({"metadata": {**again["metadata"], "resourceVersion": "9"}})
    stage.api.there, stage.api.version = {"kept": 5, "deleted": 6}, 20
    await stage.census_of(shows_all(stage)).take()
    found = stage.triggers.get(Key("search", "kept"))
    assert found is not None
    assert found.uid == "uid of kept"
    assert len(stage.begun_anew) == 1


async def test_a_list_from_before_a_deletion_does_not_mean_a_restore(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(census, "_PATIENCE", 0.1)

    def delete() -> None:
        if stage.api.there.pop("deleted", None):
            stage.kind.gone(trigger("deleted", 9))

    stage.api.version, stage.api.meanwhile = 8, delete
    await stage.census.take()
    assert stage.begun_anew == []
    assert stage.known() == {"kept"}
