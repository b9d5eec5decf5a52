"""Tests of which files belong to a uri, as the worker and `kubectl clustertrigger init` find them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest

from clustercontract.data_files import GlobError, files_at

FILES = [
    "a.parquet", "data1/c.parquet", "data[1]/a.parquet", "data[1]/000_0", "data[1]/_x.parquet", "dir/README",
    "dir/b.parquet", "dir/part/a.parquet", "_tmp/a.parquet", "_tmp/_b.parquet", "_tmp/.c.parquet",
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "kind", "files", "unnamed"),
    [
        ("a.parquet", "file", ["a.parquet"], []),
        ("data[1]", "directory", ["data[1]/a.parquet"], ["data[1]/000_0"]),
        ("data[1]/", "directory", ["data[1]/a.parquet"], ["data[1]/000_0"]),
        ("data[1]", None, ["data1/c.parquet"], []),
        ("data[1]/*.parquet", None, ["data1/c.parquet"], []),
        ("dir/*", None, ["dir/README", "dir/b.parquet", "dir/part/a.parquet"], []),
        ("dir/*/", None, ["dir/part/a.parquet"], []),
        ("_tmp/*.parquet", None, ["_tmp/a.parquet"], []),
        ("_tmp/_*.parquet", None, ["_tmp/_b.parquet"], []),
        ("_*/*.parquet", None, ["_tmp/_b.parquet", "_tmp/a.parquet"], []),
        ("missing.parquet", None, [], []),
    ],
)
def test_files_at(path: str, kind: Literal["file", "directory"] | None, files: list[str], unnamed: list[str]) -> None:
    """Only the directory itself is listed, and its hidden name lets no other hidden file match."""

    def below(directory: str) -> Iterator[str]:
        return (name for name in FILES if name.startswith(f"{directory}/" if directory else ""))

    found = files_at(path, kind, below)
    assert (found.files, found.unnamed) == (files, unnamed)


def test_a_malformed_glob() -> None:
    with pytest.raises(GlobError, match="write a-z instead of z-a"):
        files_at("[z-a]/*.parquet", None, lambda _: [])
    assert files_at("[z-a]", "file", lambda _: []).files == ["[z-a]"]
