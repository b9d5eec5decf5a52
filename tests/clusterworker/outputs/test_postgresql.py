"""Tests of outputs in PostgreSQL: a real server, the source's table and a separate one, and errors."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from psycopg import sql

from clusterworker.outputs.copied_rows import TYPES
from clusterworker.outputs.table import Output
from clusterworker.process.errors import MisconfiguredError, RunError, UnavailableError
from clusterworker.process.progress import Progress
from tests.clusterworker.data.sources_of_all_kinds import SECRET, Database
from tests.clusterworker.outputs.rows import Row, output, table, written

pytestmark = pytest.mark.xdist_group("postgresql")

COLUMNS = {"document_id": "text", "title": "text", "embedding": "vector(2)"}
LABELS: list[Row] = [("a", 0, "cats, dogs", 0.25), ("b", 1, "fish", 0.5), ("c", -1, None, None)]
WRITER = "outputs_writer"


def documents(database: Database, ids: Any = ("a", "b", "c", "d"), columns: dict[str, str] = COLUMNS) -> str:
    rows = [{"document_id": name, "title": f"title {name}", "embedding": [1.0, 2.0]} for name in ids]
    return database.create("documents", columns, rows)


def opened(database: Database, name: str, **fields: Any) -> Output:
    write = {"secret_name": SECRET, **({"table": fields.pop("own")} if "own" in fields else {})}
    return output(database.source(name, **fields), write, database.secrets.parent)


def found(database: Database, name: str, columns: str = "document_id, cluster_id, cluster_name, cluster_distance, run",
          order: str = "document_id") -> list[tuple[Any, ...]]:  # fmt: skip
    target = sql.SQL(".").join(map(sql.Identifier, name.split(".")))
    query = sql.SQL("SELECT {} FROM {} ORDER BY {}").format(sql.SQL(columns), target, sql.SQL(order))
    return database.connection.execute(query).fetchall()


def test_columns_of_the_sources_table(database: Database) -> None:
    name = documents(database)
    said = written(opened(database, name), table(*LABELS))
    assert said == f"3 rows of {database.server.uri()}: table {name}"
    run = "nightly-1a2b-2"
    assert found(database, name) == [
        ("a", 0, "cats, dogs", 0.25, run),
        ("b", 1, "fish", 0.5, run),
        ("c", -1, None, None, run),
        ("d", None, None, None, None),
    ]
    assert found(database, name, "title, embedding::text", "title")[0] == ("title a", "[1,2]"), "nothing else changes"
    assert found(database, name, "count(*)", "1") == [(4,)]


def test_the_next_run_replaces_all_that_the_last_one_wrote(database: Database) -> None:
    """The run also replaces labels of documents that it did not read, because their clusters no longer exist."""
    name = documents(database)
    written(opened(database, name), table(*LABELS))
    database.run("UPDATE {} SET run = 'other-9-1', cluster_id = 7 WHERE document_id = 'd'", name)
    second = table(("a", 5, "mice", 0.125), ("b", 5, "mice", 1.0), run="nightly-1a2b-3", previous="nightly-1a2b-2")
    written(opened(database, name), second)
    assert found(database, name) == [
        ("a", 5, "mice", 0.125, "nightly-1a2b-3"),
        ("b", 5, "mice", 1.0, "nightly-1a2b-3"),
        ("c", None, None, None, None),
        ("d", 7, None, None, "other-9-1"),
    ], "what another trigger wrote stays"
    written(opened(database, name), second)
    assert found(database, name)[0] == ("a", 5, "mice", 0.125, "nightly-1a2b-3"), "idempotent"


def test_documents_that_are_not_in_the_table(database: Database) -> None:
    name = documents(database, ["a"])
    assert written(opened(database, name), table(*LABELS)).endswith("; it lacks 2 documents")


@pytest.mark.parametrize(
    ("kind", "ids", "given"),
    [
        ("bigint", [1, 2], [1, 2]),
        ("integer", [1, 2], ["1", "2"]),
        ("smallint", [1, 2], [1, 2]),
        ("text", ["1", "2"], [1, 2]),
        ("varchar(9)", ["a", "b"], ["a", "b"]),
        ("char(3)", ["abc", "def"], ["abc", "def"]),
        ("uuid", [f"6f9619ff-8b86-d011-b42d-00cf4fc964f{n}" for n in "ab"],
         [f"6F9619FF-8B86-D011-B42D-00CF4FC964F{n}" for n in "AB"]),
    ],
)  # fmt: skip
def test_types_of_the_key(database: Database, kind: str, ids: list[Any], given: list[Any]) -> None:
    name = documents(database, ids, {**COLUMNS, "document_id": kind})
    rows = table(*[(document, place, f"name {place}", 0.5) for place, document in enumerate(given)])
    assert "not in it" not in written(opened(database, name), rows)
    assert [row[:2] for row in found(database, name, "cluster_id, cluster_name", "cluster_id")] == [
        (0, "name 0"),
        (1, "name 1"),
    ]


def test_a_key_of_another_name(database: Database) -> None:
    name = database.create("articles", {'s"ku': "text"}, [{'s"ku': "a"}])
    written(opened(database, name, document_id_column='s"ku'), table(*LABELS))
    assert found(database, name, "cluster_name", "1") == [("cats, dogs",)]


def test_ids_of_another_kind(database: Database) -> None:
    name = documents(database, [1, 2], {**COLUMNS, "document_id": "bigint"})
    with pytest.raises(
        MisconfiguredError, match='what is written does not fit: invalid input syntax for type bigint: "a"'
    ):
        written(opened(database, name), table(*LABELS))
    assert found(database, name, "cluster_id", "1") == [(None,), (None,)]


def test_a_table_of_their_own(database: Database) -> None:
    name, own = documents(database), f"{database.schema}.labels"
    assert written(opened(database, name, own=own), table(*LABELS)) == f"3 rows of {database.server.uri()}: table {own}"
    written(opened(database, name, own=own), table(("z", 9, "others", 0.0), run="weekly-7-1", lineage="weekly-7-"))
    second = table(("a", 5, "mice", 0.125), ("a", 6, "twice", 0.5), run="nightly-1a2b-3")
    written(opened(database, name, own=own), second)
    rows = found(database, own)
    assert rows[0][0] == "a"
    assert rows[0][4] == "nightly-1a2b-3"
    assert rows[1:] == [("z", 9, "others", 0.0, "weekly-7-1")], "one row of a document, and those of others"
    with pytest.raises(Exception, match='column "cluster_id" does not exist'):
        found(database, name)


def test_several_collections_in_a_table_of_their_own(database: Database) -> None:
    name, own = documents(database), f"{database.schema}.labels"
    both = pa.schema(
        [pa.field("document_id", pa.string()), pa.field("collection_id", pa.string()), *table().schema][:2]
    )
    schema = pa.schema([*both, *list(table(*LABELS).schema)[1:]])
    batch = pa.record_batch(
        [["a", "a"], ["x", "y"], pa.array([0, 1], pa.int32()), ["one", "two"], pa.array([0.5, 1.0], pa.float32())],
        schema=schema,
    )
    keys = ("document_id", "collection_id")
    rows = replace(table(), schema=schema, keys=keys, rows=2, batches=lambda: iter([batch]))
    written(opened(database, name, own=own), rows)
    assert found(database, own, "collection_id, cluster_name", "1") == [("x", "one"), ("y", "two")]


@pytest.fixture
def writer(database: Database) -> Iterator[str]:
    """A user without rights, in the Secret."""
    database.run("DROP ROLE IF EXISTS {}", WRITER)
    database.connection.execute(f"CREATE ROLE {WRITER} LOGIN PASSWORD 'w'")
    database.run("GRANT USAGE ON SCHEMA {} TO {}", database.schema, WRITER)
    database.write_secret(username=WRITER, password="w")
    yield WRITER
    database.run("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {}", database.schema, WRITER)
    database.run("REVOKE ALL ON SCHEMA {} FROM {}", database.schema, WRITER)
    database.run("DROP ROLE {}", WRITER)


def refused(database: Database, opened_output: Output) -> str:
    with pytest.raises(RunError) as raised:
        opened_output.check(table())
    return str(raised.value).replace(database.server.uri(), "URI").replace(f"{database.schema}.", "")


def test_a_user_who_may_not_add_columns(database: Database, writer: str) -> None:
    """The error contains the command that the table's owner must run; it grants rights on no other column."""
    name = documents(database)
    database.run("GRANT SELECT ON {} TO {}", name, WRITER)
    line = refused(database, opened(database, name))
    assert line == (
        "URI: table documents: it has no cluster_id and no cluster_name and no cluster_distance and no run, and the "
        f"user of Secret {SECRET} may not add columns: ask its owner to run "
        f'ALTER TABLE "{database.schema}"."documents" '
        'ADD COLUMN IF NOT EXISTS "cluster_id" integer, ADD COLUMN IF NOT EXISTS "cluster_name" text, '
        'ADD COLUMN IF NOT EXISTS "cluster_distance" real, ADD COLUMN IF NOT EXISTS "run" text'
    )
    database.connection.execute(line.partition("ask its owner to run ")[2])
    assert refused(database, opened(database, name)) == (
        f"URI: table documents: the user of Secret {SECRET} may not write it: "
        "grant that user SELECT, UPDATE on documents"
    )
    names = ["cluster_id", "cluster_name", "cluster_distance", "run"]
    database.run("GRANT UPDATE ({}, {}, {}, {}) ON {} TO {}", *names, name, WRITER)
    written(opened(database, name), table(*LABELS))
    assert found(database, name)[0][2] == "cats, dogs"


def test_a_user_who_may_not_create_a_table(database: Database, writer: str) -> None:
    name, own = documents(database), f"{database.schema}.labels"
    line = refused(database, opened(database, name, own=own))
    assert line.startswith(
        f"URI: table labels: it does not exist, and the user of Secret {SECRET} may not create it: ask"
    )
    database.connection.execute(line.partition("ask its owner to run ")[2].replace("labels", "labels"))
    assert "grant that user SELECT, INSERT, DELETE on labels" in refused(database, opened(database, name, own=own))
    database.run("GRANT SELECT, INSERT, DELETE ON {} TO {}", own, WRITER)
    written(opened(database, name, own=own), table(*LABELS))
    assert len(found(database, own)) == 3


def test_columns_that_hold_something_else(database: Database) -> None:
    name = documents(database, columns={**COLUMNS, "run": "timestamptz"})
    assert refused(database, opened(database, name)) == (
        "URI: table documents: column run has the type timestamp with time zone, but the run writes text: rename the "
        "column, or set write.table to write into a separate table"
    )


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"table": "absent"}, "URI: no such table absent: check source.table"),
        ({"document_id_column": "sku"}, "URI: table documents: no column sku: correct source.document_id_column"),
    ],
)
def test_missing_objects(database: Database, fields: dict[str, Any], line: str) -> None:
    name = documents(database)
    if "table" in fields:
        name = f"{database.schema}.{fields.pop('table')}"
    assert refused(database, opened(database, name, **fields)) == line


def test_a_view_takes_no_columns(database: Database) -> None:
    name = documents(database)
    database.run("CREATE VIEW {} AS SELECT * FROM {}", f"{database.schema}.seen", name)
    assert "may not add columns: ask its owner to run ALTER" in refused(
        database, opened(database, f"{database.schema}.seen")
    )


def test_readers_see_the_labels_of_before_or_the_new_ones(database: Database) -> None:
    """While the rows of one run are sent and updated, every query returns labels of one run only."""
    ids = [f"doc-{number:05}" for number in range(20_000)]
    name = database.create("documents", {"document_id": "text"}, [])
    with database.connection.cursor().copy(
        sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(*name.split(".")))
    ) as copy:
        for document in ids:
            copy.write_row([document])
    written(opened(database, name), table(*[(document, 0, "old", 0.5) for document in ids], batch=5_000))
    seen: set[tuple[Any, ...]] = set()
    over = threading.Event()

    def look() -> None:
        with database.server.connect() as reader:
            query = sql.SQL("SELECT array_agg(DISTINCT cluster_name), array_agg(DISTINCT run) FROM {}")
            while not over.is_set():
                names, runs = reader.execute(query.format(sql.Identifier(*name.split(".")))).fetchone() or ((), ())
                seen.add((*names, *runs))

    looking = threading.Thread(target=look)
    looking.start()
    second = table(*[(document, 1, "new", 0.5) for document in ids], batch=5_000, run="nightly-1a2b-3")
    written(opened(database, name), second)
    over.set()
    looking.join()
    assert seen <= {("old", "nightly-1a2b-2"), ("new", "nightly-1a2b-3")}
    assert ("old", "nightly-1a2b-2") in seen


def test_a_server_that_goes_away_while_rows_are_sent(database: Database) -> None:
    """The error says how many rows were sent, nothing is written, and the next attempt writes everything."""
    name = documents(database)
    rows = table(*LABELS, batch=1)

    def interrupted() -> Any:
        for number, batch in enumerate(rows.batches()):
            if number == 2:
                database.run(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'clusterworker'"
                )
            yield batch

    target = opened(database, name)
    target.check(rows)
    with pytest.raises(UnavailableError) as raised:
        target.write(replace(rows, batches=interrupted), Progress(io.StringIO()))
    line = str(raised.value)
    assert "of 3 rows were sent, and none was written: the table is unchanged" in line
    assert found(database, name)[0][1] is None
    target.write(rows, Progress(io.StringIO()))
    assert found(database, name)[0][2] == "cats, dogs"


def test_every_type_and_every_null(database: Database) -> None:
    """The worker encodes the binary rows itself: each value is read back unchanged."""
    generator = np.random.default_rng(3)
    rows = 1_000
    nulls = generator.random((12, rows)) < 0.3
    columns = {
        "a_int": pa.array(generator.integers(-(2**31), 2**31, rows), pa.int32(), mask=nulls[0]),
        "a_long": pa.array(generator.integers(-(2**63), 2**63 - 1, rows), pa.int64(), mask=nulls[1]),
        "a_real": pa.array(generator.normal(size=rows).astype(np.float32), pa.float32(), mask=nulls[2]),
        "a_double": pa.array(generator.normal(size=rows), pa.float64(), mask=nulls[3]),
        "a_bool": pa.array(generator.random(rows) < 0.5, pa.bool_(), mask=nulls[4]),
        "a_text": pa.array(["ä€😀\n\\,'"[: n % 9] * (n % 5) for n in range(rows)], pa.string(), mask=nulls[5]),
    }
    for number, (name, column) in enumerate(list(columns.items()), 6):
        ends = np.sort(generator.integers(0, rows, rows + 1)).astype(np.int32)
        elements = column.drop_null().take(pa.array(generator.integers(0, len(column.drop_null()), ends[-1])))
        columns[f"{name}s"] = pa.ListArray.from_arrays(pa.array(ends), elements, mask=pa.array(nulls[number]))
    assert {column.type for column in columns.values()} == set(TYPES)
    data = pa.table({"document_id": [f"d{n:04}" for n in range(rows)], **columns})
    name, own = documents(database), f"{database.schema}.typed"
    given = replace(
        table(),
        schema=data.schema,
        rows=rows,
        batches=lambda: iter(data.slice(7).to_batches(97) + data[:7].to_batches()),
    )
    written(opened(database, name, own=own), given)
    floats = {"a_real": "a_real::float8", "a_reals": "a_reals::float8[]"}
    names = ["document_id", *columns]
    target = sql.SQL(".").join(map(sql.Identifier, own.split(".")))
    shown = ", ".join(floats.get(name, name) for name in names)
    query = sql.SQL("SELECT {} FROM {} ORDER BY document_id").format(sql.SQL(shown), target)
    got = database.connection.execute(query).fetchall()
    assert got == [tuple(row.values()) for row in data.to_pylist()]


@pytest.mark.parametrize("own", [False, True])
def test_no_rows_at_all(database: Database, own: bool, tmp_path: Path) -> None:
    name = documents(database)
    fields = {"own": f"{database.schema}.labels"} if own else {}
    assert written(opened(database, name, **fields), table()).startswith("0 rows of ")


def test_a_table_of_their_own_that_another_action_writes(database: Database) -> None:
    """Its rows are replaced completely, so that the rows of the other action would be lost."""
    own = f"{database.schema}.labels"
    target = opened(database, documents(database), own=own)
    written(target, table(*LABELS))
    other = replace(table(*LABELS), run_column="taxonomy_run")
    with pytest.raises(
        MisconfiguredError, match=r"another action writes this table \(it has the column run\).*set write\.table"
    ):
        target.check(other)
    assert found(database, own, "count(*)", "1") == [(3,)]
