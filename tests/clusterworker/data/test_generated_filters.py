"""Tests that every operator on columns of every type selects the same rows as plain Python, for any row groups.

`make test` uses some hundred filters, and `make fuzz` 10,000: FILES sets the number.
"""

from __future__ import annotations

import operator
import os
import random
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clustercontract.filters import Filter, parsed_time
from clustercontract.source import Source
from clusterworker.data.sources.parquet.collection import ParquetCollection
from clusterworker.data.sources.parquet.store import VolumeStore
from clusterworker.process.errors import MisconfiguredError
from tests.clusterworker.data.sources_of_all_kinds import ids

FILES = int(os.environ.get("FILES", "200"))
NAN, INFINITE = float("nan"), float("inf")
TEXTS = ["", "a", "tea", "Tea", "naïve", "5", "true", "2026-01-01", "x" * 300, "☕", "\1"]
MOMENTS = [datetime(2026, 1, 1), datetime(2026, 1, 1, 12), datetime(1, 1, 1), datetime(9999, 12, 31)]  # noqa: DTZ001
DAYS = [date(2026, 1, 1), date(2026, 1, 2), date(1, 1, 1), date(9999, 12, 31), date(1969, 12, 31)]
FLOATS = [0.1, 5.0, 0.0, -0.0, 0.5, 65504.0, NAN, INFINITE, -INFINITE]
UUIDS = [UUID(int=number).bytes for number in (0, 5, 2**128 - 1)]
COLUMNS: list[tuple[Any, list[Any]]] = [
    *((kind, [0, 5, 1, 2**kind.bit_width - 1, 2 ** (kind.bit_width - 1)])
      for kind in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())),
    *((kind, [0, 5, -1, 2 ** (kind.bit_width - 1) - 1, -(2 ** (kind.bit_width - 1))])
      for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64())),
    (pa.dictionary(pa.int8(), pa.int64()), [0, 5, 2**53, 2**53 + 1]),
    (pa.float16(), [np.float16(number) for number in FLOATS]),
    (pa.float32(), [*FLOATS, 1e30]), (pa.float64(), [*FLOATS, 1e300, 2.0**53]),
    *((kind, [Decimal(text) for text in ("0.10", "5.00", "-1.50", "0.00")])
      for kind in (pa.decimal32(9, 2), pa.decimal64(18, 2), pa.decimal128(9, 2), pa.decimal256(76, 2))),
    (pa.decimal128(38, 0), [Decimal(number) for number in (0, 5, -1, 2**53 + 1, 10**37)]),
    (pa.bool_(), [True, False]),
    *((kind, TEXTS) for kind in (pa.string(), pa.large_string(), pa.string_view())),
    (pa.dictionary(pa.int8(), pa.string()), TEXTS),
    *((kind, [*(text.encode() for text in TEXTS), b"\xff"]) for kind in (pa.binary(), pa.binary_view())),
    (pa.binary(16), UUIDS), (pa.uuid(), UUIDS),
    (pa.date32(), DAYS), (pa.date64(), DAYS),
    *((pa.timestamp(unit), MOMENTS) for unit in ("s", "ms", "us")),
    (pa.timestamp("ns"), MOMENTS[:2]), (pa.timestamp("us", "Europe/Berlin"), MOMENTS),
    (pa.list_(pa.int8()), [[], [1]]), (pa.struct([("a", pa.int8())]), [{"a": 1}]), (pa.null(), [None]),
]  # fmt: skip
NUMBERS = [0, 5, -1, 5.0, 0.1, 1.5, 0.5, -0.0, 127, 128, 255, 256, -129, 2**31, 2**53, -(2**53), 65504, 70000, 1e300,
           -1e300, 1e-300]  # fmt: skip
TIMES = ["2026-01-01", "2026-01-01T12:00:00Z", "2026-01-01T12:00:00.000001Z", "2026-01-01T13:00:00+01:00",
         "0001-01-01", "9999-12-31T23:59:59.999999Z", "1969-12-31"]  # fmt: skip
WORDS = [*TEXTS, *TIMES, *(str(UUID(bytes=one)) for one in UUIDS)]
ORDERINGS: dict[str, Callable[[Any, Any], Any]] = {
    "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le
}  # fmt: skip

numbers, words = st.sampled_from(NUMBERS), st.sampled_from(WORDS)
comparisons = st.one_of(
    st.tuples(st.sampled_from(["eq", "ne"]), numbers | words | st.booleans()),
    st.tuples(st.sampled_from(list(ORDERINGS)), numbers | st.sampled_from(TIMES)),
    st.tuples(st.sampled_from(["in", "nin"]), st.lists(numbers, min_size=1, max_size=4)),
    st.tuples(st.sampled_from(["in", "nin"]), st.lists(words, min_size=1, max_size=4)),
    st.tuples(st.just("exists"), st.booleans()),
).map(lambda one: {"field": "f", "operator": one[0], "value": one[1]})
groups = st.dictionaries(
    st.sampled_from(["AND", "OR", "NOT"]), st.lists(comparisons, min_size=1, max_size=2), min_size=1, max_size=2
)
options = st.fixed_dictionaries(
    {
        "row_group_size": st.sampled_from([1, 2, 100]),
        "write_statistics": st.booleans(),
        "store_schema": st.booleans(),
        "use_dictionary": st.booleans(),
        "write_page_index": st.booleans(),
    }
)


def holds(wanted: dict[str, Any], kind: Any, value: Any) -> bool:
    """Implements docs/reference/sources.md in plain Python."""
    if "field" not in wanted:
        return (
            all(holds(one, kind, value) for one in wanted.get("AND", []))
            and ("OR" not in wanted or any(holds(one, kind, value) for one in wanted["OR"]))
            and not any(holds(one, kind, value) for one in wanted.get("NOT", []))
        )
    compare, other = wanted["operator"], wanted["value"]
    if compare in ("ne", "nin"):
        return not holds({**wanted, "operator": {"ne": "eq", "nin": "in"}[compare]}, kind, value)
    if compare == "exists":
        return (value is not None) is bool(other)
    if value is None:
        return False
    others = [as_column(one, kind) for one in (other if compare == "in" else [other])]
    if compare in ("eq", "in"):
        return bool(as_python(value, kind) in others)
    moment = parsed_time(other)
    return bool(ORDERINGS[compare](as_python(value, kind), others[0] if moment is None else moment))


def as_column(given_value: Any, kind: Any) -> Any:
    """Returns a filter's value, rounded to the column's type."""
    if isinstance(given_value, str | bool):
        return given_value
    if pa.types.is_decimal(kind):
        return Decimal(repr(given_value))
    if pa.types.is_float16(kind) or pa.types.is_float32(kind):
        with np.errstate(over="ignore", under="ignore"):
            found = float((np.float16 if pa.types.is_float16(kind) else np.float32)(given_value))
        return found if np.isfinite(found) and (found != 0) == (given_value != 0) else given_value
    return given_value


def as_python(value: Any, kind: Any) -> Any:
    """Returns a column's value in the form in which it is compared with a filter's."""
    if isinstance(value, bytes):
        if isinstance(kind, pa.UuidType) or pa.types.is_fixed_size_binary(kind):
            return str(UUID(bytes=value))
        return value.decode(errors="surrogateescape")
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if pa.types.is_float16(kind) or pa.types.is_float32(kind):
        return float(np.float32(value))
    return value


def column(kind: Any, values: list[Any]) -> Any:
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type))
    return pa.array(values, kind)


def selected(directory: Path, wanted: dict[str, Any]) -> list[int] | None:
    """Returns the selected rows; None if the filter is refused because it does not suit the column's type."""
    source = Source(uri="data.parquet", filters=Filter(**wanted))
    try:
        found: list[int] = ids(ParquetCollection("col_0", source, VolumeStore(directory, "data.parquet")))
    except MisconfiguredError as error:
        line = str(error)
    else:
        return found
    if "no documents that pass source.filters" in line:
        return []
    assert ": column f holds " in line
    return None


@pytest.mark.fuzz
@pytest.mark.timeout(7200)
def test_filters() -> None:
    compared: list[bool] = []

    @settings(max_examples=FILES, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(COLUMNS), st.integers(0, 2**32), options, comparisons | groups)
    def check(chosen: tuple[Any, list[Any]], seed: int, how: dict[str, Any], wanted: dict[str, Any]) -> None:
        kind, pool = chosen
        rng = random.Random(seed)
        values = [None if rng.random() < 0.2 else rng.choice(pool) for _ in range(rng.randint(1, 8))]
        rows = list(range(len(values)))
        table = pa.table({"document_id": rows, "embedding": [[1.0, 2.0]] * len(rows), "f": column(kind, values)})
        with tempfile.TemporaryDirectory() as directory:
            pq.write_table(table, Path(directory, "data.parquet"), **how)
            found = selected(Path(directory), wanted)
        compared.append(found is not None)
        if found is not None:
            assert found == [row for row, value in enumerate(values) if holds(wanted, kind, value)]

    check()
    assert sum(compared) > FILES / 5


def written(tmp_path: Path, values: Any, **how: Any) -> Path:
    table = pa.table({
        "document_id": list(range(len(values))), "embedding": [[1.0, 2.0]] * len(values), "f": values
    })  # fmt: skip
    pq.write_table(table, tmp_path / "data.parquet", **how)
    return tmp_path


def where(compare: str, value: Any) -> dict[str, Any]:
    return {"field": "f", "operator": compare, "value": value}


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [
        (where("ne", 5), [0, 3]),
        (where("nin", [5, 7]), [0, 3]),
        ({"NOT": [where("lt", 6)]}, [0]),
        (where("in", [0]), [3]),
        (where("in", [-0.0]), [3]),
    ],
)
def test_floating_point_numbers_beside_nan_and_negative_zero(
    tmp_path: Path, wanted: dict[str, Any], rows: list[int]
) -> None:
    """A row group's statistics omit NaN."""
    written(tmp_path, pa.array([NAN, 5.0, 5.0, -0.0]), row_group_size=2)
    assert selected(tmp_path, wanted) == rows


@pytest.mark.parametrize(("compare", "rows"), [("gt", [0]), ("lt", [1, 2])])
def test_times_of_impala_and_old_spark(tmp_path: Path, compare: str, rows: list[int]) -> None:
    """INT96 can store all years; nanoseconds since 1970 cannot."""
    times = [datetime(9999, 12, 31), datetime(1600, 1, 1), datetime(2025, 1, 1)]  # noqa: DTZ001
    written(tmp_path, pa.array(times, pa.timestamp("us")), use_deprecated_int96_timestamps=True)
    assert selected(tmp_path, where(compare, "2026-01-01")) == rows
    source = Source(uri="data.parquet", text_column="f")
    collection = ParquetCollection("col_0", source, VolumeStore(tmp_path, "data.parquet"))
    assert collection.texts(np.array([0, 1])) == {0: "9999-12-31 00:00:00", 1: "1600-01-01 00:00:00"}
