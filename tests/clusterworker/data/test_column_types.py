"""Tests of column types of public tools: each is read without loss, or refused with the remedy."""

from __future__ import annotations

import io
import json
import os
import pickle
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clustercontract.filters import Filter
from clustercontract.source import Source
from clustertrigger.cli import kubectl_yaml
from clusterworker.data.sources.parquet import collection
from clusterworker.data.sources.parquet.collection import ParquetCollection
from clusterworker.data.sources.parquet.store import VolumeStore
from clusterworker.data.sources.plain import plain, plain_type
from clusterworker.process.errors import MisconfiguredError
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import fixed_size_list, planted

VECTORS = planted(3, 1, dimensions=4).vectors
UUIDS = [UUID(int=2**127 + n) for n in range(3)]
RAW = pa.array([one.bytes for one in UUIDS], pa.binary(16))
LONG = ["a string that is longer than twelve bytes", "b", "ü"]
UDT = pa.struct([("type", pa.int8()), ("size", pa.int32()), ("indices", pa.list_(pa.int32())),
                 ("values", pa.list_(pa.float64()))])  # fmt: skip


def opened(volume: Path, uri: str = "data.parquet", **fields: Any) -> ParquetCollection:
    return ParquetCollection("col_0", Source(uri=uri, **fields), VolumeStore(volume, uri))


def write(file: Path, **columns: Any) -> None:
    rows = len(next(iter(columns.values())))
    filled = {"document_id": pa.array(range(rows)), "embedding": fixed_size_list(np.ones((rows, 4), np.float32))}
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(filled | columns), file, row_group_size=2)


def where(field: str, operator: str, value: Any) -> Filter:
    return Filter.model_validate({"field": field, "operator": operator, "value": value})


def ids(collection: ParquetCollection) -> list[Any]:
    return [value for batch in collection.batches(0) for value in batch.ids.to_pylist()]


def vectors(collection: ParquetCollection) -> Any:
    return np.concatenate([batch.vectors for batch in collection.batches(0)])


IDS = [
    (pa.array(LONG, pa.string_view()), LONG),
    (pa.array([one.encode() for one in LONG], pa.binary_view()), LONG),
    (pa.array([one.encode() for one in LONG], pa.binary()), LONG),
    (pa.array([one.encode() for one in LONG], pa.large_binary()), LONG),
    (pa.array([b"abc", b"def", b"ghi"], pa.binary(3)), ["abc", "def", "ghi"]),
    (RAW, [str(one) for one in UUIDS]),
    (pa.ExtensionArray.from_storage(pa.uuid(), RAW), [str(one) for one in UUIDS]),
    (pa.array([0, 2**63 - 1, 7], pa.uint64()), [0, 2**63 - 1, 7]),
    (pa.array([2**64 - 1, 2**63, 7], pa.uint64()), [str(2**64 - 1), str(2**63), "7"]),
    (pa.array([-(2**63), 0, 2**63 - 1], pa.int64()), [-(2**63), 0, 2**63 - 1]),
    (pa.array([Decimal(7), Decimal(-8), Decimal(9)], pa.decimal32(5, 0)), [7, -8, 9]),
    (pa.array([Decimal(7), Decimal(-8), Decimal(10**18 - 1)], pa.decimal128(18, 0)), [7, -8, 10**18 - 1]),
    (pa.array([Decimal(10**37), Decimal(1), Decimal(0)], pa.decimal128(38, 0)), [str(10**37), "1", "0"]),
    (pa.array([Decimal("1.50"), Decimal(2), Decimal(3)], pa.decimal128(9, 2)), ["1.50", "2.00", "3.00"]),
    (pa.array([5, 6, 5], pa.dictionary(pa.int8(), pa.int64())), [5, 6, 5]),
    (pa.array(["a", "b", "a"], pa.dictionary(pa.int32(), pa.large_string())), ["a", "b", "a"]),
    (pa.array([b"a", b"b", b"a"], pa.dictionary(pa.int32(), pa.binary())), ["a", "b", "a"]),
]


@pytest.mark.parametrize("with_schema", [True, False])
@pytest.mark.parametrize(("column", "expected"), IDS, ids=lambda one: str(getattr(one, "type", ""))[:40])
def test_document_ids(tmp_path: Path, column: Any, expected: list[Any], with_schema: bool) -> None:
    table = pa.table({"document_id": column, "embedding": fixed_size_list(VECTORS)})
    pq.write_table(table, tmp_path / "data.parquet", store_schema=with_schema)
    collection = opened(tmp_path)
    assert ids(collection) == expected
    assert collection.has_integer_ids == isinstance(expected[0], int)


def test_chunks_with_dictionaries_of_their_own(tmp_path: Path) -> None:
    chunks = [pa.array(names).dictionary_encode() for names in (["a", "b"], ["c", "a"], ["b"])]
    write(tmp_path / "data.parquet", document_id=pa.chunked_array(chunks))
    assert ids(opened(tmp_path)) == ["a", "b", "c", "a", "b"]


def test_one_id_in_two_files_makes_two_documents(tmp_path: Path) -> None:
    write(tmp_path / "d/a.parquet", document_id=pa.array([1, 2]))
    write(tmp_path / "d/b.parquet", document_id=pa.array(["2", "x"]))
    assert ids(opened(tmp_path, "d")) == ["1", "2", "2", "x"]


NO_IDS = [
    (pa.array([1.5, 2.0, 3.0]), "double"),
    (pa.array([True, False, True]), "bool"),
    (pa.array([1, 2, 3], pa.timestamp("us", "UTC")), "timestamp[us, tz=UTC]"),
    (pa.array([1, 2, 3], pa.date32()), "date32[day]"),
    (pa.array([[1], [2], [3]]), "list<element: int64>"),
    (pa.array([{"a": 1}] * 3), "struct<a: int64>"),
    (pa.array([[("a", 1)]] * 3, pa.map_(pa.string(), pa.int32())), "map<string, int32"),
    (pa.array([1.5, 2.0, 1.5]).dictionary_encode(), "double"),
]


@pytest.mark.parametrize(("column", "shown"), NO_IDS, ids=lambda one: str(getattr(one, "type", ""))[:40])
def test_what_identifies_no_document(tmp_path: Path, column: Any, shown: str) -> None:
    write(tmp_path / "data.parquet", document_id=column)
    with pytest.raises(MisconfiguredError) as raised:
        opened(tmp_path)
    assert str(raised.value).startswith(f"data.parquet: column document_id holds {shown}")
    assert str(raised.value).endswith(
        "not strings or integers: write the ids as one of these, or set source.document_id_column to another column"
    )


@pytest.mark.parametrize("kind", [pa.binary(), pa.string(), pa.binary_view(), pa.large_string(), pa.binary(2)])
def test_ids_of_bytes_that_are_no_text(tmp_path: Path, kind: Any) -> None:
    raw = pa.array([b"ok", b"\xc3\x28", b"ok"], pa.large_binary() if pa.types.is_large_string(kind) else pa.binary())
    column = raw.view(kind) if pa.types.is_string(kind) or pa.types.is_large_string(kind) else raw.cast(kind)
    write(tmp_path / "data.parquet", document_id=column)
    with pytest.raises(
        MisconfiguredError, match=r"row 1 \(.*\): column document_id holds bytes that are not UTF-8 text"
    ):
        ids(opened(tmp_path))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.DictionaryArray.from_arrays(pa.array([0, 1, None], pa.int8()), pa.array(["x", None])), ["x", None, None]),
        (pa.DictionaryArray.from_arrays(pa.array([1, 0]), pa.array(["x", "y"], pa.string_view())), ["y", "x"]),
        (pa.DictionaryArray.from_arrays(pa.array([1, 0]), pa.array([[1], [2]], pa.list_view(pa.int8()))), [[2], [1]]),
        (pa.RunEndEncodedArray.from_arrays([2, 3], ["a", None]), ["a", "a", None]),
        (pa.RunEndEncodedArray.from_arrays([2, 3], pa.array(["a", "b"]).dictionary_encode()), ["a", "a", "b"]),
        (pa.RunEndEncodedArray.from_arrays([2, 5], ["a", "b"])[1:4], ["a", "b", "b"]),
        (pa.array([[1, 2], None, [], [3]], pa.list_view(pa.int8()))[1:], [None, [], [3]]),
        (pa.ListViewArray.from_arrays([2, 0, 1], [1, 2, 0], pa.array([7, 8, 9])), [[9], [7, 8], []]),
        (pa.array([Decimal(1), None], pa.decimal32(5, 0)), [Decimal(1), None]),
    ],
    ids=str,
)
def test_plain_columns(column: Any, expected: list[Any]) -> None:
    """pyarrow 26 cannot write some of these types; it can read some of them from files of other programs."""
    found = plain(column)
    found.validate(full=True)
    assert found.to_pylist() == expected
    assert found.type == plain_type(column.type)
    assert found.null_count == expected.count(None)


def lists(kind: Any, rows: Any = VECTORS) -> Any:
    return pa.array(
        [[kind_value(kind.value_type, number) for number in row] for row in np.asarray(rows).tolist()], kind
    )


def kind_value(kind: Any, number: float) -> Any:
    if pa.types.is_decimal(kind):
        return Decimal(repr(round(number, 4))).quantize(Decimal("0.0001"))
    if pa.types.is_integer(kind):
        return int(abs(number) * 100)
    return np.float16(number) if pa.types.is_float16(kind) else number


VECTOR_TYPES = [
    *(make(number) for make in (pa.list_, pa.large_list, pa.list_view, pa.large_list_view, lambda one: pa.list_(one, 4))
      for number in (pa.float16(), pa.float32(), pa.float64(), pa.int8(), pa.uint8(), pa.int64(), pa.uint64(),
                     pa.decimal128(9, 4), pa.decimal64(9, 4))),
    pa.list_(pa.dictionary(pa.int8(), pa.float32())),
]  # fmt: skip


@pytest.mark.parametrize("with_schema", [True, False])
@pytest.mark.parametrize("kind", VECTOR_TYPES, ids=str)
def test_vectors(tmp_path: Path, kind: Any, with_schema: bool) -> None:
    column = lists(kind)
    table = pa.table({"document_id": [1, 2, 3], "embedding": column})
    pq.write_table(table, tmp_path / "data.parquet", store_schema=with_schema)
    found = vectors(opened(tmp_path))
    assert found.dtype == np.float32
    assert np.array_equal(found, np.array(column.to_pylist(), np.float64).astype(np.float32))


TEXTS = ["[1, 2.5, -3e-2, 0]", " [0.1,0.2,0.3,0.4]\n", "[1e38, 1E-38, -0.0, 5]"]


@pytest.mark.parametrize("kind", [pa.string(), pa.string_view(), pa.large_string(), pa.binary(), pa.json_()])
def test_vectors_as_json(tmp_path: Path, kind: Any) -> None:
    column = pa.array(TEXTS, pa.string())
    column = pa.ExtensionArray.from_storage(kind, column) if isinstance(kind, pa.JsonType) else column.cast(kind)
    write(tmp_path / "data.parquet", embedding=column)
    expected = [[1, 2.5, -0.03, 0], [0.1, 0.2, 0.3, 0.4], [1e38, 1e-38, 0, 5]]
    assert np.array_equal(vectors(opened(tmp_path)), np.array(expected, np.float32))


NO_JSON = ["", "null", "1 2 3 4", "[1 2 3 4]", "{}", "[[1,2,3,4]]", '["1",2,3,4]', "[true,0,0,0]", "[1,2,3,null]",
           "[" * 100_000, "[0.1, ..., 0.4]", "NULL", "1],[2"]  # fmt: skip


@pytest.mark.parametrize("text", NO_JSON, ids=lambda text: text[:20])
def test_texts_that_are_no_vectors(tmp_path: Path, text: str) -> None:
    write(tmp_path / "data.parquet", embedding=pa.array([TEXTS[0], text]))
    with pytest.raises(MisconfiguredError) as raised:
        vectors(opened(tmp_path))
    assert str(raised.value) == (
        "data.parquet, row 1 (the first row is 0): column embedding holds text that is not a JSON list of numbers, "
        "such as [0.1, 0.2]: write lists of numbers, or set source.vector_column to the column with the embeddings"
    )


def test_vectors_as_raw_bytes(tmp_path: Path) -> None:
    """The file does not contain the number type of raw bytes."""
    raw = [row.tobytes() for row in VECTORS.astype(np.float32)]
    remedy = (
        "raw bytes, whose number type is unknown: write lists of numbers, such as "
        "numpy.frombuffer(value, numpy.float32).tolist()"
    )
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(16)):
        write(tmp_path / "data.parquet", embedding=pa.array(raw, kind))
        with pytest.raises(MisconfiguredError) as raised:
            vectors(opened(tmp_path))
        assert str(raised.value) == (
            "data.parquet: column embedding holds fixed_size_binary[16], " + remedy.removeprefix("raw bytes, ")
            if pa.types.is_fixed_size_binary(kind)
            else "data.parquet, row 0 (the first row is 0): column embedding holds 16 " + remedy
        )


def saved(vector: Any) -> bytes:
    sink = io.BytesIO()
    np.save(sink, vector)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("write_vector", "line"),
    [
        (pickle.dumps, "of Python's pickle: write lists of numbers, such as pickle.loads(value).tolist()"),
        (lambda vector: pickle.dumps(vector, 2), "of Python's pickle: "),
        (saved, "of numpy.save: write lists of numbers, such as numpy.load(io.BytesIO(value)).tolist()"),
        (lambda vector: b"PK\x03\x04" + vector.tobytes(), "of a program such as torch.save: write lists of numbers"),
    ],
)
def test_vectors_that_a_program_serialized(tmp_path: Path, write_vector: Callable[[Any], bytes], line: str) -> None:
    """The advice was numpy.frombuffer, which makes other numbers of these bytes."""
    raw = [write_vector(row) for row in VECTORS]
    write(tmp_path / "data.parquet", embedding=pa.array(raw, pa.binary()))
    with pytest.raises(MisconfiguredError) as raised:
        vectors(opened(tmp_path))
    assert f": column embedding holds {len(raw[0])} bytes {line}" in str(raised.value)


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({"vector_column": "f"}, "…, not lists of numbers: write one list of numbers for each document, or set "
                                 "source.vector_column to another column"),
        ({"document_id_column": "f"}, "or set source.document_id_column to another column"),
        ({"filters": where("f", "eq", 1)}, "… in data.parquet, which filters cannot compare: use exists"),
        ({"filters": where("document_id", "eq", "x" * 1024)}, "xxx… is a string: write a number"),
        ({"text_column": "n18"}, " and 11 more, such as n17, n16, n15: set source.text_column to one of them"),
    ],
)  # fmt: skip
def test_long_types_names_and_values_leave_room_for_the_remedy(
    tmp_path: Path, fields: dict[str, Any], end: str
) -> None:
    """The operator leaves out the middle of an error that is longer than a quarter of a termination message."""
    wide = pa.array([{f"field_{number}": number for number in range(800)}] * 3)
    more = {f"n{number}" + "_" * (60 * (number < 15)): pa.array([1] * 3) for number in range(18)}
    write(tmp_path / "data.parquet", f=wide, **more)
    with pytest.raises(MisconfiguredError) as raised:
        opened(tmp_path, **fields)
    assert len(str(raised.value)) < 1_000
    assert str(raised.value).endswith(end)


def test_names_that_no_line_can_show(tmp_path: Path) -> None:
    """They are shown as YAML reads them; a line break was shown as a blank."""
    names = ["a\nb", "a\0b", "a\u202eb", "a  b", "a b"]
    write(tmp_path / "data.parquet", **{name: pa.array([1] * 3) for name in names})
    with pytest.raises(MisconfiguredError) as raised:
        opened(tmp_path, text_column="text")
    listed = r"""document_id, embedding, "a\nb", "a\0b", "a\u202eb", 'a  b', a b"""
    assert str(raised.value) == f"data.parquet: no column text: it has {listed}: set source.text_column to one of them"
    assert next(kubectl_yaml.documents(f"[{listed}]"))[1][2:] == names
    for name in names:
        assert ids(opened(tmp_path, document_id_column=name)) == [1, 1, 1]


@pytest.mark.parametrize("row", [0, 1])
def test_vectors_in_text_that_is_not_utf8(tmp_path: Path, row: int) -> None:
    texts = [TEXTS[0].encode()] * row + [b"[1, \xff]"]
    write(tmp_path / "data.parquet", embedding=pa.array(texts, pa.binary()).view(pa.string()))
    with pytest.raises(MisconfiguredError, match=rf"^data\.parquet, row {row} .* holds 6 raw bytes"):
        vectors(opened(tmp_path))


def test_names_that_look_alike(tmp_path: Path) -> None:
    decomposed = {"nai\u0308ve": pa.array(["a"] * 3)}
    write(tmp_path / "data.parquet", **decomposed)
    with pytest.raises(MisconfiguredError) as raised:
        opened(tmp_path, text_column="na\u00efve")
    assert r"('nai\u0308ve' is spelled with other code points than 'na\xefve'): set source.text" in str(raised.value)


def test_a_missing_column_of_many(tmp_path: Path) -> None:
    write(tmp_path / "data.parquet", **{f"column_{number}": pa.array([1] * 3) for number in range(5_000)})
    listed = r"column_17 and 4,982 more, such as column_4444, .*: set source\.text_column"
    with pytest.raises(MisconfiguredError, match=listed):
        opened(tmp_path, text_column="colum_4444")


def test_names_with_spaces_around_are_quoted(tmp_path: Path) -> None:
    write(tmp_path / "data.parquet", **{" text": pa.array(["a"]), "": pa.array(["b"])})
    with pytest.raises(MisconfiguredError, match=r"no column text: it has .*' text', ''.*: set source\.text_column"):
        opened(tmp_path, text_column="text")


def test_bad_vectors_in_json(tmp_path: Path) -> None:
    for text, says in (
        ("[1,2,3]", "a vector of length 3 where 4 is expected"),
        ("[NaN,1,1,1]", "holds NaN"),
        ("[1e999,1,1,1]", "holds an infinite number"),
        (f"[{10**400},1,1,1]", "holds an infinite number"),
    ):
        write(tmp_path / "data.parquet", embedding=pa.array([TEXTS[0], text]))
        with pytest.raises(MisconfiguredError, match=says):
            vectors(opened(tmp_path))


def dense(*values: float) -> dict[str, Any]:
    return {"type": 1, "size": None, "indices": None, "values": list(values)}


def sparse(size: int | None, indices: list[Any] | None, values: list[Any] | None) -> dict[str, Any]:
    return {"type": 0, "size": size, "indices": indices, "values": values}


@pytest.mark.parametrize(
    "rows",
    [
        [dense(1, 2, 3, 4), dense(5, 6, 7, 8)],
        [sparse(4, [1, 3], [2, 4]), dense(5, 6, 7, 8), sparse(4, [], []), sparse(4, [0, 1, 2, 3], [1, 2, 3, 4])],
    ],
)
def test_vectors_of_spark(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    write(tmp_path / "data.parquet", embedding=pa.array(rows, UDT))
    if rows[0]["type"] == 1:
        expected = {0: [1, 2, 3, 4], 1: [5, 6, 7, 8]}
    else:
        expected = {0: [0, 2, 0, 4], 1: [5, 6, 7, 8], 2: [0, 0, 0, 0], 3: [1, 2, 3, 4]}
    found = vectors(opened(tmp_path))
    assert found.tolist() == [expected[row] for row in range(len(rows))]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (sparse(5, [0], [1]), "a vector of length 5 where 4 is expected"),
        (sparse(2**31 - 1, [0], [1]), f"a vector of length {2**31 - 1} where 4 is expected"),
        (sparse(4, [4], [1]), "not a Spark vector"),
        (sparse(4, [-1], [1]), "not a Spark vector"),
        (sparse(4, [0, 1], [1]), "not a Spark vector"),
        (sparse(4, [2, 2], [1, 5]), "not a Spark vector"),
        (sparse(4, None, [1]), "not a Spark vector"),
        (sparse(None, [0], [1]), "not a Spark vector"),
        (sparse(-1, [0], [1]), "not a Spark vector"),
        (sparse(4, [0, None], [1, 2]), "not a Spark vector"),
        (sparse(4, [0, 1], [1, None]), "holds a null inside the vector"),
        (dense(1, 2, 3), "a vector of length 3 where 4 is expected"),
        (dense(1, 2, 3, float("nan")), "holds NaN"),
        ({**dense(1, 2, 3, 4), "type": 2}, "not a Spark vector"),
        ({**dense(1, 2, 3, 4), "type": None}, "not a Spark vector"),
        (None, "is null"),
    ],
)
def test_bad_vectors_of_spark(tmp_path: Path, row: Any, says: str) -> None:
    write(tmp_path / "data.parquet", embedding=pa.array([dense(1, 2, 3, 4), row], UDT))
    with pytest.raises(MisconfiguredError, match=rf"^data\.parquet, row 1 \(.*{says}"):
        vectors(opened(tmp_path))


@pytest.mark.parametrize("size", [-1, -2_000, -(2**31)])
def test_first_vectors_of_negative_length(tmp_path: Path, size: int) -> None:
    write(tmp_path / "data.parquet", embedding=pa.array([sparse(size, [0], [5.0])] * 4, UDT))
    with pytest.raises(MisconfiguredError) as raised:
        vectors(opened(tmp_path))
    assert str(raised.value) == (
        "data.parquet, row 0 (the first row is 0): column embedding holds a struct that is not a Spark vector "
        "(VectorUDT: type, size, indices, values): embed that document again or leave it out"
    )


@pytest.mark.parametrize("size", [65_537, 262_144, 2**31 - 1])
def test_sparse_vectors_that_would_fill_the_memory(tmp_path: Path, size: int) -> None:
    """Spark's HashingTF creates 262,144 dimensions by default; 12 vectors of the maximum length needed 19 GB."""
    write(tmp_path / "data.parquet", embedding=pa.array([sparse(size, [0], [1])] * 12, UDT))
    with pytest.raises(MisconfiguredError) as raised:
        vectors(opened(tmp_path))
    assert str(raised.value) == (
        f"data.parquet: column embedding holds vectors of length {size}, and at most 65536 are clustered: reduce the "
        "dimensions first, for example with PCA or SVD"
    )


def test_batches_of_long_vectors_are_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "BATCH_NUMBERS", 1_024)
    long = planted(1_000, 1, dimensions=16).vectors
    pq.write_table(
        pa.table({"document_id": range(1_000), "embedding": fixed_size_list(long)}), tmp_path / "data.parquet"
    )
    found = [batch.vectors for batch in opened(tmp_path).batches(0)]
    assert max(len(batch) for batch in found) == 64
    assert np.array_equal(np.concatenate(found), long)


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize(
    "given", [("document_id", "gte", 0), ("document_id", "gte", 1_990), ("embedding", "exists", True)], ids=str
)
def test_opening_with_a_filter_reads_few_long_vectors_at_a_time(
    tmp_path: Path, given: tuple[str, str, Any], *, as_text: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """16,384 vectors were read, whatever their length: with 2,000 dimensions, opening took 512 MiB."""
    long = np.full((2_000, 4_000), 0.25, np.float32)
    texts = [json.dumps(long[0].tolist())] * len(long)
    column = pa.array(texts) if as_text else pa.array(list(long))
    columns = {"document_id": range(len(long)), "embedding": column}
    pq.write_table(pa.table(columns), tmp_path / "data.parquet", use_dictionary=False)
    sizes: list[int] = []
    real = pq.ParquetFile.iter_batches

    def watched(self: Any, *arguments: Any, **options: Any) -> Any:
        for batch in real(self, *arguments, **options):
            sizes.append(batch.nbytes)
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", watched)
    assert opened(tmp_path, filters=where(*given)).dimensions == 4_000
    assert max(sizes) < 8 << 20


NO_VECTORS = [
    (pa.array([1.0, 2.0]), "double"),
    (pa.array([[[1.0]], [[2.0]]]), "list<element: list<element: double>>"),
    (pa.array([["1"], ["2"]]), "list<element: string>"),
    (pa.array([[True], [False]]), "list<element: bool>"),
    (pa.array([{"x": 1.0, "y": 2.0}] * 2), "struct<x: double, y: double>"),
    (pa.array([[("a", 1.0)]] * 2, pa.map_(pa.string(), pa.float32())), "map<string, float"),
]


@pytest.mark.parametrize(("column", "shown"), NO_VECTORS, ids=lambda one: str(getattr(one, "type", ""))[:40])
def test_what_is_no_vector(tmp_path: Path, column: Any, shown: str) -> None:
    write(tmp_path / "data.parquet", embedding=column)
    with pytest.raises(MisconfiguredError) as raised:
        opened(tmp_path)
    assert str(raised.value).startswith(f"data.parquet: column embedding holds {shown}")
    assert str(raised.value).endswith(
        "not lists of numbers: write one list of numbers for each document, or set source.vector_column to another "
        "column"
    )


def test_half_floats_that_are_none(tmp_path: Path) -> None:
    rows = np.array([[1, 2], [1, np.nan]], np.float16)
    write(tmp_path / "data.parquet", embedding=pa.array(list(rows), pa.list_(pa.float16())))
    with pytest.raises(MisconfiguredError, match=r"row 1 \(.*holds NaN"):
        vectors(opened(tmp_path))


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    column, vector = pa.array([1, 2, 3]), fixed_size_list(VECTORS)
    for names, twice in (
        (["document_id", "embedding", "embedding"], "embedding"),
        (["document_id", "document_id", "embedding"], "document_id"),
    ):
        arrays = [vector if name == "embedding" else column for name in names]
        pq.write_table(pa.Table.from_arrays(arrays, names=names), tmp_path / "data.parquet")
        with pytest.raises(MisconfiguredError) as raised:
            opened(tmp_path)
        line = f"data.parquet: two columns have the name {twice}: write the file again with distinct names"
        assert str(raised.value) == line
    table = pa.Table.from_arrays([column, vector, column, column], names=["document_id", "embedding", "x", "x"])
    pq.write_table(table, tmp_path / "data.parquet")
    assert ids(opened(tmp_path)) == [1, 2, 3], "nobody asks for the others"
    with pytest.raises(MisconfiguredError, match="two columns have the name x"):
        opened(tmp_path, filters=Filter(field="x", operator="eq", value=1))
    with pytest.raises(MisconfiguredError, match="two columns have the name x"):
        opened(tmp_path, text_column="x")


def test_a_name_with_a_dot_is_no_path(tmp_path: Path) -> None:
    vector = fixed_size_list(VECTORS)
    struct = pa.StructArray.from_arrays([pa.array([7, 8, 9])], names=["b"])
    table = pa.Table.from_arrays([pa.array([1, 2, 3]), vector, struct], names=["a.b", "embedding", "a"])
    pq.write_table(table, tmp_path / "data.parquet")
    assert ids(opened(tmp_path, document_id_column="a.b")) == [1, 2, 3]


def test_fields_of_structs_are_no_columns(tmp_path: Path) -> None:
    write(tmp_path / "data.parquet", vectors=pa.array([{"default": [1.0, 2.0]}] * 3))
    for fields, end in (
        ({"vector_column": "vectors.default"}, "source.vector_column"),
        ({"filters": where("vectors.default", "exists", True)}, "source.filters.field"),
    ):
        with pytest.raises(MisconfiguredError) as raised:
            opened(tmp_path, **fields)
        assert str(raised.value) == (
            "data.parquet: no column vectors.default: it has document_id, embedding, vectors (what column vectors "
            f"contains is not read: write vectors.default as a column of its own): set {end} to one of them"
        )


FILTERED = [
    (pa.array(np.array([1, 2.5, 3], np.float16)), "gt", 1, [1, 2]),
    (pa.array(np.array([1, 2.5, 3], np.float16)), "in", [2.5, 3], [1, 2]),
    (pa.array(["a", "b", None], pa.string_view()), "ne", "a", [1, 2]),
    (pa.array([b"a", b"b", b"\xff"]), "eq", "b", [1]),
    (pa.array([b"a", b"b", b"\xff"], pa.binary_view()), "in", ["a", "b"], [0, 1]),
    (RAW, "eq", str(UUIDS[1]), [1]),
    (pa.ExtensionArray.from_storage(pa.uuid(), RAW), "in", [str(UUIDS[2]), str(UUIDS[0]).upper()], [0, 2]),
    (pa.array([2**64 - 1, 5, 6], pa.uint64()), "gt", 5.5, [0, 2]),
    (pa.array([2**63 - 1, 5, 6], pa.int64()), "gt", 5.5, [0, 2]),
    (pa.array([5, 6, None], pa.dictionary(pa.int8(), pa.int64())), "gte", 6, [1]),
    (pa.array(["x", "y", "x"], pa.dictionary(pa.int8(), pa.large_string())), "eq", "x", [0, 2]),
    (pa.array([Decimal(1), Decimal(2), Decimal(3)], pa.decimal32(5, 0)), "lt", 2.5, [0, 1]),
    (pa.array([Decimal("1.5"), Decimal(2), Decimal(3)], pa.decimal256(60, 2)), "eq", 1.5, [0]),
    (pa.array([1, 2, 3], pa.timestamp("ns")), "lt", "9999-01-01", [0, 1, 2]),
    (pa.array([1, 2, 3], pa.timestamp("ns", "UTC")), "gt", "0001-01-01", [0, 1, 2]),
    (pa.array([0, 86_400_000, 0], pa.date64()), "gt", "1970-01-01", [1]),
]


@pytest.mark.parametrize("with_schema", [True, False])
@pytest.mark.parametrize(
    ("column", "operator", "value", "rows"), FILTERED, ids=lambda one: str(getattr(one, "type", ""))[:40]
)
def test_filters(tmp_path: Path, column: Any, operator: str, value: Any, rows: list[int], with_schema: bool) -> None:
    table = pa.table({"document_id": [0, 1, 2], "embedding": fixed_size_list(VECTORS), "f": column})
    pq.write_table(table, tmp_path / "data.parquet", row_group_size=2, store_schema=with_schema)
    collection = opened(tmp_path, filters=where("f", operator, value))
    assert ids(collection) == rows


@pytest.mark.parametrize("kind", [pa.list_(pa.string_view()), pa.list_view(pa.list_view(pa.string()))], ids=str)
def test_lists_of_views_exist_or_do_not(tmp_path: Path, kind: Any) -> None:
    write(tmp_path / "data.parquet", f=pa.array([[], None, []], kind))
    assert ids(opened(tmp_path, filters=where("f", "exists", True))) == [0, 2]
    assert ids(opened(tmp_path, filters=where("f", "exists", False))) == [1]
    collection = opened(tmp_path, filters=where("f", "exists", True), text_column="f")
    assert collection.texts(np.array([1])) == {1: "[]"}


def test_a_filter_that_is_no_uuid(tmp_path: Path) -> None:
    write(tmp_path / "data.parquet", f=RAW)
    with pytest.raises(MisconfiguredError, match=r"holds UUIDs in data\.parquet, but value 'x' is not a UUID: write"):
        opened(tmp_path, filters=Filter(field="f", operator="eq", value="x"))


PARTITIONED = [
    (("lang", "eq", "en"), ["en-1", "en-2"]),
    (("lang", "ne", "en"), ["de-1", "de-2", "null-1"]),
    (("lang", "in", ["de", "fr"]), ["de-1", "de-2"]),
    (("lang", "exists", False), ["null-1"]),
    (("lang", "exists", True), ["de-1", "de-2", "en-1", "en-2"]),
    (("month", "eq", "01"), ["de-1", "en-1", "null-1"]),
    (("month", "eq", 1), ["de-1", "en-1", "null-1"]),
    (("month", "gt", 1), ["de-2", "en-2"]),
    (("day", "gte", "2026-11-02"), ["de-2", "en-2"]),
    (("day", "lt", "2026-11-01T12:00:00Z"), ["de-1", "en-1", "null-1"]),
    (("live", "eq", True), ["de-1", "en-1", "null-1"]),
]


@pytest.fixture
def partitioned(tmp_path: Path) -> Path:
    for lang in ("en", "de", None):
        for month in (1, 2) if lang else (1,):
            live = "true" if month == 1 else "False"
            place = f"lang={lang or '__HIVE_DEFAULT_PARTITION__'}/month={month:02d}/day=2026-11-0{month}/live={live}"
            write(tmp_path / "t" / place / "part.parquet", document_id=pa.array([f"{lang or 'null'}-{month}"]),
                  n=pa.array([month]))  # fmt: skip
    return tmp_path


@pytest.mark.parametrize(("given", "expected"), PARTITIONED, ids=str)
@pytest.mark.parametrize("uri", ["t", "t/**/*.parquet", "t/lang=*"])
def test_partitions_in_filters(partitioned: Path, given: tuple[str, str, Any], expected: list[str], uri: str) -> None:
    field, operator, value = given
    collection = opened(partitioned, uri, filters=where(field, operator, value))
    assert sorted(ids(collection)) == expected
    assert collection.rows == len(expected)


def test_partitions_with_columns_of_the_file(partitioned: Path) -> None:
    either: dict[str, Any] = {
        "OR": [{"field": "lang", "operator": "eq", "value": "de"}, {"field": "n", "operator": "eq", "value": 2}]
    }
    assert sorted(ids(opened(partitioned, "t", filters=Filter(**either)))) == ["de-1", "de-2", "en-2"]
    both: dict[str, Any] = {
        "AND": [{"field": "lang", "operator": "eq", "value": "de"}, {"field": "n", "operator": "eq", "value": 2}]
    }
    assert ids(opened(partitioned, "t", filters=Filter(**both))) == ["de-2"]
    assert sorted(ids(opened(partitioned, "t", filters=Filter(NOT=[Filter(**both)])))) == [
        "de-1",
        "en-1",
        "en-2",
        "null-1",
    ]


def test_partitions_as_columns(partitioned: Path) -> None:
    collection = opened(partitioned, "t/lang=en", document_id_column="month", text_column="lang")
    assert ids(collection) == ["01", "02"]
    assert collection.texts(np.array([0, 1])) == {0: "en", 1: "en"}
    with pytest.raises(MisconfiguredError, match="column lang holds the names of directories, not lists of numbers"):
        opened(partitioned, "t", vector_column="lang")
    with pytest.raises(MisconfiguredError, match=r"no column tongue: it has document_id, embedding, n, lang, month"):
        opened(partitioned, "t", filters=Filter(field="tongue", operator="eq", value="en"))


def test_partitions_that_do_not_compare(partitioned: Path) -> None:
    with pytest.raises(MisconfiguredError, match=r"column lang holds the directory's value '(de|en)'"):
        opened(partitioned, "t", filters=Filter(field="lang", operator="gt", value=5))


@pytest.mark.parametrize(
    ("operator", "expected"), [("gt", [2, 3]), ("lte", [0, 1]), ("eq", [0]), ("ne", [1, 2, 3, 4]), ("lt", [1])]
)
def test_partitions_that_are_no_finite_numbers(tmp_path: Path, operator: str, expected: list[int]) -> None:
    """As in files, NaN is not greater or less than any number. The filter was refused."""
    for number, value in enumerate(["1.5", "-inf", "2", "Infinity", "NaN"]):
        write(tmp_path / f"score={value}/a.parquet", document_id=pa.array([number]))
    found = ids(opened(tmp_path, ".", filters=where("score", operator, 1.5)))
    assert sorted(found) == expected


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("eq", 2**53, [0]),
        ("gt", 2**53, [1, 5]),
        ("in", [0.1, 7], [2]),
        ("gt", 0.1, [0, 1, 3, 4, 5]),
        ("lte", 0.1, [2]),
        ("eq", 0.5, [4]),
    ],
)
def test_numbers_of_partitions_are_not_rounded(tmp_path: Path, operator: str, value: Any, expected: list[int]) -> None:
    """They were compared as doubles, in which the first two are equal, and the next two."""
    written = ["9007199254740992", "9007199254740993", "0.1", "0.10000000000000000001", ".5", "1e400"]
    for number, name in enumerate(written):
        write(tmp_path / f"n={name}/a.parquet", document_id=pa.array([number]))
    assert sorted(ids(opened(tmp_path, ".", filters=where("n", operator, value)))) == expected


def test_a_column_of_the_file_goes_before_the_directory(tmp_path: Path) -> None:
    write(tmp_path / "lang=en/a.parquet", lang=pa.array(["de", "fr"]))
    assert ids(opened(tmp_path, ".", filters=Filter(field="lang", operator="eq", value="de"))) == [0]


@pytest.mark.parametrize("names", [(b"l=%FF", b"l=%FE"), (b"l=\xff", b"l=\xfe"), (b"l=%FF", b"l=\xfe")])
def test_bytes_in_names_of_partitions_stay_different(tmp_path: Path, names: tuple[bytes, bytes]) -> None:
    for name in names:
        write(tmp_path / "a.parquet", x=pa.array([1]))
        (tmp_path / os.fsdecode(name)).mkdir()
        (tmp_path / "a.parquet").rename(tmp_path / os.fsdecode(name) / "a.parquet")
    assert sorted(ids(opened(tmp_path, ".", document_id_column="l"))) == ["%FE", "%FF"]
    found = opened(tmp_path, ".", document_id_column="l", filters=where("l", "eq", "%FE"))
    assert ids(found) == ["%FE"]


def test_names_of_partitions_are_unescaped(tmp_path: Path) -> None:
    write(tmp_path / "at=2026-11-22T08%3A00%3A00/name=a%20b%3D/a.parquet", x=pa.array([1]))
    assert ids(opened(tmp_path, ".", filters=Filter(field="name", operator="eq", value="a b="))) == [0]
    assert ids(opened(tmp_path, ".", filters=Filter(field="at", operator="gt", value="2026-11-22T07:00:00Z"))) == [0]


TEXT_COLUMNS = [
    (pa.array([2**62, None, 1], pa.timestamp("ns")), ["2116-02-20", "", "1970-01-01"]),
    (pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int32())), ["[('a', 1)]", "", "[]"]),
    (pa.array([b"\xff", None, b"x"]), ["\ufffd", "", "x"]),
    (pa.array(["a", None, "a"], pa.dictionary(pa.int8(), pa.string())), ["a", "", "a"]),
    (pa.array(["a", None, "b"], pa.string_view()), ["a", "", "b"]),
    (pa.array([1, None, 2]), ["1", "", "2"]),
    (pa.array([["a"], None, []], pa.list_(pa.string_view())), ["['a']", "", "[]"]),
    (pa.array([[("a", "b")], None, []], pa.map_(pa.string(), pa.string_view())), ["[('a', 'b')]", "", "[]"]),
    (pa.array([[[1]], None, []], pa.list_(pa.list_view(pa.int8()))), ["[[1]]", "", "[]"]),
    (pa.array([UUIDS[0].bytes, None, UUIDS[2].bytes], pa.binary(16)), [str(UUIDS[0]), "", str(UUIDS[2])]),
    (pa.array([UUIDS[0].bytes, None, UUIDS[2].bytes], pa.uuid()), [str(UUIDS[0]), "", str(UUIDS[2])]),
    (pa.array([b"abcd", None, b"\xffbcd"], pa.binary(4)), ["abcd", "", "\ufffdbcd"]),
]


def without_python(kind: str, value: Any) -> pa.Array:
    """Values in a struct that Python cannot have: bytes that are not UTF-8, or a time in an unknown zone."""
    if kind == "text":
        inner = pa.array([value, None, b"x"], pa.binary()).view(pa.string())
    else:
        inner = pa.array([value, None, 0], pa.timestamp("us", "Mars/Olympus"))
    mask = pa.array([False, True, False])
    return pa.StructArray.from_arrays([pa.array([7, 8, 9]), inner], ["n", "of it"], mask=mask)


def test_texts_that_python_cannot_format(tmp_path: Path) -> None:
    """Arrow's layout of the struct in memory was shown."""
    texts, times = without_python("text", b"a\xff"), without_python("time", 1)
    write(tmp_path / "data.parquet", text=texts)
    found = opened(tmp_path, text_column="text").texts(np.array([0, 1, 2]))
    assert found == {0: "{'n': 7, 'of it': 'a\ufffd'}", 1: "", 2: "{'n': 9, 'of it': 'x'}"}
    write(tmp_path / "data.parquet", text=times)
    found = opened(tmp_path, text_column="text").texts(np.array([0, 1, 2]))
    assert found == {
        0: "{'n': 7, 'of it': 1970-01-01 00:00:00.000001Z}", 1: "", 2: "{'n': 9, 'of it': 1970-01-01 00:00:00.000000Z}"
    }  # fmt: skip
    write(tmp_path / "data.parquet", text=pa.ListArray.from_arrays([0, 1, 1, 3], texts))
    found = opened(tmp_path, text_column="text").texts(np.array([0, 1, 2]))
    assert found == {0: "[{'n': 7, 'of it': 'a\ufffd'}]", 1: "[]", 2: "[None, {'n': 9, 'of it': 'x'}]"}


def test_bytes_of_a_fixed_size_in_filters(tmp_path: Path) -> None:
    """They are ids, and a filter refused them."""
    write(tmp_path / "data.parquet", f=pa.array([b"abcd", None, b"efgh"], pa.binary(4)))
    for operator, value, expected in (
        ("eq", "abcd", [0]), ("eq", "abc", []), ("ne", "abcd", [1, 2]), ("ne", "abc", [0, 1, 2]),
        ("in", ["efgh", "x"], [2]), ("nin", ["efgh", "x"], [0, 1]), ("exists", False, [1]),
    ):  # fmt: skip
        filters = where("f", operator, value)
        if expected:
            assert ids(opened(tmp_path, filters=filters)) == expected
        else:
            with pytest.raises(MisconfiguredError, match="has no documents that pass"):
                opened(tmp_path, filters=filters)


def test_messages_of_filters_name_the_type_that_was_written(tmp_path: Path) -> None:
    columns = {
        "views": pa.array([[1], None, []], pa.list_view(pa.int8())),
        "category": pa.array(["a", None, "a"], pa.dictionary(pa.int8(), pa.string())),
    }
    write(tmp_path / "data.parquet", **columns)
    for column, kind in (("views", "list_view<"), ("category", "dictionary<values=string, indices=int")):
        with pytest.raises(MisconfiguredError, match=rf"column {column} holds {kind}.* in data\.parquet"):
            opened(tmp_path, filters=where(column, "eq", 1))


@pytest.mark.parametrize(("column", "expected"), TEXT_COLUMNS, ids=lambda one: str(getattr(one, "type", ""))[:40])
def test_texts_of_any_type(tmp_path: Path, column: Any, expected: list[str]) -> None:
    write(tmp_path / "data.parquet", text=column)
    found = opened(tmp_path, text_column="text").texts(np.array([0, 1, 2]))
    assert found[1] == ""
    assert all(found[row].startswith(expected[row]) for row in range(3))


def test_members_of_a_run(pod: Pod) -> None:
    data = planted(60, 3)
    column = pa.array([2**63 + row for row in range(60)], pa.uint64())
    pq.write_table(pa.table({"document_id": column, "embedding": data.vectors.tolist()}), pod.volume / "data.parquet")
    spec = pod.spec({"algorithm": "kmeans", "n_clusters": 3})
    pod.run(spec)
    members = pq.read_table(pod.folder(spec) / "members.parquet")
    assert members["document_id"].to_pylist() == [str(2**63 + row) for row in range(60)]
