"""Tests of sources that change during a run: the run fails, can be retried, and never clusters mixed versions."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from qdrant_client import QdrantClient, models

from clustercontract.container import ExitCode
from clustercontract.filters import Filter
from clustercontract.run import RunSpec
from clustercontract.source import Source
from clusterworker.clustering.algorithms import choice
from clusterworker.data.arrays import Vectors
from clusterworker.data.dataset import (
    SpooledDataset,
    StreamedDataset,
    in_range,
    lengths,
    refuse_too_large,
    sample,
    single_lengths,
)
from clusterworker.data.sources.batch import Batch, FilePlace
from clusterworker.data.sources.collection import blaming_changes, whole_pass
from clusterworker.data.sources.collections import open_collections
from clusterworker.data.sources.parquet.collection import ParquetCollection
from clusterworker.data.sources.parquet.identity import Identity, of_object
from clusterworker.data.sources.parquet.store import VolumeStore
from clusterworker.enrichment.nodes import unit_length
from clusterworker.enrichment.search import Picked
from clusterworker.process.errors import MisconfiguredError, RunError, UnavailableError
from clusterworker.process.progress import Progress
from tests.clusterworker.conftest import Pod
from tests.clusterworker.data.sources_of_all_kinds import in_qdrant, qdrant_with
from tests.clusterworker.drift.drifting import check_spec, perform
from tests.clusterworker.planted import fixed_size_list, planted, table, write
from tests.clusterworker.storage.s3_server import Bucket

pytestmark = pytest.mark.xdist_group("postgresql")

KMEANS = {"algorithm": "kmeans", "n_clusters": 3}
VECTORS = planted(600, 3, dimensions=8).vectors


def opened(volume: Path, uri: str = "data.parquet", **fields: Any) -> ParquetCollection:
    return ParquetCollection("col_0", Source(uri=uri, **fields), VolumeStore(volume, uri))


def read(collection: Any) -> Vectors:
    return np.concatenate([batch.vectors for batch in whole_pass(collection, 0)])


def replace(file: Path, vectors: Vectors) -> None:
    """Replaces the file in one step, as careful writers do."""
    draft = file.with_name("draft.tmp")
    pq.write_table(table(vectors), draft)
    draft.replace(file)


def same_size_and_time(file: Path) -> None:
    """The replacement differs only in its inode and its content."""
    before, content = file.stat(), bytearray(file.read_bytes())
    content[1000:1100] = bytes(100)
    draft = file.with_name("draft.tmp")
    draft.write_bytes(content)
    draft.replace(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES = [
    pytest.param(lambda file: replace(file, VECTORS[:200]), id="fewer rows"),
    pytest.param(lambda file: replace(file, np.concatenate([VECTORS, VECTORS])), id="more rows"),
    pytest.param(lambda file: replace(file, VECTORS[::-1].copy()), id="other vectors"),
    pytest.param(lambda file: replace(file, VECTORS[:, :4].copy()), id="other dimensions"),
    pytest.param(same_size_and_time, id="same size, same time"),
    pytest.param(lambda file: pq.write_table(table(VECTORS[::-1].copy()), file), id="written in place"),
    pytest.param(lambda file: file.write_bytes(file.read_bytes()[:5000]), id="truncated"),
    pytest.param(lambda file: file.write_bytes(b""), id="emptied"),
    pytest.param(lambda file: file.unlink(), id="removed"),
    pytest.param(lambda file: pq.write_table(table(VECTORS).rename_columns(["id", "v"]), file), id="other columns"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_between_opening_and_the_first_pass(tmp_path: Path, change: Callable[[Path], object]) -> None:
    file = write(tmp_path / "data.parquet", VECTORS)
    collection = opened(tmp_path)
    change(file)
    with pytest.raises(UnavailableError, match=r"^data\.parquet: (changed|removed) while it was read"):
        read(collection)


@pytest.mark.parametrize("change", CHANGES)
def test_between_two_passes_of_kmeans(
    pod: Pod, change: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sample is trained on, then a second pass assigns all documents. The run fails, and can be retried."""
    file = write(pod.volume / "data.parquet", VECTORS)
    monkeypatch.setattr(choice, "STREAMED_ROWS", 100)
    spec = pod.spec(KMEANS)
    with changing_after(monkeypatch, passes=1, change=lambda: change(file)):
        error = failed(pod, spec)
    assert str(error).startswith("data.parquet: ")
    assert "while it was read" in str(error)


@pytest.mark.parametrize("change", CHANGES)
def test_between_two_passes_of_vectors_of_nearly_one_direction(
    pod: Pod, change: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read once, and then for what they differ by."""
    file = write(pod.volume / "data.parquet", VECTORS + 1e3)
    spec = pod.spec({"algorithm": "hierarchical", "n_clusters": 3})
    with changing_after(monkeypatch, passes=1, change=lambda: change(file)):
        error = failed(pod, spec)
    assert "data.parquet" in str(error)
    assert "while it was read" in str(error)


@pytest.mark.parametrize("change", CHANGES)
def test_before_the_sample_is_drawn(
    pod: Pod, change: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was reported that k-means trained on uninitialized memory."""
    file = write(pod.volume / "data.parquet", VECTORS)
    monkeypatch.setattr(choice, "STREAMED_ROWS", 100)
    with changing_after(monkeypatch, passes=0, change=lambda: change(file)):
        failed(pod, pod.spec(KMEANS))


@pytest.mark.parametrize("change", CHANGES)
def test_while_a_pass_goes_on(tmp_path: Path, change: Callable[[Path], object]) -> None:
    large = planted(40_000, 3, dimensions=8).vectors
    file = tmp_path / "data.parquet"
    pq.write_table(table(large), file, row_group_size=5_000)
    batches = opened(tmp_path).batches(0)
    next(batches)
    change(file)
    with pytest.raises(UnavailableError, match=r"^data\.parquet: (changed|removed) while it was read"):
        list(batches)


@pytest.mark.parametrize("change", CHANGES)
def test_a_check(pod: Pod, change: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(pod.volume / "data.parquet", VECTORS)
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    with changing_after(monkeypatch, passes=0, change=lambda: change(file)), pytest.raises(UnavailableError) as raised:
        perform(pod, check_spec(spec, result))
    assert raised.value.exit_code is ExitCode.FAILED


def test_texts(tmp_path: Path) -> None:
    file = write(tmp_path / "data.parquet", VECTORS, texts=[f"text {row}" for row in range(600)])
    collection = opened(tmp_path, text_column="text")
    read(collection)
    write(tmp_path / "data.parquet", VECTORS[::-1].copy(), texts=[f"other {row}" for row in range(600)])
    with pytest.raises(UnavailableError, match="changed while it was read"):
        collection.texts(np.array([3]))
    file.unlink()
    with pytest.raises(UnavailableError, match="removed while it was read"):
        collection.texts(np.array([3]))


def test_bad_data_of_a_file_that_changes_may_pass(tmp_path: Path) -> None:
    """Half-written vectors look like invalid ones."""
    large = planted(40_000, 3, dimensions=8).vectors
    spoiled = large.copy()
    spoiled[39_000] = np.nan
    file = tmp_path / "data.parquet"
    pq.write_table(table(spoiled), file, row_group_size=5_000)
    batches = opened(tmp_path).batches(0)
    next(batches)
    file.touch()
    with pytest.raises(UnavailableError, match="changed while it was read"):
        list(batches)
    with pytest.raises(MisconfiguredError, match="row 39000"):
        read(opened(tmp_path))


CHECKS: list[Any] = [
    pytest.param(0.0, lengths, id="unit length"),
    pytest.param(0.0, single_lengths, id="unit length in single precision"),
    pytest.param(0.0, lambda batch: unit_length(batch.vectors, batch.place, "node"), id="nodes"),
    pytest.param(
        0.0,
        lambda batch: unit_length(batch.vectors[1:], Picked(batch.place, np.arange(1, len(batch.vectors))), "document"),
        id="some documents that are searched",
    ),
    pytest.param(1e20, refuse_too_large, id="Euclidean distances"),
    pytest.param(1e20, lambda batch: in_range(batch, unit=False), id="Euclidean distances of doubles"),
]


@pytest.mark.parametrize("filters", [None, Filter(field="number", operator="gte", value=0)], ids=["all", "filtered"])
@pytest.mark.parametrize(("factor", "check"), CHECKS)
def test_values_that_are_refused_after_a_change(
    tmp_path: Path, factor: float, check: Callable[[Batch], object], filters: Filter | None
) -> None:
    """The file is written in place while it is read; the checks come after the batch has left the source."""
    vectors = planted(8_000, 3, dimensions=8).vectors.astype(np.float64)
    number = pa.array(range(8_000))

    def content(vectors: Any) -> bytes:
        draft = tmp_path / "draft.tmp"
        written = table(vectors).append_column("number", number)
        pq.write_table(written, draft, row_group_size=4_000, compression="none", use_dictionary=False)
        return draft.read_bytes()

    file = tmp_path / "data.parquet"
    file.write_bytes(content(vectors))
    vectors[4_000:] *= factor
    new = content(vectors)
    batches = whole_pass(opened(tmp_path, filters=filters), 0)
    check(next(batches))
    with file.open("r+b") as writer:
        writer.write(new)
    batch = next(batches)
    with pytest.raises(UnavailableError, match=r"^data\.parquet: changed while it was read"):
        check(batch)
    again = list(whole_pass(opened(tmp_path, filters=filters), 0))
    with pytest.raises(MisconfiguredError, match=r"^data\.parquet, row [45]\d\d\d \(the first row is 0\): a "):
        check(again[1])


def republishing(monkeypatch: pytest.MonkeyPatch, before: str, publish: Callable[[], object]) -> None:
    """Lets a job publish all files anew just before one is opened."""
    real = VolumeStore.open
    done: list[str] = []

    def open_(self: VolumeStore, name: str) -> Any:
        if name == before and not done:
            done.append(name)
            publish()
        return real(self, name)

    monkeypatch.setattr(VolumeStore, "open", open_)


@pytest.mark.parametrize("uris", [["."], ["a.parquet", "b.parquet"]], ids=["one collection", "two collections"])
@pytest.mark.parametrize(
    "new",
    [
        pytest.param(table(VECTORS[:, :4].copy()), id="dimensions"),
        pytest.param(table(VECTORS).replace_schema_metadata({"embedding_model": "B"}), id="model"),
        pytest.param(table(VECTORS[:, :4].copy()).rename_columns(["id", "embedding"]), id="columns"),
    ],
)
def test_files_that_are_published_anew_while_they_are_opened(
    pod: Pod, uris: list[str], new: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was opened first is not what was opened last, and only both together are wrong."""

    def publish(written: pa.Table) -> None:
        for name in ("a", "b"):
            draft = pod.volume / "draft.tmp"
            pq.write_table(written, draft)
            draft.replace(pod.volume / f"{name}.parquet")

    publish(table(VECTORS).replace_schema_metadata({"embedding_model": "A"}))
    republishing(monkeypatch, "b.parquet", lambda: publish(new))
    spec = pod.spec(KMEANS, *({"uri": uri} for uri in uris))
    if len(uris) == 2 and "id" in new.column_names:
        with pytest.raises(MisconfiguredError, match=r"^b\.parquet: no column document_id"):
            open_collections(spec.collections, pod.mounts.secrets)
        return
    with pytest.raises(UnavailableError, match=r"^a\.parquet: changed while it was read: it was rewritten"):
        open_collections(spec.collections, pod.mounts.secrets)


def test_an_error_about_several_collections_may_come_from_a_change(tmp_path: Path) -> None:
    file = write(tmp_path / "data.parquet", VECTORS)
    sources = [Miscounted(1, 1), opened(tmp_path)]
    with pytest.raises(MisconfiguredError, match="these differ"), blaming_changes(sources):
        raise MisconfiguredError("these differ")
    file.touch()
    with pytest.raises(UnavailableError, match="changed while it was read"), blaming_changes(sources):
        raise MisconfiguredError("these differ")


def test_damage_of_a_file_whose_time_was_set_back_may_pass(tmp_path: Path) -> None:
    """Tools such as rsync set the time of what they write in place; only the ctime differs."""
    file = tmp_path / "data.parquet"
    pq.write_table(table(planted(40_000, 3, dimensions=8).vectors), file, row_group_size=5_000)
    batches = opened(tmp_path).batches(0)
    next(batches)
    status = file.stat()
    file.write_bytes(bytes(status.st_size))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(UnavailableError, match="changed while it was read"):
        list(batches)


def test_a_change_of_mode_or_of_inode_number_is_none(tmp_path: Path) -> None:
    """The kubelet changes modes for fsGroup, and FUSE file systems can change inode numbers."""
    file = write(tmp_path / "data.parquet", VECTORS)
    collection = opened(tmp_path)
    file.chmod(0o600)
    assert len(read(collection)) == 600
    here = Identity(5, 17, (1, 100))
    assert here.is_same(Identity(5, 17, (2, 100)))
    assert here.is_same(Identity(5, 17, (1, 200)))
    assert not here.is_same(Identity(5, 17, (2, 200)))
    assert not here.is_same(Identity(5, 18, (1, 100)))
    assert not here.is_same(Identity(6, 17, (1, 100)))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Identity(5, 17, (1, 100)), False),
        (Identity(5, 17, (2, 100)), False),
        (Identity(5, 17, (1, 200)), True),
        (Identity(5, 17, (2, 200)), True),
        (Identity(5, 18, (1, 100)), True),
    ],
    ids=["same", "another inode number, as in FUSE file systems", "another ctime", "replaced", "written"],
)
def test_signs_of_a_change_that_excuse_bad_data(other: Identity, *, expected: bool) -> None:
    assert Identity(5, 17, (1, 100)).may_have_changed(other) is expected
    assert not of_object(5, {"ETag": b"x"}).may_have_changed(of_object(5, {"ETag": b"x"}))
    assert of_object(5, {"ETag": b"x"}).may_have_changed(of_object(5, {"ETag": b"y"}))


def test_files_that_come_are_left_to_the_next_run(pod: Pod) -> None:
    write(pod.volume / "d/a.parquet", VECTORS[:300])
    collection = opened(pod.volume, "d")
    write(pod.volume / "d/b.parquet", VECTORS[300:])
    assert len(read(collection)) == 300
    assert len(read(opened(pod.volume, "d"))) == 600


@pytest.mark.parametrize("uri", ["d", "d/*.parquet", "**/*.parquet"])
def test_one_of_many_files_goes(pod: Pod, uri: str) -> None:
    for part in range(3):
        write(pod.volume / f"d/{part}.parquet", VECTORS[part * 200 : part * 200 + 200])
    collection = opened(pod.volume, uri)
    (pod.volume / "d/1.parquet").unlink()
    with pytest.raises(UnavailableError, match=r"^d/1\.parquet: removed while it was read"):
        read(collection)


def test_a_file_that_goes_while_files_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in range(3):
        write(tmp_path / f"d/{part}.parquet", VECTORS[:9])
    find = VolumeStore.find

    def found(self: VolumeStore) -> list[str]:
        names = find(self)
        (tmp_path / "d/2.parquet").unlink(missing_ok=True)
        return names

    monkeypatch.setattr(VolumeStore, "find", found)
    with pytest.raises(UnavailableError, match=r"^d/2\.parquet: removed while it was read"):
        opened(tmp_path, "d")


@pytest.mark.parametrize("is_opened", [False, True])
def test_a_directory_becomes_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_opened: bool) -> None:
    for part in range(3):
        write(tmp_path / f"d/{part}.parquet", VECTORS[:9])

    def replaced() -> None:
        shutil.rmtree(tmp_path / "d")
        (tmp_path / "d").write_bytes(b"x")

    if not is_opened:
        republishing(monkeypatch, "d/1.parquet", replaced)
    with pytest.raises(UnavailableError, match=r"^d/[01]\.parquet: removed while it was read"):
        read_after(opened(tmp_path, "d"), replaced)


def read_after(collection: ParquetCollection, change: Callable[[], object]) -> None:
    change()
    read(collection)


def test_a_directory_becomes_a_file_while_files_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in "abc":
        write(tmp_path / f"d/{part}/x.parquet", VECTORS[:9])
    real = os.scandir

    def scandir(path: Any) -> Any:
        if str(path).endswith("d/b"):
            shutil.rmtree(path)
            Path(path).write_bytes(b"x")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(UnavailableError, match=r"^d: directory d/b: removed while it was read"):
        opened(tmp_path, "d")


@pytest.mark.parametrize("change", ["fewer rows", "other vectors", "removed", "emptied"])
def test_objects_in_a_bucket(
    pod: Pod, bucket: Bucket, keys: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.upload("data.parquet", write(pod.volume / "a.parquet", VECTORS))
    new = {
        "fewer rows": VECTORS[:100],
        "other vectors": VECTORS[::-1].copy(),
        "emptied": VECTORS[:0],
    }

    def at_once() -> None:
        if change == "removed":
            bucket.client.delete_object(Bucket="vectors", Key="data.parquet")
        else:
            bucket.upload("data.parquet", write(pod.volume / "b.parquet", fixed_size_list(new[change])))

    monkeypatch.setattr(choice, "STREAMED_ROWS", 100)
    with changing_after(monkeypatch, passes=1, change=at_once):
        error = failed(pod, pod.spec(KMEANS, bucket.source("data.parquet")))
    assert str(error).startswith("s3://vectors/data.parquet: ")
    assert "while it was read" in str(error)


@pytest.mark.parametrize("is_amid_a_pass", [True, False])
@pytest.mark.parametrize(
    "change", ["fewer rows", "more rows", "other vectors", "other dimensions", "emptied", "other bytes", "removed"]
)
def test_an_object_between_two_row_groups_or_passes(
    pod: Pod, bucket: Bucket, keys: Path, change: str, *, is_amid_a_pass: bool
) -> None:
    large = planted(40_000, 3, dimensions=8).vectors
    new = {
        "fewer rows": large[:100],
        "more rows": np.concatenate([large, large]),
        "other vectors": large[::-1].copy(),
        "other dimensions": large[:, :4].copy(),
    }

    def put(vectors: Vectors) -> None:
        pq.write_table(table(vectors), pod.volume / "draft.parquet", row_group_size=5_000)
        bucket.upload("data.parquet", pod.volume / "draft.parquet")

    put(large)
    spec = pod.spec(KMEANS, bucket.source("data.parquet"))
    [collection] = open_collections(spec.collections, pod.mounts.secrets)
    batches = collection.batches(0)
    if is_amid_a_pass:
        next(batches)
    else:
        assert np.array_equal(read(collection), large)
    match change:
        case "removed":
            bucket.client.delete_object(Bucket="vectors", Key="data.parquet")
        case "emptied" | "other bytes":
            content = bytes(0 if change == "emptied" else 2_000_000)
            bucket.client.put_object(Bucket="vectors", Key="data.parquet", Body=content)
        case _:
            put(new[change])
    line = f"^s3://vectors/data.parquet: {'removed' if change == 'removed' else 'changed'} while it was read: "
    with pytest.raises(UnavailableError, match=line):
        list(batches)


def test_an_object_that_is_put_again_unchanged(
    pod: Pod, bucket: Bucket, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(pod.volume / "a.parquet", VECTORS)
    bucket.upload("data.parquet", file)
    monkeypatch.setattr(choice, "STREAMED_ROWS", 100)
    with changing_after(monkeypatch, passes=1, change=lambda: bucket.upload("data.parquet", file)):
        assert pod.run(pod.spec(KMEANS, bucket.source("data.parquet"))).status == "completed"


def test_what_tells_objects_apart() -> None:
    assert of_object(5, {"ETag": b"a"}).is_same(of_object(5, {"ETag": b"a", "Last-Modified": b"later"}))
    assert not of_object(5, {"ETag": b"a"}).is_same(of_object(5, {"ETag": b"b"}))
    assert not of_object(5, {"generation": b"1", "etag": b"a"}).is_same(
        of_object(5, {"generation": b"2", "etag": b"a"})
    )
    assert not of_object(5, {"Last-Modified": b"1"}).is_same(of_object(5, {"Last-Modified": b"2"}))
    assert not of_object(5, {}).is_same(of_object(6, {}))


def test_points_that_come_between_passes_shift_no_text() -> None:
    rows = [{"_id": 2 * n, "embedding": [1.0, float(n)], "text": f"text {n}"} for n in range(50)]
    client = qdrant_with(rows)
    collection = in_qdrant(client, text_column="text")
    first = read(collection)
    new = [models.PointStruct(id=2 * n + 1, vector=[0.0, 1.0], payload={"text": "new"}) for n in range(50)]
    client.upsert("documents", new)
    assert np.array_equal(read(collection), first)
    assert collection.texts(np.array([7, 49])) == {7: "text 7", 49: "text 49"}


def test_points_that_go_while_others_come() -> None:
    """The number of documents is the same, so the number alone does not show the change."""
    client: QdrantClient = qdrant_with([{"embedding": [1.0, float(n)], "text": f"text {n}"} for n in range(50)])
    collection = in_qdrant(client, text_column="text")
    read(collection)
    client.delete("documents", [3])
    client.upsert("documents", [models.PointStruct(id=999, vector=[0.0, 1.0], payload={})])
    with pytest.raises(UnavailableError, match="of 50 points were removed while it was read"):
        read(collection)


@pytest.mark.parametrize("is_amid_a_pass", [True, False])
def test_vectors_that_change_in_qdrant(monkeypatch: pytest.MonkeyPatch, *, is_amid_a_pass: bool) -> None:
    """The ids stay the same. Passes would otherwise mix two versions of a document."""
    monkeypatch.setattr("clusterworker.data.sources.qdrant.collection.PAGE_ROWS", 10)
    client = qdrant_with([{"embedding": [1.0, float(n)]} for n in range(50)])
    collection = in_qdrant(client)
    first = read(collection)
    passes = collection.batches(0)
    if is_amid_a_pass:
        next(passes)
    client.upsert("documents", [models.PointStruct(id=33, vector=[7.0, 7.0], payload={})])
    line = r"point 33: changed while it was read: the vector differs from the first pass: run again"
    with pytest.raises(UnavailableError, match=line):
        list(passes)
    client.upsert("documents", [models.PointStruct(id=33, vector=[1.0, 33.0], payload={})])
    assert np.array_equal(read(collection), first), "another payload, or the same vector again, is no change"


def test_vectors_that_change_in_qdrant_amid_the_first_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterworker.data.sources.qdrant.collection.PAGE_ROWS", 10)
    client = qdrant_with([{"embedding": [1.0, float(n)]} for n in range(50)])
    collection = in_qdrant(client)
    batches = collection.batches(0)
    vectors = [next(batches).vectors]
    client.upsert("documents", [models.PointStruct(id=45, vector=[7.0, 7.0], payload={})])
    vectors += [batch.vectors for batch in batches]
    assert np.array_equal(read(collection), np.concatenate(vectors)), "later passes yield what the first one did"
    client.upsert("documents", [models.PointStruct(id=3, vector=[7.0, 7.0], payload={})])
    with pytest.raises(UnavailableError, match="point 3: changed while it was read"):
        read(collection)


@pytest.mark.parametrize("is_amid_a_pass", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO {} SELECT n, '[7,7]', 'new' FROM generate_series(40000, 80000) n",
        "DELETE FROM {} WHERE document_id % 2 = 1",
        "UPDATE {} SET embedding = '[7,7]', text = 'new'",
        "UPDATE {} SET document_id = 39999 - document_id",
    ],
)
def test_a_table_is_read_as_it_was_when_it_was_opened(database: Any, change: str, *, is_amid_a_pass: bool) -> None:
    name = database.create("t", {"document_id": "integer", "embedding": "vector(2)", "text": "text"}, [])
    database.run("INSERT INTO {} SELECT n, ARRAY[1, n]::vector, 'old' FROM generate_series(0, 39999) n", name)
    collection = database.open(name, text_column="text")
    expected = np.stack([np.ones(40_000), np.arange(40_000)], axis=1).astype(np.float32)
    batches = collection.batches(0)
    found = [next(batches).vectors] if is_amid_a_pass else []
    database.run(change, name)
    assert np.array_equal(np.concatenate([*found, *(batch.vectors for batch in batches)]), expected)
    assert np.array_equal(read(collection), expected)
    assert collection.texts(np.array([0, 39_999])) == {0: "old", 39_999: "old"}


def test_a_view_that_gives_other_rows_each_time(database: Any) -> None:
    table_ = database.create("t", {"document_id": "integer", "embedding": "vector(2)"}, [
        {"document_id": n, "embedding": [1.0, float(n)]} for n in range(500)
    ])  # fmt: skip
    database.run("CREATE VIEW {} AS SELECT * FROM {} WHERE random() < 0.5", f"{database.schema}.v", table_)
    collection = database.open(f"{database.schema}.v")
    line = r"^collection col_0: changed while it was read: (fewer|more) than \d+ doc"
    with pytest.raises(UnavailableError, match=line):
        [read(collection) for _ in range(3)]


class Miscounted:
    """A source that reports another number of documents than it yields."""

    collection_id = "col_x"
    dimensions = 2
    has_integer_ids = True
    embedding_model = ""

    def __init__(self, said: int, yielded: int) -> None:
        self.rows = said
        self._yielded = yielded

    def batches(self, index: int) -> Iterator[Batch]:
        for first in range(0, self._yielded, 10):
            rows = min(10, self._yielded - first)
            yield Batch(pa.array(range(rows)), np.ones((rows, 2), np.float32), index, FilePlace("x", first))

    def texts(self, rows: Any) -> dict[int, str]:
        return {}


@pytest.mark.parametrize(("said", "yielded"), [(30, 29), (30, 20), (30, 0), (30, 31), (30, 300)])
def test_no_array_is_used_half_filled(tmp_path: Path, said: int, yielded: int) -> None:
    source = StreamedDataset([Miscounted(said, yielded)], "cosine", Progress())
    for use in (lambda: sample(source, 10, 1), lambda: sample(source, 30, 1), lambda: SpooledDataset(source, tmp_path)):
        with pytest.raises(UnavailableError, match="collection col_x: changed while it was read"):
            use()


def test_many_replacements_never_give_a_mixture(tmp_path: Path) -> None:
    """A writer replaces the file all the time: a pass yields one version of it, or fails and can be retried."""
    versions = [np.full((20_000, 4), value, np.float32) for value in (1, 2, 3)]
    file = tmp_path / "data.parquet"
    replace(file, versions[0])
    stop = threading.Event()

    def write_on() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            replace(file, versions[turn % 3])

    writer = threading.Thread(target=write_on)
    writer.start()
    whole = ended = 0
    try:
        for _ in range(60):
            try:
                collection = opened(tmp_path)
                passes = [read(collection) for _ in range(2)]
            except UnavailableError:
                ended += 1
            else:
                whole += 1
                assert len(np.unique(np.concatenate(passes))) == 1
    finally:
        stop.set()
        writer.join()
    assert ended


def failed(pod: Pod, spec: RunSpec) -> RunError:
    with pytest.raises(RunError) as raised:
        pod.run(spec)
    assert raised.value.exit_code is ExitCode.FAILED, raised.value
    assert not pod.folder(spec).exists()
    return raised.value


class changing_after:  # noqa: N801 - reads as a statement
    """Changes a source after this number of its passes, once it was opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, passes: int, change: Callable[[], object]) -> None:
        self._monkeypatch, self._passes, self._change = monkeypatch, passes, change
        self.done = 0

    def __enter__(self) -> None:
        real = ParquetCollection.batches

        def batches(collection: ParquetCollection, index: int) -> Iterator[Batch]:
            if self.done == self._passes:
                self._change()
            self.done += 1
            yield from real(collection, index)

        self._monkeypatch.setattr(ParquetCollection, "batches", batches)

    def __exit__(self, *_: object) -> None:
        assert self.done > self._passes, "the change came to pass"
