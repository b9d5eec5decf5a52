"""Tests that filters select the same documents in every source as in plain Python."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clustercontract.filters import DEEPEST, MOST_COMPARISONS, MOST_VALUES, Filter, parsed_time
from clustertrigger.core.resources.validation import parse_collection
from clusterworker.data.sources.collection import Collection
from clusterworker.data.sources.parquet.file import ParquetFile
from clusterworker.data.sources.parquet.store import VolumeStore
from clusterworker.data.sources.predicate import predicate
from clusterworker.process.errors import MisconfiguredError
from tests.clusterworker.data.sources_of_all_kinds import Database, ids, in_parquet, in_qdrant, qdrant_with

pytestmark = pytest.mark.xdist_group("postgresql")

NAN = float("nan")
DOCUMENTS: list[dict[str, Any]] = [
    {"title": "tea", "price": 4.5, "stock": 10, "sold": True, "seen": datetime(2026, 11, 20, 8, tzinfo=UTC)},
    {"title": "coffee", "price": 7.0, "stock": 0, "sold": False, "seen": datetime(2026, 11, 21, tzinfo=UTC)},
    {"title": "Tea", "price": 0.0, "stock": -3, "sold": True, "seen": datetime(2026, 11, 22, 23, 59, tzinfo=UTC)},
    {"title": 'it\'s "tea"; DROP TABLE t --', "price": 12.25, "stock": 7, "sold": False, "seen": None},
    {"title": None, "price": None, "stock": None, "sold": None, "seen": None},
    {"title": "", "price": NAN, "stock": 2**40, "sold": None, "seen": datetime(1999, 1, 1, tzinfo=UTC)},
    {"title": "naïve ☕ \\ %s $1", "price": -1e9, "stock": 10, "sold": True, "seen": datetime(2030, 1, 1, tzinfo=UTC)},
    {"title": "coffee", "price": 7.0, "stock": 5, "sold": True, "seen": datetime(2026, 11, 21, 12, tzinfo=UTC)},
]
TYPES = {
    "title": (pa.string(), "text"),
    "price": (pa.float64(), "double precision"),
    "stock": (pa.int64(), "bigint"),
    "sold": (pa.bool_(), "boolean"),
    "seen": (pa.timestamp("us", tz="UTC"), "timestamptz"),
}


def where(field: str, compare: str, value: Any) -> dict[str, Any]:
    return {"field": field, "operator": compare, "value": value}


COMPARISONS = [
    *(where("title", compare, title) for compare in ("eq", "ne")
      for title in ("tea", "", "it's \"tea\"; DROP TABLE t --", "naïve ☕ \\ %s $1", "absent")),
    where("title", "in", ["tea", "Tea", "it's \"tea\"; DROP TABLE t --"]),
    where("title", "nin", ["tea", "coffee", ""]),
    *(where("price", compare, 7) for compare in ("eq", "ne", "gt", "gte", "lt", "lte")),
    *(where("price", compare, 4.5) for compare in ("eq", "ne", "gt", "gte", "lt", "lte")),
    where("price", "in", [7, 4.5, 99]),
    where("price", "nin", [0, 12.25]),
    *(where("stock", compare, 7) for compare in ("eq", "ne", "gt", "gte", "lt", "lte")),
    *(where("stock", compare, 6.5) for compare in ("eq", "ne", "gt", "lte")),
    *(where("stock", compare, 1e15) for compare in ("gt", "lt")),
    where("stock", "in", [10, 0, 2.5]),
    where("stock", "nin", [10]),
    *(where("sold", compare, value) for compare in ("eq", "ne") for value in (True, False)),
    *(where("seen", compare, "2026-11-21") for compare in ("gt", "gte", "lt", "lte")),
    where("seen", "gte", "2026-11-21T13:00:00+01:00"),
    where("seen", "lt", "2026-11-21T12:00:00.000001Z"),
    *(where(field, "exists", value) for field in TYPES for value in (True, False)),
]  # fmt: skip
GROUPS: list[dict[str, Any]] = [
    {"AND": [where("title", "eq", "coffee"), where("sold", "eq", True)]},
    {"OR": [where("title", "eq", "tea"), where("stock", "gt", 100), where("sold", "exists", False)]},
    {"NOT": [where("title", "eq", "tea")]},
    {"NOT": [where("price", "gt", 5), where("stock", "lt", 0)]},
    {"NOT": [where("price", "lte", 5)]},
    {"NOT": [where("price", "ne", 7)]},
    {"NOT": [where("seen", "exists", True)]},
    {"AND": [where("price", "gte", 0)], "OR": [where("stock", "eq", 10), where("stock", "eq", 5)],
     "NOT": [where("sold", "eq", False)]},
    {"AND": [{"OR": [where("sold", "eq", True), {"NOT": [where("price", "gt", 1)]}]}, where("title", "ne", "Tea")]},
    {"NOT": [{"AND": [where("sold", "eq", True), where("price", "gt", 1)]}]},
    {"NOT": [{"OR": [where("sold", "eq", True), where("price", "gt", 1)]}]},
    {"NOT": [{"NOT": [where("title", "in", ["tea", "coffee"])]}]},
    {"NOT": [{"AND": [where("title", "exists", True)], "NOT": [where("price", "lt", 6)]}]},
]  # fmt: skip
FILTERS = [*COMPARISONS, *GROUPS]


def holds(given: dict[str, Any], document: dict[str, Any]) -> bool:
    """Implements docs/reference/sources.md in plain Python."""
    if "field" not in given:
        return (
            all(holds(part, document) for part in given.get("AND", []))
            and (any(holds(part, document) for part in given["OR"]) if "OR" in given else True)
            and not any(holds(part, document) for part in given.get("NOT", []))
        )
    value, wanted = document.get(given["field"]), given["value"]
    match given["operator"]:
        case "exists":
            return (value is not None) is wanted
        case "ne":
            return value is None or value != wanted
        case "nin":
            return value is None or value not in wanted
    if value is None:
        return False
    match given["operator"]:
        case "eq":
            return bool(value == wanted)
        case "in":
            return bool(value in wanted)
    compare: Any = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}[given["operator"]]
    return bool(compare(value, parsed_time(wanted) if isinstance(wanted, str) else wanted))


def expected(given: dict[str, Any]) -> list[str]:
    return [str(row) for row, document in enumerate(DOCUMENTS) if holds(given, document)]


def documents() -> list[dict[str, Any]]:
    return [
        {**document, "document_id": str(row), "embedding": [float(row), 1.0]} for row, document in enumerate(DOCUMENTS)
    ]


def passed(opened: Callable[[], Collection]) -> list[str]:
    """Returns the IDs of the selected documents, or an empty list."""
    try:
        return ids(opened())
    except MisconfiguredError as error:
        if "has no documents that pass source.filters: change the filters" not in str(error):
            raise
        return []


def test_the_table_tells_all_operators_apart() -> None:
    found = {tuple(expected(given)) for given in FILTERS}
    assert len(found) > len(FILTERS) / 2
    assert {given["operator"] for given in COMPARISONS} == {
        "eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "exists"
    }  # fmt: skip


@pytest.mark.parametrize("given", FILTERS, ids=str)
def test_parquet(tmp_path: Path, given: dict[str, Any]) -> None:
    columns = {"document_id": pa.string(), "embedding": pa.list_(pa.float32(), 2)} | {
        name: kind for name, (kind, _) in TYPES.items()
    }
    assert passed(lambda: in_parquet(tmp_path, columns, documents(), filters=Filter(**given))) == expected(given)


def test_postgresql(database: Database) -> None:
    columns = {"document_id": "text", "embedding": "vector(2)"} | {name: kind for name, (_, kind) in TYPES.items()}
    table = database.create("t", columns, documents())
    for given in FILTERS:
        assert passed(lambda: database.open(table, filters=given)) == expected(given), given


def test_qdrant() -> None:
    payloads = [
        {name: value.isoformat() if isinstance(value, datetime) else value for name, value in document.items()}
        for document in documents()
    ]
    for payload in payloads:
        for name in [name for name, value in payload.items() if value is None or value != value]:
            del payload[name]  # JSON has no NaN
    client = qdrant_with(payloads)
    for given in FILTERS:
        if given == where("price", "exists", True) or given == where("price", "exists", False):
            continue  # NaN exists elsewhere
        assert passed(lambda: in_qdrant(client, filters=given)) == expected(given), given


@pytest.mark.parametrize(
    ("parquet", "sql", "given", "rows"),
    [
        (pa.int8(), "smallint", where("a", "lt", 1000), [0, 1, 2]),
        (pa.int8(), "smallint", where("a", "in", [2, 100_000]), [1]),
        (pa.int32(), "integer", where("a", "gte", 2), [1, 2]),
        (pa.int32(), "integer", where("a", "gte", 1.5), [1, 2]),
        (pa.int64(), "bigint", where("a", "lt", 1.5), [0]),
        (pa.uint8(), "smallint", where("a", "gt", -1), [0, 1, 2]),
        (pa.uint64(), "bigint", where("a", "nin", [-3, 2.5, 3]), [0, 1]),
        (pa.decimal128(9, 2), "numeric(9, 2)", where("a", "lte", 2.5), [0, 1]),
        (pa.decimal256(70, 30), "numeric(70, 30)", where("a", "lte", 1e300), [0, 1, 2]),
        (pa.float32(), "real", where("a", "eq", 3), [2]),
        (pa.float32(), "real", where("a", "lt", 1e300), [0, 1, 2]),
        (pa.float32(), "real", where("a", "gt", 1e-300), [0, 1, 2]),
        (pa.date32(), "date", where("a", "gt", "1970-01-02T12:00:00Z"), [1, 2]),
        (pa.date32(), "date", where("a", "gte", "1970-01-02T12:00:00Z"), [1, 2]),
        (pa.timestamp("s"), "timestamp", where("a", "gte", "1970-01-01T00:00:01.5Z"), [1, 2]),
        (pa.timestamp("ns"), "timestamp", where("a", "lt", "9999-12-31"), [0, 1, 2]),
        (pa.timestamp("s"), "timestamp", where("a", "lte", "1970-01-01T00:00:02.5Z"), [0, 1]),
        (pa.dictionary(pa.int8(), pa.string()), "varchar(9)",
         where("a", "in", ["1", "3"]), [0, 2]),
        (pa.large_string(), "char(3)", where("a", "ne", "1"), [1, 2]),
    ],
)  # fmt: skip
def test_other_column_types(
    tmp_path: Path, database: Database, parquet: Any, sql: str, given: dict[str, Any], rows: list[int]
) -> None:
    plain = [{"document_id": row, "embedding": [1.0, float(row)]} for row in range(3)]
    if pa.types.is_temporal(parquet):
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        step = timedelta(days=1) if sql == "date" else timedelta(seconds=1)
        values: list[Any] = [(epoch + n * step).replace(tzinfo=None) for n in (1, 2, 3)]
    elif "char" in sql:
        values = [str(n) for n in (1, 2, 3)]
    else:
        values = [1, 2, 3]
    documents = [{**row, "a": value} for row, value in zip(plain, values, strict=True)]
    table = database.create("t", {"document_id": "integer", "embedding": "vector", "a": sql}, documents)
    assert ids(database.open(table, filters=given)) == rows
    arrow = [value.date() if sql == "date" else value for value in values]
    columns = {"document_id": pa.int64(), "embedding": pa.list_(pa.float32(), 2), "a": parquet}
    file = [{**row, "a": _decimal(value, parquet)} for row, value in zip(plain, arrow, strict=True)]
    assert ids(in_parquet(tmp_path, columns, file, filters=Filter(**given))) == rows


def _decimal(value: Any, kind: Any) -> Any:
    return Decimal(value) if pa.types.is_decimal(kind) else value


def test_row_groups_that_cannot_match_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table({"year": list(range(2000, 2100)), "document_id": range(100), "embedding": [[1.0, 2.0]] * 100})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=10)
    read: list[int] = []
    real = pq.ParquetFile.iter_batches

    def watched(self: Any, *arguments: Any, **options: Any) -> Any:
        read.extend(options["row_groups"])
        return real(self, *arguments, **options)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", watched)
    store = VolumeStore(tmp_path, "a.parquet")
    wanted = predicate(Filter(field="year", operator="gte", value=2085))
    file = ParquetFile(store, "a.parquet", "a.parquet", wanted)
    assert file.rows == 15
    assert read == [8, 9]
    places = [(place.at(0), records.num_rows) for records, place in file.records(["document_id"])]
    assert places == [
        ("a.parquet, row 85 (the first row is 0)", 5),
        ("a.parquet, row 90 (the first row is 0)", 10),
    ]


def test_texts_of_filtered_rows(tmp_path: Path) -> None:
    rows = [{"document_id": n, "embedding": [1.0, 2.0], "odd": n % 2, "text": f"text {n}"} for n in range(9)]
    columns = {"document_id": pa.int64(), "embedding": pa.list_(pa.float32(), 2), "odd": pa.int8(), "text": pa.string()}
    opened = in_parquet(tmp_path, columns, rows, text_column="text", filters=Filter(**where("odd", "eq", 1)))
    assert ids(opened) == [1, 3, 5, 7]
    assert opened.texts(np.array([0, 3])) == {0: "text 1", 3: "text 7"}


MISTAKES = [
    (where("colour", "eq", "red"), "no column colour: it has", "set source.filters.field to one of them"),
    ({"AND": [where("sold", "eq", True), where("price", "eq", "7")]},
     "source.filters.AND[1]: column price holds double", "but value '7' is a string: write a number"),
    (where("title", "gt", 7), "source.filters: column title holds", "use eq, ne, in, nin or exists"),
    (where("price", "gt", "2026-11-22"), "source.filters: column price holds double", "compare it with a number"),
    (where("seen", "gt", 5), "source.filters: column seen holds timestamp", "compare it with a time in quotes"),
    (where("seen", "eq", "2026-11-22"), "source.filters: column seen holds timestamp",
     "only gt, gte, lt, lte and exists"),
    ({"NOT": [where("sold", "in", ["yes"])]}, "source.filters.NOT[0]: column sold holds bool",
     "but value 'yes' is a string: write true or false"),
    (where("embedding", "eq", 1), "source.filters: column embedding holds", "which filters cannot compare"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "begins", "ends"), MISTAKES, ids=str)
def test_comparisons_that_a_column_does_not_take(
    tmp_path: Path, database: Database, given: dict[str, Any], begins: str, ends: str
) -> None:
    kinds = {"document_id": (pa.string(), "text"), "embedding": (pa.list_(pa.float32(), 2), "vector(2)"), **TYPES}
    table = database.create("t", {name: kind for name, (_, kind) in kinds.items()}, documents())
    columns = {name: kind for name, (kind, _) in kinds.items()}
    ways: list[Callable[[], Collection]] = [
        lambda: in_parquet(tmp_path, columns, documents(), filters=Filter(**given)),
        lambda: database.open(table, filters=given),
    ]
    for opened in ways:
        with pytest.raises(MisconfiguredError) as raised:
            opened()
        assert begins in str(raised.value)
        assert ends in str(raised.value)


def nested(depth: int) -> dict[str, Any]:
    return where("a", "eq", 1) if depth == 0 else {"AND": [nested(depth - 1)]}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({}, ": is empty: set field, operator and value, or AND, OR or NOT"),
        ({"field": "a", "operator": "eq"}, ".value: value is required with a comparison: set it"),
        ({"field": "a", "value": 1}, ".operator: operator is required with a comparison: set it"),
        ({"AND": []}, ".AND: must not be empty: write at least one"),
        ({"and": [where("a", "eq", 1)]}, ".and: unknown field: did you mean AND?"),
        ({"AND": [where("a", "like", "x%")]}, ".AND[0].operator: 'like': must be 'eq', 'ne', 'gt', 'gte', 'lt', 'lte', "
         "'in', 'nin' or 'exists': write one of these"),
        (where("a", "gt", "0001-01-01T00:00:00+10:00"), ".value: '0001-01-01T00:00:00+10:00': value "
         "'0001-01-01T00:00:00+10:00' must be a number or a time (RFC 3339, such as '2026-11-22' or "
         "'2026-11-22T08:00:00Z') with gt"),
        ({"OR": [{"NOT": [where("a", "gt", "x")]}]}, ".OR[0].NOT[0].value: 'x': value 'x' must be a number or a time "
         "(RFC 3339, such as '2026-11-22' or '2026-11-22T08:00:00Z') with gt"),
        (where("a", "eq", ["x"]), ".value: value ['x'] must be a string, a number, true or false with eq"),
        (where("a", "in", "x"), f".value: 'x': value must be a list of 1 to {MOST_VALUES} strings or numbers with in "
         "and nin"),
        (where("a", "in", [1, "x"]), ".value: value must contain only strings or only numbers with in and nin: "
         "do not mix them"),
        (where("a", "in", [True]), ".value: value must contain only strings or only numbers with in and nin: "
         "use eq for true and false"),
        (where("a", "exists", "yes"), ".value: 'yes': value 'yes' must be true or false with exists"),
        (where("a", "eq", 2**60), f".value: {2**60}: value {2**60} is beyond 2^53, above which numbers are not exact: "
         "store it as a string"),
        (where("a", "eq", "x\0"), ".value: 'x\\x00': value contains a NUL character: remove it"),
        ({**where("a", "eq", 1), "NOT": [where("b", "eq", 1)]}, ".field: 'a': field is not valid beside AND, OR or "
         "NOT: move it into a comparison of its own"),
        (nested(DEEPEST + 1), f": filters nest {DEEPEST + 1} levels of AND, OR and NOT, and the limit is {DEEPEST}: "
         "combine nested groups of the same kind"),
        ({"OR": [where("a", "eq", n) for n in range(MOST_COMPARISONS + 1)]},
         f": filters have {MOST_COMPARISONS + 1} comparisons, and the limit is {MOST_COMPARISONS}: use in to match "
         "many values"),
        ("x", ": 'x': must be an object: write its fields below it, or remove it"),
    ],
    ids=str,
)  # fmt: skip
def test_refused_when_applied(given: Any, line: str) -> None:
    _, problems = parse_collection({"source": {"uri": "a.parquet", "filters": given}, "volume": "v"})
    assert [str(problem) for problem in problems] == [f"spec.source.filters{line}"]


@pytest.mark.parametrize("given", [nested(DEEPEST), *FILTERS], ids=str)
def test_accepted_when_applied(given: dict[str, Any]) -> None:
    spec, problems = parse_collection({"source": {"uri": "a.parquet", "filters": given}, "volume": "v"})
    assert problems == []
    assert spec is not None
    assert spec == type(spec).model_validate_json(spec.model_dump_json()), "it survives the way to the worker"
