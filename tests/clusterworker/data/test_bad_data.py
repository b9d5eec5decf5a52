"""Tests of invalid data and configuration: each gives one line that names file, row and remedy."""

from __future__ import annotations

import base64
import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.parquet import encryption

from clustercontract.container import ExitCode
from clustercontract.source import Source
from clusterworker.data.sources.parquet.collection import ParquetCollection
from clusterworker.data.sources.parquet.store import VolumeStore
from clusterworker.process.errors import MisconfiguredError, RunError, UnavailableError
from clusterworker.process.outcome import failure
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import fixed_size_list, planted, table, write
from tests.clusterworker.storage.s3_server import Bucket

KMEANS = {"algorithm": "kmeans", "n_clusters": 3}
GOOD = planted(20_000, 3, dimensions=4).vectors


def spoiled(value: float) -> Any:
    vectors = GOOD.copy()
    vectors[17_000, 2] = value
    return vectors


def lists(row: int, value: list[float | None] | None) -> Any:
    vectors: list[Any] = GOOD[:50].tolist()
    vectors[row] = value
    return pa.array(vectors, pa.list_(pa.float32()))


def with_columns(**columns: Any) -> Callable[[Path], object]:
    return lambda file: pq.write_table(pa.table(columns), file)


def with_vectors(vectors: Any, ids: Any = None) -> Callable[[Path], object]:
    return lambda file: write(file, vectors, ids)


BAD_FILES = [
    pytest.param(
        with_columns(id=["a"], vector=[[1.0]]),
        "data.parquet: no column document_id: it has id, vector: set source.document_id_column to one of them",
        id="missing id column",
    ),
    pytest.param(
        with_columns(document_id=["a"], vector=[[1.0]]),
        "data.parquet: no column embedding: it has document_id, vector: set source.vector_column to one of them",
        id="missing vector column",
    ),
    pytest.param(
        with_columns(document_id=["a"], e0=[0.5], e1=[1.5]),
        "data.parquet: no column embedding: it has document_id, e0, e1: if these are the numbers of the vectors, write "
        "them into one column, as one list of numbers for each document",
        id="numbers in separate columns",
    ),
    pytest.param(
        with_columns(document_id=["a"], price=[0.5], width=[1.5], emb=[[1.0]]),
        "data.parquet: no column embedding: it has document_id, price, width, emb: set source.vector_column to one of "
        "them",
        id="numbers beside a vector",
    ),
    pytest.param(
        with_columns(document_id=[1.5], embedding=[[1.0]]),
        "data.parquet: column document_id holds double, not strings or integers: "
        "write the ids as one of these, or set source.document_id_column to another column",
        id="ids of a wrong type",
    ),
    pytest.param(
        with_columns(document_id=["a"], embedding=[["0.1", "0.2"]]),
        "data.parquet: column embedding holds list<element: string>, not lists of numbers: "
        "write one list of numbers for each document, or set source.vector_column to another column",
        id="vectors of a wrong type",
    ),
    pytest.param(
        with_vectors(spoiled(np.nan)),
        "data.parquet, row 17000 (the first row is 0): column embedding holds NaN: "
        "embed that document again or leave it out",
        id="NaN",
    ),
    pytest.param(
        with_vectors(spoiled(np.inf)),
        "data.parquet, row 17000 (the first row is 0): column embedding holds an infinite number: "
        "embed that document again or leave it out",
        id="infinity",
    ),
    pytest.param(
        with_vectors(lists(7, [0.5, 0.5])),
        "data.parquet, row 7 (the first row is 0): column embedding holds a vector of length 2 where 4 is expected: "
        "embed all documents with one model",
        id="ragged",
    ),
    pytest.param(
        with_vectors(lists(9, None)),
        "data.parquet, row 9 (the first row is 0): column embedding is null: embed that document again or leave it out",
        id="null vector",
    ),
    pytest.param(
        with_vectors(lists(0, None)),
        "data.parquet, row 0 (the first row is 0): column embedding is null: embed that document again or leave it out",
        id="null vector in the first row",
    ),
    pytest.param(
        with_vectors(lists(11, [0.1, None, 0.3, 0.4])),
        "data.parquet, row 11 (the first row is 0): column embedding holds a null inside the vector: "
        "embed that document again or leave it out",
        id="null in a vector",
    ),
    pytest.param(
        with_vectors(GOOD[:3], ["a", None, "c"]),
        "data.parquet, row 1 (the first row is 0): column document_id is null: give every document an id",
        id="null id",
    ),
    pytest.param(
        with_vectors(pa.array([[], []], pa.list_(pa.float32()))),
        "data.parquet: column embedding holds empty vectors: embed the documents",
        id="empty vectors",
    ),
    pytest.param(
        with_vectors(np.zeros((3, 4), np.float32)),
        "data.parquet, row 0 (the first row is 0): a vector of zeros has no direction: "
        "leave that document out, or set metric: euclidean",
        id="zeros with cosine",
    ),
    pytest.param(
        with_vectors(GOOD[:0]),
        "data.parquet: collection col_0 has no documents: add documents, or remove the collection",
        id="empty collection",
    ),
    pytest.param(
        with_vectors(GOOD[:2]),
        "n_clusters 3 is more than the 2 documents: lower n_clusters, or add documents",
        id="more clusters than documents",
    ),
    pytest.param(
        lambda file: file.write_text("document_id,embedding\na,0.1\n"),
        "data.parquet: not a Parquet file: write the collection as Parquet, or correct source.uri",
        id="no Parquet file",
    ),
    pytest.param(
        lambda file: file.touch(),
        "data.parquet: not a Parquet file: write the collection as Parquet, or correct source.uri",
        id="empty file",
    ),
    pytest.param(
        lambda file: write(file.with_name("other.parquet"), GOOD[:5]),
        "data.parquet: no such file on the volume: check source.uri (the volume's root holds other.parquet)",
        id="missing file",
    ),
]


def refused(pod: Pod, *sources: dict[str, Any], config: dict[str, Any] | None = None) -> str:
    spec = pod.spec(config or KMEANS, *sources)
    with pytest.raises(MisconfiguredError) as raised:
        pod.run(spec)
    assert raised.value.exit_code is ExitCode.MISCONFIGURED
    assert not pod.folder(spec).exists()
    assert list(pod.results.rglob("*.parquet")) == []
    assert list(pod.mounts.scratch.iterdir()) == []
    return str(raised.value)


@pytest.mark.parametrize(("make", "line"), BAD_FILES)
def test_bad_file(pod: Pod, make: Callable[[Path], object], line: str) -> None:
    make(pod.volume / "data.parquet")
    assert refused(pod) == line
    assert failure(line).error == line, "it is one line already"


def test_file_that_counts_its_rows_wrongly(pod: Pod) -> None:
    """One bit is wrong: the footer says that there are no rows, the row group has nine.

    Empty files were once not checked.
    """
    file = pod.volume / "data.parquet"
    pq.write_table(pa.table({"x": [1] * 9}), file)
    content = file.read_bytes()
    found = [at for at in range(4, len(content)) if content[at] == 18]  # 9 as thrift writes it
    lines = set()
    for at in found:
        file.write_bytes(content[:at] + b"\0" + content[at + 1 :])
        lines.add(refused(pod))
    assert "data.parquet: damaged or unreadable: 0 rows in all, 9 in its row groups: write the file again" in lines


class Keys(encryption.KmsClient):  # type: ignore[misc]
    """Keeps keys in the file itself, which suffices to encrypt it."""

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
        return base64.b64encode(key_bytes)

    def unwrap_key(self, wrapped_key: bytes, master_key_identifier: str) -> bytes:
        return base64.b64decode(wrapped_key)


def encrypt(file: Path, written: pa.Table, column: str, *, plaintext_footer: bool) -> None:
    how = encryption.EncryptionConfiguration(
        "footer", column_keys={"column": [column]}, plaintext_footer=plaintext_footer
    )
    factory = encryption.CryptoFactory(lambda _: Keys())
    properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), how)
    with pq.ParquetWriter(file, written.schema, encryption_properties=properties) as writer:
        writer.write_table(written)


@pytest.mark.parametrize(("plaintext_footer", "what"), [(True, "column embedding"), (False, "it")])
def test_encrypted_file(pod: Pod, plaintext_footer: bool, what: str) -> None:
    encrypt(pod.volume / "data.parquet", table(GOOD[:9]), "embedding.list.element", plaintext_footer=plaintext_footer)
    assert refused(pod) == f"data.parquet: {what} is encrypted: write it without encryption"


@pytest.mark.parametrize(
    "fields",
    [
        {"filters": {"field": "lang", "operator": "eq", "value": "en"}},
        {"document_id_column": "lang"},
        {"text_column": "lang"},
    ],
    ids=str,
)
def test_encrypted_column(pod: Pod, fields: dict[str, Any]) -> None:
    """With a filter, pyarrow's exception once aborted the process."""
    written = table(GOOD[:9]).append_column("lang", pa.array(["en"] * 9))
    encrypt(pod.volume / "data.parquet", written, "lang", plaintext_footer=True)
    assert pod.run(pod.spec(KMEANS)).status == "completed"
    with pytest.raises(MisconfiguredError) as raised:
        pod.run(pod.spec(KMEANS, {"uri": "data.parquet", **fields}))
    assert str(raised.value) == "data.parquet: column lang is encrypted: write it without encryption"


def test_damaged_object(pod: Pod, bucket: Bucket, keys: Path) -> None:
    file = write(pod.volume / "a.parquet", planted(20_000, 3, dimensions=64).vectors)
    content = bytearray(file.read_bytes())
    content[1_000_000:1_400_000] = bytes(400_000)
    file.write_bytes(content)
    bucket.upload("a.parquet", file)
    line = refused(pod, bucket.source("a.parquet"))
    assert line.startswith("s3://vectors/a.parquet: damaged or unreadable:")
    assert line.endswith(": write the file again")


def test_missing_text_column(pod: Pod) -> None:
    write(pod.volume / "data.parquet", GOOD[:9])
    line = refused(pod, {"uri": "data.parquet", "text_column": "body"})
    assert line == "data.parquet: no column body: it has document_id, embedding: set source.text_column to one of them"


def test_truncated_file(pod: Pod) -> None:
    file = write(pod.volume / "data.parquet", planted(20_000, 3, dimensions=64).vectors)
    content = bytearray(file.read_bytes())
    content[1_000_000:1_400_000] = bytes(400_000)
    file.write_bytes(content)
    line = refused(pod)
    assert line.startswith("data.parquet: damaged or unreadable:")
    assert line.endswith(": write the file again")


def test_files_of_different_dimensions(pod: Pod) -> None:
    write(pod.volume / "a.parquet", GOOD[:9])
    write(pod.volume / "b.parquet", GOOD[:9, :3].copy())
    line = refused(pod, {"uri": "*.parquet"})
    assert line == "b.parquet: vectors of length 3, but a.parquet has 4: embed all documents with one model"


def test_collections_of_different_dimensions(pod: Pod) -> None:
    write(pod.volume / "a.parquet", GOOD[:9])
    write(pod.volume / "b.parquet", GOOD[:9, :3].copy())
    line = refused(pod, {"uri": "a.parquet"}, {"uri": "b.parquet"})
    assert line == (
        "collection col_0 has 4 dimensions and col_1 has 3: cluster them apart, or embed both with one model"
    )


def test_row_is_counted_within_its_file(pod: Pod) -> None:
    write(pod.volume / "a.parquet", GOOD[:9])
    write(pod.volume / "b.parquet", fixed_size_list(spoiled(np.nan)[16_998:]))
    assert refused(pod, {"uri": "*.parquet"}).startswith("b.parquet, row 2 (")


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (
            {"algorithm": "hdbscan", "min_cluster_size": 21},
            "min_cluster_size 21 is more than the 20 documents: lower min_cluster_size, or add documents",
        ),
        (
            {"algorithm": "hierarchical", "n_clusters": 21},
            "n_clusters 21 is more than the 20 documents: lower n_clusters, or add documents",
        ),
    ],
)
def test_parameters_that_ask_for_too_much(pod: Pod, config: dict[str, Any], line: str) -> None:
    write(pod.volume / "data.parquet", GOOD[:20])
    assert refused(pod, config=config) == line


def test_hierarchical_beyond_its_memory(pod: Pod) -> None:
    write(pod.volume / "data.parquet", GOOD[:300])
    with pytest.raises(MisconfiguredError, match="n_clusters 200 exceeds the maximum of hierarchical in this memory"):
        pod.run(pod.spec({"algorithm": "hierarchical", "n_clusters": 200}), memory=16 * 100**2)


def test_volume_that_is_not_mounted(pod: Pod) -> None:
    pod.volume.rmdir()
    assert refused(pod).startswith("data.parquet: the collection's volume is not mounted at ")


def test_path_without_a_volume(pod: Pod) -> None:
    collection = {"collection_id": "col_x", "source": {"uri": "data.parquet"}}
    with pytest.raises(
        MisconfiguredError, match=r"uri data\.parquet is a path, and no volume is mounted: set spec\.volume"
    ):
        pod.run(pod.spec(KMEANS, collections=[collection]))


@pytest.mark.parametrize(
    ("raised", "error", "line"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied"),
            MisconfiguredError,
            "a.parquet: permission denied for user",
        ),
        (FileNotFoundError(errno.ENOENT, "gone"), MisconfiguredError, "a.parquet: no such file on the volume"),
        (OSError(errno.ESTALE, "Stale file handle"), UnavailableError, "a.parquet: the volume does not answer: Stale"),
        (
            OSError(errno.EIO, "Input/output error"),
            UnavailableError,
            "a.parquet: the volume does not answer: Input/output",
        ),
        (
            OSError("Corrupt snappy compressed data"),
            MisconfiguredError,
            "a.parquet: damaged or unreadable: Corrupt snappy",
        ),
    ],
)
def test_what_a_volume_may_say(tmp_path: Path, raised: OSError, error: type[RunError], line: str) -> None:
    with pytest.raises(error) as told, VolumeStore(tmp_path, "a.parquet").errors("a.parquet"):
        raise raised
    assert str(told.value).startswith(line)


@pytest.mark.parametrize("left", [5, 200, -1, 4])
def test_a_file_that_was_cut(pod: Pod, left: int) -> None:
    """It was said to be no Parquet file, and to write the collection as Parquet."""
    file = write(pod.volume / "data.parquet", GOOD)
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(MisconfiguredError) as raised:
        pod.run(pod.spec(KMEANS))
    cut = "damaged or unreadable: it ends without a footer, as after an interrupted write: write the file again"
    other = "not a Parquet file: write the collection as Parquet, or correct source.uri"
    assert str(raised.value) == f"data.parquet: {other if left == 4 else cut}"


def test_unreadable_file() -> None:
    """Runs as another user, because root can read all files."""
    nobody = 65534 if os.geteuid() == 0 else os.geteuid()
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        write(Path(directory, "data.parquet"), GOOD[:9]).chmod(0)
        store = VolumeStore(Path(directory), "data.parquet")
        before = os.geteuid()
        os.seteuid(nobody)
        try:
            with pytest.raises(MisconfiguredError) as raised:
                ParquetCollection("col_0", Source(uri="data.parquet"), store)
        finally:
            os.seteuid(before)
    assert str(raised.value) == (
        f"data.parquet: permission denied for user {nobody}: make the file readable for others or for the Pod's fsGroup"
    )
