"""Tests of the row groups that filters skip by their statistics."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clustercontract.filters import Filter
from clustercontract.source import Source
from clusterworker.data.sources.parquet.collection import ParquetCollection
from clusterworker.data.sources.parquet.statistics import candidates
from clusterworker.data.sources.parquet.store import VolumeStore
from clusterworker.data.sources.parquet.thrift import Reader
from clusterworker.process.errors import RunError

NAN = float("nan")


def counted(volume: Path, column: Any, operator: str, value: Any, monkeypatch: pytest.MonkeyPatch, **how: Any) -> Any:
    """Returns the row groups that are read when a collection is opened, and the ids that it then has."""
    table = pa.table({"x": column, "document_id": range(len(column)), "embedding": [[1.0, 2.0]] * len(column)})
    pq.write_table(table, volume / "data.parquet", **{"row_group_size": 2, **how})
    read: list[int] = []
    real = pq.ParquetFile.iter_batches

    def watched(self: Any, *arguments: Any, **options: Any) -> Any:
        read.extend(options["row_groups"])
        return real(self, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(pq.ParquetFile, "iter_batches", watched)
        source = Source(
            uri="data.parquet", filters=Filter.model_validate({"field": "x", "operator": operator, "value": value})
        )
        opened = ParquetCollection("col_0", source, VolumeStore(volume, "data.parquet"))
    return read, [one for batch in opened.batches(0) for one in batch.ids.to_pylist()]


DAY = datetime(2026, 11, 20, tzinfo=UTC)
DAYS = [DAY, DAY.replace(day=21), DAY.replace(day=22), DAY.replace(day=23)]


@pytest.mark.parametrize(
    ("column", "operator", "value"),
    [
        *((pa.array([-2, 1, 3, 4], kind()), "gt", 2) for kind in (pa.int8, pa.int16, pa.int32, pa.int64)),
        (pa.array([1, 2, 2**31, 2**32 - 1], pa.uint32()), "gte", 2**31),
        (pa.array([1, 2, 2**63, 2**64 - 1], pa.uint64()), "gte", 2**40),
        (pa.array([None, 2, 3, None]), "gt", 2),
        (pa.array([1, 2, None, None]), "exists", False),
        (pa.array([None, None, 1, 2]), "exists", True),
        (pa.array([None, None, 1, 2]), "in", [1, 2]),
        (pa.array(["a", "b", "c", "ü"]), "in", ["c", "ü"]),
        (pa.array(["a", "b", "c", None]), "eq", "c"),
        (pa.array([b"a", b"b", b"\x80", "ü".encode()]), "eq", "ü"),
        (pa.array([bytes(16), bytes(16), b"a" * 16, b"a" * 16], pa.binary(16)), "eq", "61" * 16),
        (pa.array([False, False, True, True]), "eq", True),
        (pa.array([1.0, 2.0, 3.0, NAN]), "gt", 2.5),
        (pa.array([1.0, 2.0, 3.0, 4.0], pa.float32()), "gt", 2.5),
        *(
            (
                pa.array([Decimal("-1.25"), Decimal("1.5"), Decimal("2.5"), Decimal(3)], pa.decimal128(digits, 2)),
                "gt",
                2,
            )
            for digits in (7, 15, 30)
        ),
        (pa.array([date(2026, 11, 20 + n) for n in range(4)]), "gte", "2026-11-22"),
        *((pa.array(DAYS, pa.timestamp(unit, "UTC")), "gte", "2026-11-22") for unit in ("s", "ms", "us", "ns")),
    ],
    ids=str,
)
def test_statistics_skip_row_groups(
    tmp_path: Path, column: Any, operator: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, ids = counted(tmp_path, column, operator, value, monkeypatch)
    assert read == [1]
    assert set(ids) <= {2, 3}
    assert ids


@pytest.mark.parametrize(
    ("column", "operator", "value", "expected"),
    [
        (pa.array([1.0, NAN, 2.0, 3.0]), "ne", 1, [1, 2, 3]),
        (pa.array([1, None, 2, 3]), "exists", False, [1]),
        (pa.array([1, None, 2, 3]), "ne", 2, [0, 1, 3]),
        (pa.array([[], [1], [2], None], pa.list_(pa.int64())), "exists", True, [0, 1, 2]),
        (pa.array(["x" * 100 + "a", "x" * 100 + "c", "b", "b"]), "eq", "x" * 100 + "c", [1]),
        (pa.array([-0.0, -0.0, 1.0, 1.0]), "eq", 0, [0, 1]),
    ],
    ids=str,
)
@pytest.mark.parametrize("how", [{}, {"write_statistics": False}, {"store_schema": False}], ids=str)
def test_statistics_skip_no_row(
    tmp_path: Path,
    column: Any,
    operator: str,
    value: Any,
    expected: list[int],
    how: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert counted(tmp_path, column, operator, value, monkeypatch, **how)[1] == expected


def test_a_damaged_footer_does_not_end_the_process(tmp_path: Path) -> None:
    """pyarrow's own row groups by statistics let C++ exceptions escape, which abort the process."""
    file = tmp_path / "data.parquet"
    table = pa.table({"x": ["a", "b", None, "d"], "document_id": range(4), "embedding": [[1.0, 2.0]] * 4})
    pq.write_table(table, file, row_group_size=2, store_schema=False)
    content = file.read_bytes()
    begin = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    source = Source(uri="data.parquet", filters=Filter(field="x", operator="in", value=["a", "d"]))
    found = []
    for at in range(begin, len(content) - 4):
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        try:
            found.append(ParquetCollection("col_0", source, VolumeStore(tmp_path, "data.parquet")).rows)
        except RunError:
            found.append(-1)
    assert {-1, 2} <= set(found)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x19",
        b"\x19\xfc" + b"\xff" * 9,
        b"\x1d" + b"\xff" * 20,
        b"\x18\xff\xff\x03abc",
        b"\x19\xf1" + b"\xff" * 8 + b"\x01",
        b"\x29\xf3" + b"\xff" * 8 + b"\x01",
        b"\x1f",
        b"\x49\x1d\x00",
        b"\x4c" * 100_000,
    ],
    ids=lambda data: f"{data[:8].hex()} ({len(data)})",
)
def test_what_is_no_footer_skips_nothing(data: bytes) -> None:
    file = pa.BufferReader(b"PAR1" + data + len(data).to_bytes(4, "little") + b"PAR1")
    with pytest.raises((ValueError, IndexError, RecursionError)):
        Reader(data).struct({1: {}, 4: {4: {4: {}}}})
    schema = pa.schema([("x", pa.int64())])
    assert list(candidates(file, schema, pa.compute.field("x") > 1, 3)) == [0, 1, 2]
