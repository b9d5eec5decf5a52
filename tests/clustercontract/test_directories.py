"""Tests of the files below a directory, through links."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clustercontract.directories import files_below, without_aliases


def tree(root: Path, files: tuple[str, ...], links: dict[str, str]) -> None:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    for name, target in links.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(target)


CASES: list[tuple[tuple[str, ...], dict[str, str], list[str]]] = [
    (("docs/a", "docs/b/c"), {}, ["a", "b/c"]),
    (("docs/a", "store/v2/b"), {"docs/latest": "../store/v2"}, ["a", "latest/b"]),
    (("docs/a", "store/b"), {"docs/x/y": "../../store", "store/z": "../more", "more/c": "../docs/a"},
     ["a", "x/y/b", "x/y/z/c"]),
    (("docs/a",), {"docs/up": "..", "docs/self": ".", "docs/a-link": "a"}, ["a", "a-link"]),
    (("docs/a/f", "docs/b/g"), {"docs/a/b": "../b", "docs/b/a": "../a"},
     ["a/b/a/f", "a/b/g", "a/f", "b/a/b/g", "b/a/f", "b/g"]),
    (("docs/a",), {"docs/out": "/etc", "docs/gone": "nowhere"}, ["a", "gone", "out/"]),
]  # fmt: skip


@pytest.mark.parametrize(("files", "links", "expected"), CASES, ids=str)
def test_links_to_directories(
    tmp_path: Path, files: tuple[str, ...], links: dict[str, str], expected: list[str]
) -> None:
    tree(tmp_path, files, links)
    assert sorted(files_below(str(tmp_path / "docs"), str(tmp_path))) == expected


def test_without_a_root_links_may_lead_anywhere(tmp_path: Path) -> None:
    tree(tmp_path, ("docs/a", "other/b"), {"docs/out": "../other"})
    assert sorted(files_below(str(tmp_path / "docs"))) == ["a", "out/b"]
    assert sorted(files_below(str(tmp_path / "docs"), str(tmp_path / "docs"))) == ["a", "out/"]


def test_a_directory_that_cannot_be_listed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(files_below(str(tmp_path / "missing")))


def test_one_name_for_each_file(tmp_path: Path) -> None:
    tree(tmp_path, ("v1/a", "v2/a", "v2/b"), {"latest": "v2", "b": "v2/b", "0": "v2"})
    names = ["latest/a", "latest/b", "v1/a", "v2/a", "b", "0/a"]
    assert without_aliases({name: os.path.realpath(tmp_path / name) for name in names}) == ["b", "v1/a", "v2/a"]


PARTITIONED: list[tuple[dict[str, str], list[str]]] = [
    ({"view/lang=en/x": "/v/blobs/9f", "view/lang=fr/x": "/v/blobs/9f"}, ["view/lang=en/x", "view/lang=fr/x"]),
    ({"shards/7/x": "/v/shards/7/x", "view/lang=en/x": "/v/shards/7/x"}, ["view/lang=en/x"]),
    ({"lang=en/x": "/v/lang=en/x", "latest/x": "/v/lang=en/x", "a/lang=en/x": "/v/lang=en/x"}, ["lang=en/x"]),
    ({"d=1/x": "/v/s/x", "d=1/l=en/x": "/v/s/x", "l=fr/x": "/v/s/x"}, ["d=1/l=en/x", "l=fr/x"]),
]


@pytest.mark.parametrize(("files", "expected"), PARTITIONED, ids=str)
def test_names_with_partitions(files: dict[str, str], expected: list[str]) -> None:
    """A file with two partitions was read for one of them only, or for none."""
    assert without_aliases(files) == expected


def test_directories_that_link_to_each_other(tmp_path: Path) -> None:
    """Seven of them had 82,201 names."""
    names = [f"r{number}" for number in range(7)]
    links = {f"{name}/to-{other}": f"../{other}" for name in names for other in names if name != other}
    tree(tmp_path, tuple(f"{name}/x" for name in names), links)
    found = list(files_below(str(tmp_path)))
    assert {f"{name}/x" for name in names} <= set(found)
    assert {f"{link}/x" for link in links} <= set(found)
    assert len(found) == len(names) + len(links) + len(names)


def test_partitions_below_a_link(tmp_path: Path) -> None:
    tree(tmp_path, ("store/x",), {"v/en": "../p", "v/fr": "../p", "p/lang=en": "../store", "p/lang=fr": "../store"})
    found = sorted(files_below(str(tmp_path / "v")))
    assert [name.partition("/")[2] for name in found] == ["lang=en/x", "lang=fr/x"]
