"""Tests of finding and reading files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clustercontract.data_files import compile_pattern, fixed_part, is_data_file
from clustercontract.source import Source
from clusterworker.data.arrays import Vectors
from clusterworker.data.sources.parquet.collection import READ_ROWS, ParquetCollection
from clusterworker.data.sources.parquet.store import VolumeStore
from clusterworker.process.errors import MisconfiguredError
from tests.clusterworker.planted import planted, write

VECTORS = planted(10, 2, dimensions=4).vectors


def collection(volume: Path, uri: str, **columns: Any) -> ParquetCollection:
    return ParquetCollection("col", Source(uri=uri, **columns), VolumeStore(volume, uri))


def read(opened: ParquetCollection) -> tuple[list[Any], Vectors]:
    batches = list(opened.batches(0))
    return [value for batch in batches for value in batch.ids.to_pylist()], np.concatenate([b.vectors for b in batches])


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.parquet", "a.parquet", True),
        ("*.parquet", "b/a.parquet", False),
        ("**/*.parquet", "a.parquet", True),
        ("**/*.parquet", "b/c/a.parquet", True),
        ("day=2026-??/*.parquet", "day=2026-11/a.parquet", True),
        ("day=2026-??/*.parquet", "day=2026-1/a.parquet", False),
        ("part-[0-3].parquet", "part-2.parquet", True),
        ("part-[!0-3].parquet", "part-2.parquet", False),
        ("part-[!0-3].parquet", "part-7.parquet", True),
        ("a+b.parquet", "a+b.parquet", True),
        ("a/**", "a/b/c.parquet", True),
        ("[.parquet", "[.parquet", True),
    ],
)
def test_patterns(pattern: str, path: str, matches: bool) -> None:
    assert (compile_pattern(pattern).fullmatch(path) is not None) == matches


@pytest.mark.parametrize(
    ("pattern", "directory"), [("a/b/*.parquet", "a/b"), ("*.parquet", ""), ("a/**/b.parquet", "a"), ("a/b", "a/b")]
)
def test_where_matches_may_lie(pattern: str, directory: str) -> None:
    assert fixed_part(pattern) == directory


@pytest.mark.parametrize(
    ("name", "holds_rows"),
    [("a.parquet", True), ("a/b.parquet", True), ("_SUCCESS", False), (".a.parquet", False), ("_tmp/a.parquet", False)],
)
def test_data_files(name: str, holds_rows: bool) -> None:
    assert is_data_file(name) == holds_rows


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("one.parquet", ["one.parquet"]),
        ("day=*/part-0.parquet", ["day=1/part-0.parquet", "day=2/part-0.parquet"]),
        ("**/part-*.parquet", ["day=1/part-0.parquet", "day=1/part-1.parquet", "day=2/part-0.parquet"]),
        ("day=1", ["day=1/part-0.parquet", "day=1/part-1.parquet"]),
        ("day=1/", ["day=1/part-0.parquet", "day=1/part-1.parquet"]),
        (".", ["./day=1/part-0.parquet", "./day=1/part-1.parquet", "./day=2/part-0.parquet", "./odd[1].parquet",
               "./one.parquet"]),
        ("odd[1].parquet", ["odd[1].parquet"]),
    ],
)  # fmt: skip
def test_files_of_a_collection(tmp_path: Path, uri: str, expected: list[str]) -> None:
    for name in ("one", "day=1/part-0", "day=1/part-1", "day=2/part-0", "odd[1]", "_temporary/part-9", "day=1/.part-2"):
        write(tmp_path / f"{name}.parquet", VECTORS)
    (tmp_path / "day=1/_SUCCESS").touch()
    assert [name.removeprefix("./") for name in VolumeStore(tmp_path, uri).find()] == [
        name.removeprefix("./") for name in expected
    ]


def test_nothing_outside_of_the_volume_is_read(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    write(tmp_path / "secret/data.parquet", VECTORS)
    write(volume / "inside.parquet", VECTORS)
    (volume / "file.parquet").symlink_to(tmp_path / "secret/data.parquet")
    (volume / "folder").symlink_to(tmp_path / "secret")
    (volume / "alias.parquet").symlink_to(volume / "inside.parquet")
    for uri in (
        "file.parquet",
        "folder/data.parquet",
        "folder",
        "folder/*.parquet",
        "*.parquet",
        ".",
        "../secret/data.parquet",
    ):
        with pytest.raises(MisconfiguredError, match="leads outside of the collection's volume"):
            VolumeStore(volume, uri).find()
    assert VolumeStore(volume, "alias.parquet").find() == ["alias.parquet"]


@pytest.mark.parametrize(
    "column",
    [
        pa.FixedSizeListArray.from_arrays(pa.array(VECTORS.ravel()), 4),
        pa.FixedSizeListArray.from_arrays(pa.array(VECTORS.ravel().astype(np.float64)), 4),
        pa.array(VECTORS.tolist(), pa.list_(pa.float32())),
        pa.array(VECTORS.tolist(), pa.list_(pa.float64())),
        pa.array(VECTORS.tolist(), pa.large_list(pa.float32())),
        pa.ExtensionArray.from_storage(
            pa.fixed_shape_tensor(pa.float32(), [4]), pa.FixedSizeListArray.from_arrays(pa.array(VECTORS.ravel()), 4)
        ),
    ],
    ids=["fixed float32", "fixed float64", "list float32", "list float64", "large list", "tensor"],
)
def test_vector_types(tmp_path: Path, column: Any) -> None:
    write(tmp_path / "data.parquet", column)
    opened = collection(tmp_path, "data.parquet")
    ids, vectors = read(opened)
    assert opened.dimensions == 4
    assert vectors.dtype == np.float32
    assert np.allclose(vectors, VECTORS)
    assert ids == [f"doc-{row}" for row in range(10)]


@pytest.mark.parametrize(
    ("ids", "expected", "integer"),
    [
        (pa.array(range(10), pa.int32()), list(range(10)), True),
        (pa.array(range(10), pa.uint16()), list(range(10)), True),
        (pa.array([str(n) for n in range(10)], pa.large_string()), [str(n) for n in range(10)], False),
        (pa.array([str(n) for n in range(10)]).dictionary_encode(), [str(n) for n in range(10)], False),
    ],
)
def test_id_types(tmp_path: Path, ids: Any, expected: list[Any], integer: bool) -> None:
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(VECTORS.ravel()), 4)
    pq.write_table(pa.table({"document_id": ids, "embedding": vectors}), tmp_path / "data.parquet")
    opened = collection(tmp_path, "data.parquet")
    assert read(opened)[0] == expected
    assert opened.has_integer_ids == integer


def test_batches_are_bounded_and_in_order(tmp_path: Path) -> None:
    vectors = planted(40_000, 2, dimensions=4).vectors
    write(tmp_path / "part-0.parquet", vectors[:30_000])
    write(tmp_path / "part-1.parquet", vectors[30_000:])
    opened = collection(tmp_path, "*.parquet")
    batches = list(opened.batches(0))
    assert max(len(batch.vectors) for batch in batches) <= READ_ROWS
    assert np.array_equal(np.concatenate([batch.vectors for batch in batches]), vectors)
    assert [batch.place.at(0) for batch in batches] == [
        f"part-{part}.parquet, row {row} (the first row is 0)"
        for part, rows in ((0, 30_000), (1, 10_000))
        for row in range(0, rows, READ_ROWS)
    ]


def test_texts_of_some_rows(tmp_path: Path) -> None:
    texts = [f"text {row}" for row in range(10)]
    for part in range(2):
        table = pa.table({"document_id": range(10), "text": [f"{part} {text}" for text in texts],
                          "embedding": pa.FixedSizeListArray.from_arrays(pa.array(VECTORS.ravel()), 4)})  # fmt: skip
        pq.write_table(table, tmp_path / f"part-{part}.parquet", row_group_size=3)
    opened = collection(tmp_path, "part-*.parquet", text_column="text")
    assert opened.texts(np.array([19, 2, 3, 2, 11])) == {2: "0 text 2", 3: "0 text 3", 11: "1 text 1", 19: "1 text 9"}
    assert collection(tmp_path, "part-*.parquet").texts(np.array([1])) == {}


def test_names_the_embedding_model(tmp_path: Path) -> None:
    table = pa.table({"document_id": range(10), "embedding": VECTORS.tolist()})
    pq.write_table(table.replace_schema_metadata({"embedding_model": "mini-lm"}), tmp_path / "data.parquet")
    assert collection(tmp_path, "data.parquet").embedding_model == "mini-lm"
