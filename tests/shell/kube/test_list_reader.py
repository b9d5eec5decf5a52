"""Lists read object by object."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from clustertrigger.shell.kube.list_reader import ListReader

ITEMS: list[dict[str, Any]] = [
    {"metadata": {"name": "plain"}, "spec": {"n": 1, "text": 'with "items":[ and } and ] and \\ in it'}},
    {},
    {"unicode": "größer 漢字 🦔", "numbers": [1, -2.5e-3, 10**30], "nothing": None, "deep": [[[[{"a": []}]]]]},
    {"items": [{"metadata": {"resourceVersion": "not the list's"}}]},
]
METADATA = {"resourceVersion": "4711", "continue": ""}
LISTS: dict[str, dict[str, Any]] = {
    "as custom resources come": {"apiVersion": "v1", "items": ITEMS, "kind": "List", "metadata": METADATA},
    "as built-in kinds come": {"kind": "JobList", "apiVersion": "batch/v1", "metadata": METADATA, "items": ITEMS},
    "empty": {"items": [], "metadata": METADATA},
    "null": {"metadata": METADATA, "items": None},
    "without": {"metadata": METADATA},
}


def read(data: bytes, sizes: list[int]) -> tuple[ListReader, list[dict[str, Any]]]:
    reader, at = ListReader(), 0
    found: list[dict[str, Any]] = []
    for size in sizes:
        found += reader.feed(data[at : at + size])
        at += size
    found += reader.feed(data[at:])
    return reader, found


@pytest.mark.parametrize("form", [None, 2], ids=["compact", "indented"])
@pytest.mark.parametrize("name", LISTS)
def test_a_list_in_pieces_of_any_size(name: str, form: int | None) -> None:
    """Wherever the network cuts it, in the middle of a character too."""
    written = LISTS[name]
    data = json.dumps(written, indent=form, ensure_ascii=False).encode()
    chance = random.Random(7)
    for largest in (1, 2, 7, 100, 10_000):
        sizes = [chance.randint(1, largest) for _ in range(len(data) // largest + 1)]
        reader, found = read(data, sizes)
        assert found == (written.get("items") or [])
        assert reader.metadata == METADATA
        assert reader.complete


def test_objects_are_handed_out_as_they_come() -> None:
    data = json.dumps(LISTS["as custom resources come"]).encode()
    reader = ListReader()
    first = list(reader.feed(data[: data.index(b'"unicode"')]))
    assert first == ITEMS[:2]
    assert not reader.complete


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_list_that_is_cut_off_is_not_complete(share: float) -> None:
    data = json.dumps(LISTS["as built-in kinds come"]).encode()
    reader, _ = read(data[: int(share * len(data))], [])
    assert not reader.complete


@pytest.mark.parametrize("data", [b"<html>no</html>", b"[1, 2]", b'"text"', b"upstream connect error"])
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no list"):
        read(data, [])
