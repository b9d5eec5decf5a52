"""Tests of outputs in Parquet: one file, on a volume or in a bucket, which appears only when it is complete."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clusterworker.outputs.table import Output
from clusterworker.process.errors import MisconfiguredError, UnavailableError
from clusterworker.process.progress import Progress
from tests.clusterworker.outputs.rows import output, table, written
from tests.clusterworker.storage.s3_server import BUCKET, Bucket

LABELS = table(("a", 0, "cats, dogs", 0.25), ("b", 1, "fish", 0.5), ("c", -1, None, None))
SECOND = table(("a", 5, "mice", 0.125), run="nightly-1a2b-3", previous="nightly-1a2b-2")


def on_volume(root: Path, uri: str = "labels/", **fields: Any) -> Output:
    (root / "volume").mkdir(exist_ok=True)
    return output({"uri": uri, **fields}, {}, root, root / "volume")


def names(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root / "volume")) for path in (root / "volume").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("uri", "file"),
    [("labels/", "labels/clusters.parquet"), ("deep/er", "deep/er/clusters.parquet"), (".", "clusters.parquet"),
     ("labels/today.parquet", "labels/today.parquet")],
)  # fmt: skip
def test_one_file(tmp_path: Path, uri: str, file: str) -> None:
    assert written(on_volume(tmp_path, uri), LABELS) == f"3 rows of {file}"
    assert names(tmp_path) == [file]
    found = pq.read_table(tmp_path / "volume" / file)
    assert found.to_pylist() == [
        {
            "document_id": "a",
            "cluster_id": 0,
            "cluster_name": "cats, dogs",
            "cluster_distance": 0.25,
            "run": LABELS.run,
        },
        {"document_id": "b", "cluster_id": 1, "cluster_name": "fish", "cluster_distance": 0.5, "run": LABELS.run},
        {"document_id": "c", "cluster_id": -1, "cluster_name": None, "cluster_distance": None, "run": LABELS.run},
    ]


def test_ids_under_the_collections_own_name(tmp_path: Path) -> None:
    rows = table((1, 0, "cats", 0.25), (2, 1, "fish", 0.5))
    written(on_volume(tmp_path, document_id_column="sku"), rows)
    found = pq.read_table(tmp_path / "volume/labels/clusters.parquet")
    assert found["sku"].to_pylist() == [1, 2]
    assert found.schema.field("sku").type == pa.int64()


def test_the_next_run_replaces_the_file(tmp_path: Path) -> None:
    target = on_volume(tmp_path)
    written(target, LABELS)
    file = tmp_path / "volume/labels/clusters.parquet"
    with file.open("rb") as reader:
        written(target, SECOND)
        assert pq.read_table(reader).num_rows == 3, "who has opened the old one reads it to its end"
    assert pq.read_table(file)["run"].to_pylist() == ["nightly-1a2b-3"]
    assert names(tmp_path) == ["labels/clusters.parquet"]


@pytest.mark.parametrize("content", [b"", b"id,name\n1,cats\n", None])
def test_a_file_that_no_run_has_written_stays(tmp_path: Path, content: bytes | None) -> None:
    target = on_volume(tmp_path)
    file = tmp_path / "volume/labels/clusters.parquet"
    file.parent.mkdir()
    if content is None:
        pq.write_table(pa.table({"document_id": ["a"]}), file)
    else:
        file.write_bytes(content)
    before = file.read_bytes()
    with pytest.raises(
        MisconfiguredError, match="the file exists but was not written by a run, so it is not replaced: change"
    ):
        target.check(LABELS)
    assert file.read_bytes() == before


def failing(rows: Any, error: Callable[[], None]) -> Any:
    def batches() -> Any:
        yield next(iter(rows.batches()))
        error()

    return replace(rows, batches=batches)


def killed() -> None:
    raise UnavailableError("the members cannot be read")


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = on_volume(tmp_path)
    written(target, LABELS)
    with pytest.raises(UnavailableError) as raised:
        written(target, failing(replace(SECOND, rows=9), killed))
    assert str(raised.value) == (
        "the members cannot be read: 1 of 9 rows were written to a temporary file: the output is unchanged"
    )
    assert pq.read_table(tmp_path / "volume/labels/clusters.parquet").num_rows == 3
    assert names(tmp_path) == ["labels/clusters.parquet"]
    target.write(SECOND, Progress(io.StringIO()))
    assert pq.read_table(tmp_path / "volume/labels/clusters.parquet").num_rows == 1


def test_what_a_killed_attempt_left_is_cleared_up(tmp_path: Path) -> None:
    target = on_volume(tmp_path)
    (tmp_path / "volume/labels").mkdir()
    (tmp_path / "volume/labels/.clusters.parquet.0a1b2c3d.partial").write_bytes(b"half")
    (tmp_path / "volume/labels/.clusters.parquet.swp").write_bytes(b"an editor's")
    written(target, LABELS)
    assert names(tmp_path) == ["labels/.clusters.parquet.swp", "labels/clusters.parquet"]


def test_nothing_outside_of_the_volume_is_written(tmp_path: Path) -> None:
    target = on_volume(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "volume/labels").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MisconfiguredError, match=r"labels/clusters\.parquet: leads outside of the collection's"):
        target.check(LABELS)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_directory_where_the_file_should_be(tmp_path: Path) -> None:
    target = on_volume(tmp_path, "labels.parquet")
    (tmp_path / "volume/labels.parquet").mkdir()
    with pytest.raises(MisconfiguredError, match=r"labels\.parquet: it is a directory: change the"):
        target.check(LABELS)


def in_bucket(root: Path, bucket: Bucket, key: str) -> Output:
    source = bucket.source(key)
    return output(source, {"secret_name": source["secret_name"]}, root)


def objects(bucket: Bucket) -> list[str]:
    """Returns the objects without the empty one that represents a directory."""
    found = bucket.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return sorted(one["Key"] for one in found if not one["Key"].endswith("/"))


def test_an_object_in_s3(tmp_path: Path, bucket: Bucket, keys: Path) -> None:
    target = in_bucket(tmp_path, bucket, "labels/")
    assert written(target, LABELS) == f"3 rows of s3://{BUCKET}/labels/clusters.parquet"
    with pytest.raises(UnavailableError, match="1 of 9 rows were written to a temporary file: the output is unchanged"):
        written(target, failing(replace(SECOND, rows=9), killed))
    assert objects(bucket) == ["labels/clusters.parquet"]
    written(target, SECOND)
    assert objects(bucket) == ["labels/clusters.parquet"]
    bucket.client.download_file(BUCKET, "labels/clusters.parquet", tmp_path / "found.parquet")
    assert pq.read_table(tmp_path / "found.parquet")["cluster_name"].to_pylist() == ["mice"]


def test_an_object_that_no_run_has_written_stays(tmp_path: Path, bucket: Bucket, keys: Path) -> None:
    pq.write_table(pa.table({"document_id": ["a"]}), tmp_path / "theirs.parquet")
    bucket.upload("theirs.parquet", tmp_path / "theirs.parquet")
    with pytest.raises(MisconfiguredError, match="the file exists but was not written by a run"):
        in_bucket(tmp_path, bucket, "theirs.parquet").check(LABELS)


def test_a_file_that_another_action_writes(tmp_path: Path) -> None:
    target = on_volume(tmp_path, "labels/today.parquet")
    written(target, LABELS)
    with pytest.raises(MisconfiguredError, match=r"labels/today\.parquet: another action writes this file"):
        target.check(replace(LABELS, run_column="taxonomy_run"))
    assert pq.read_table(tmp_path / "volume/labels/today.parquet").num_rows == 3
