"""Tests of PostgreSQL with pgvector on a real server: supported types, and errors."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from clustercontract.container import CollectionInput
from clusterworker.data.sources.batch import BATCH_ROWS
from clusterworker.data.sources.collections import count_documents
from clusterworker.process.errors import MisconfiguredError, UnavailableError
from tests.clusterworker.conftest import Pod
from tests.clusterworker.data.sources_of_all_kinds import SECRET, Database, Rows, ids
from tests.clusterworker.planted import planted, write

pytestmark = pytest.mark.xdist_group("postgresql")

KMEANS = {"algorithm": "kmeans", "n_clusters": 3}
DATA = planted(90, 3, dimensions=4)
PASSWORD = "p4ss:w/ord@with%'\"\\ odd=ones"


@pytest.fixture
def shop(database: Database, pod: Pod) -> Database:
    """A database whose Secret the Pod mounts."""
    assert database.secrets == pod.mounts.secrets
    return database


def rows(vectors: Any = DATA.vectors) -> Rows:
    return [{"document_id": f"doc-{n:02}", "embedding": vector.tolist()} for n, vector in enumerate(vectors)]


def table(database: Database, given: Rows, vector: str = "vector(4)", identifier: str = "text", **more: str) -> str:
    return database.create("documents", {"document_id": identifier, "embedding": vector, **more}, given)


def refused(database: Database, name: str, **fields: Any) -> str:
    with pytest.raises(MisconfiguredError) as raised:
        ids(database.open(name, **fields))
    line = str(raised.value)
    assert database.server.password not in line
    assert raised.value.__cause__ is None
    return line.replace(database.server.uri(), "URI").replace(f"{database.schema}.", "")


@pytest.mark.parametrize("kind", ["vector(4)", "vector", "halfvec(4)", "real[]", "double precision[]"])
def test_vector_types(database: Database, kind: str) -> None:
    given = [dict(row) for row in rows()]
    if kind.endswith("[]"):
        for row in given:
            row["embedding"] = "{" + ",".join(map(repr, row["embedding"])) + "}"
    opened = database.open(table(database, given, kind))
    assert (opened.rows, opened.dimensions, opened.has_integer_ids) == (90, 4, False)
    [batch] = opened.batches(3)
    assert batch.collection == 3
    assert batch.vectors.dtype == np.float32
    assert batch.ids.to_pylist() == [row["document_id"] for row in given]
    np.testing.assert_allclose(batch.vectors, DATA.vectors, rtol=1e-3 if "half" in kind else 1e-7)


def test_rows_come_by_id_however_the_table_lies(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [{"document_id": name, "embedding": [1.0, 2.0]} for name in ("b", "Z", "é", "a", "10", "9")]
    name = table(database, given, "vector")
    assert ids(database.open(name)) == ["10", "9", "Z", "a", "b", "é"]
    monkeypatch.setattr("clusterworker.data.sources.postgresql.collection.ORDERED_ROWS", 5)
    assert ids(database.open(name)) == ["b", "Z", "é", "a", "10", "9"]


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("smallint", [-2, 1], [-2, 1]),
        ("integer", [-2, 1], [-2, 1]),
        ("bigint", [-(2**62), 2**62], [-(2**62), 2**62]),
        ("varchar(20)", ["b", "ä"], ["b", "ä"]),
        ("uuid", ["0" * 32, "6F9619FF-8B86-D011-B42D-00CF4FC964FF"], ["00000000-0000-0000-0000-000000000000",
         "6f9619ff-8b86-d011-b42d-00cf4fc964ff"]),
    ],
)  # fmt: skip
def test_id_types(database: Database, kind: str, values: list[Any], expected: list[Any]) -> None:
    given = [{"document_id": value, "embedding": [1.0, 2.0]} for value in values]
    opened = database.open(table(database, given, "vector", kind))
    assert ids(opened) == expected
    assert opened.has_integer_ids == isinstance(expected[0], int)


def test_domains_are_read_as_their_types(database: Database) -> None:
    """They were refused; a domain can be based on another one."""
    for name, base in (("sku", "varchar(20)"), ("key", "sku"), ("number", "integer"), ("halves", "real[]"),
                       ("embedding", "vector(2)")):  # fmt: skip
        kind = f"{database.schema}.{base}" if base == "sku" else base
        database.run(f"CREATE DOMAIN {database.schema}.{name} AS {kind}")
    kinds = [f"{database.schema}.{name}" for name in ("key", "number", "halves", "embedding")]
    cases = ((kinds[0], "a", kinds[2], "{1,2}"), (kinds[1], 7, kinds[3], [1.0, 2.0]))
    for identifier, value, vectors, vector in cases:
        columns = {"document_id": identifier, "embedding": vectors}
        name = database.create(f"documents_{value}", columns, [{"document_id": value, "embedding": vector}])
        opened = database.open(name, filters={"field": "document_id", "operator": "eq", "value": value})
        [batch] = opened.batches(0)
        assert (batch.ids.to_pylist(), batch.vectors.tolist()) == ([value], [[1.0, 2.0]])


def test_ids_of_type_citext(database: Database) -> None:
    """init proposed such a column, and the worker refused it. Filters distinguish cases, as everywhere."""
    database.run("CREATE EXTENSION IF NOT EXISTS citext")
    name = table(
        database, [{"document_id": value, "embedding": [1.0, 2.0]} for value in ("a", "B")], "vector", "citext"
    )
    assert ids(database.open(name)) == ["B", "a"]
    assert ids(database.open(name, filters={"field": "document_id", "operator": "ne", "value": "A"})) == ["B", "a"]


def test_names_in_quotes(database: Database) -> None:
    assert refused(database, '"Articles"').endswith("no such table \"Articles\": check source.table, which is written "
                                                    "without quotes")  # fmt: skip


def test_odd_names_are_quoted(database: Database) -> None:
    name = 'x"; DROP TABLE y; --'
    given = [{'i"d': "a", "Vector Column": [1.0, 2.0], "text%s": "hello"}]
    database.create(name, {'i"d': "text", "Vector Column": "vector(2)", "text%s": "text"}, given)
    opened = database.open(
        f"{database.schema}.{name}", document_id_column='i"d', vector_column="Vector Column", text_column="text%s",
        filters={"field": 'i"d', "operator": "eq", "value": "a"},
    )  # fmt: skip
    assert ids(opened) == ["a"]
    assert opened.texts(np.array([0])) == {0: "hello"}


def test_batches_are_bounded_and_passes_see_one_snapshot(database: Database) -> None:
    name = table(database, [], "vector(4)", "integer", text="text")
    database.run(
        "INSERT INTO {} SELECT n, ARRAY[n, n + 1, 0, 1]::vector, 'text ' || n FROM generate_series(0, 39999) n", name
    )
    opened = database.open(name, text_column="text")
    first = next(opened.batches(0))
    assert len(first.vectors) == BATCH_ROWS
    del first
    opened = database.open(name, text_column="text")
    before = ids(opened)
    database.run("DELETE FROM {} WHERE document_id < 100", name)
    database.run("INSERT INTO {} VALUES (70000, '[1,1,1,1]', 'late')", name)
    assert before == list(range(40_000))
    assert ids(opened) == before
    assert opened.texts(np.array([39_999, 5, 7, 5])) == {5: "text 5", 7: "text 7", 39_999: "text 39999"}
    assert len(ids(database.open(name))) == 40_000 - 100 + 1


def test_same_clusters_as_from_a_file(pod: Pod, shop: Database) -> None:
    write(
        pod.volume / "data.parquet",
        DATA.vectors,
        [row["document_id"] for row in rows()],
        [f"text {n}" for n in range(90)],
    )
    name = table(shop, [{**row, "text": f"text {n}"} for n, row in enumerate(rows())], text="text")
    local = pod.run(pod.spec(KMEANS, {"uri": "data.parquet", "text_column": "text"}))
    remote = pod.run(pod.spec(KMEANS, shop.source(name, text_column="text")))
    assert remote.metrics == local.metrics
    assert remote.clusters == local.clusters
    assert remote.baseline
    assert local.baseline
    assert remote.baseline.sha256 == local.baseline.sha256
    assert shop.server.password not in json.dumps(pod.messages)


def test_together_with_a_file(pod: Pod, shop: Database) -> None:
    write(pod.volume / "data.parquet", DATA.vectors[:60], list(range(60)))
    spec = pod.spec(KMEANS, {"uri": "data.parquet"}, shop.source(table(shop, rows(DATA.vectors[60:]))))
    assert pod.run(spec).num_documents == 90
    members = pq.read_table(pod.folder(spec) / "members.parquet")
    assert members["document_id"].to_pylist() == [*(str(n) for n in range(60)), *(f"doc-{n:02}" for n in range(30))]
    assert members["collection_id"].to_pylist() == ["col_0"] * 60 + ["col_1"] * 30


BAD = [
    pytest.param(
        "vector(4)",
        "text",
        [{"document_id": "a", "embedding": None}],
        "URI: table documents, document_id a: column embedding is NULL: embed that document again or leave it out",
        id="null vector",
    ),
    pytest.param(
        "vector",
        "text",
        [*rows()[:5], {"document_id": "odd", "embedding": [1.0, 2.0]}],
        "URI: table documents, document_id odd: column embedding holds a vector of length 2 where "
        "4 is expected: "
        "embed all documents with one model",
        id="ragged",
    ),
    pytest.param(
        "real[]",
        "integer",
        [{"document_id": 3, "embedding": "{1,2}"}, {"document_id": 4, "embedding": "{1}"}],
        "URI: table documents, document_id 4: column embedding holds a vector of length 1 where 2 is expected: "
        "embed all documents with one model",
        id="ragged array",
    ),
    pytest.param(
        "real[]",
        "text",
        [{"document_id": "a", "embedding": "{1,2}"}, {"document_id": "b", "embedding": "{1,NaN}"}],
        "URI: table documents, document_id b: column embedding holds NaN: embed that document again or leave it out",
        id="NaN",
    ),
    pytest.param(
        "double precision[]",
        "text",
        [{"document_id": "a", "embedding": "{1,Infinity}"}],
        "URI: table documents, document_id a: column embedding holds an infinite number: "
        "embed that document again or leave it out",
        id="infinity",
    ),
    pytest.param(
        "real[]",
        "text",
        [{"document_id": "a", "embedding": "{1,2}"}, {"document_id": "b", "embedding": "{1,NULL}"}],
        "URI: table documents, document_id b: column embedding holds a NULL inside the vector: "
        "embed that document again or leave it out",
        id="null in a vector",
    ),
    pytest.param(
        "real[]",
        "text",
        [{"document_id": "a", "embedding": "{}"}],
        "URI: table documents, document_id a: column embedding holds an empty vector: "
        "embed that document again or leave it out",
        id="empty vector",
    ),
    pytest.param(
        "real[]",
        "text",
        [{"document_id": "a", "embedding": "{1,2}"}, {"document_id": "b", "embedding": "{}"}],
        "URI: table documents, document_id b: column embedding holds a vector of length 0 where 2 is expected: "
        "embed all documents with one model",
        id="empty vector later on",
    ),
    pytest.param(
        "real[]",
        "text",
        [{"document_id": "a", "embedding": "{1,2}"}, {"document_id": "b", "embedding": "{{1,2}}"}],
        "URI: table documents, document_id b: column embedding holds an array of arrays: store one vector per row",
        id="array of arrays",
    ),
    pytest.param(
        "vector(4)",
        "text",
        [{"document_id": None, "embedding": [1.0, 2.0, 3.0, 4.0]}],
        "URI: table documents: column document_id is NULL in some row: give every document an id",
        id="null id",
    ),
    pytest.param(
        "vector(4)",
        "text",
        [],
        "URI: table documents: collection col_0 has no documents: add documents, or remove the collection",
        id="empty collection",
    ),
    pytest.param(
        "text",
        "text",
        [{"document_id": "a", "embedding": "[1,2]"}],
        "URI: table documents: column embedding holds text, not vector, halfvec, real[] or "
        "double precision[]: "
        "set source.vector_column to the column with the embeddings",
        id="vectors of a wrong type",
    ),
    pytest.param(
        "vector(2)",
        "double precision",
        [{"document_id": 1.5, "embedding": [1.0, 2.0]}],
        "URI: table documents: column document_id holds double precision, not text, uuid or integers: "
        "cast the ids to one of these in a view, or set source.document_id_column to another column",
        id="ids of a wrong type",
    ),
]


@pytest.mark.parametrize(("vector", "identifier", "given", "line"), BAD)
def test_bad_data(database: Database, vector: str, identifier: str, given: Rows, line: str) -> None:
    name = table(database, given, vector, identifier)
    assert refused(database, name) == line


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        (
            {"vector_column": "vector"},
            "no column vector: it has document_id, embedding: set source.vector_column to one of them",
        ),
        (
            {"document_id_column": "id"},
            "no column id: it has document_id, embedding: set source.document_id_column to one of them",
        ),
        (
            {"text_column": "body"},
            "no column body: it has document_id, embedding: set source.text_column to one of them",
        ),
        (
            {"filters": {"field": "document_id", "operator": "eq", "value": "none"}},
            "collection col_0 has no documents that pass source.filters: change the filters",
        ),
    ],
)
def test_columns_that_are_not_there(database: Database, fields: dict[str, Any], line: str) -> None:
    assert refused(database, table(database, rows()[:3]), **fields) == f"URI: table documents: {line}"


def test_zeros_with_cosine(pod: Pod, shop: Database) -> None:
    source = shop.source(table(shop, rows(np.zeros((5, 4)))))
    with pytest.raises(MisconfiguredError, match="document_id doc-00: a vector of zeros has no direction"):
        pod.run(pod.spec(KMEANS, source))


def test_the_same_id_twice_is_two_documents(pod: Pod, shop: Database) -> None:
    twice = [{**row, "document_id": "same"} for row in rows()]
    assert pod.run(pod.spec(KMEANS, shop.source(table(shop, twice)))).num_documents == 90


def test_no_such_table(database: Database) -> None:
    assert refused(database, "nowhere.documents") == "URI: no such table nowhere.documents: check source.table"


def test_no_such_database(database: Database) -> None:
    line = refused(database, table(database, rows()[:3]), uri=f"{database.server.uri()}_not_there")
    assert line == "URI_not_there: no such database: check source.uri"


def test_a_table_that_may_not_be_read(database: Database) -> None:
    name = table(database, rows()[:3])
    database.run("DROP ROLE IF EXISTS {}", "reader")
    database.run("CREATE ROLE {} LOGIN PASSWORD 'p'", "reader")
    database.write_secret(username="reader", password="p")
    database.run("GRANT USAGE ON SCHEMA {} TO reader", database.schema)
    assert refused(database, name) == (
        "URI: the user of Secret database may not read it: grant that user USAGE on its schema and SELECT on documents"
    )
    database.run("REVOKE USAGE ON SCHEMA {} FROM reader", database.schema)
    database.run(f"GRANT SELECT ON {name} TO reader")
    assert "grant that user USAGE on its schema" in refused(database, name), "SELECT was granted, as it said"


def test_a_wrong_password_is_in_no_message(pod: Pod, shop: Database) -> None:
    shop.write_secret(password=PASSWORD)
    with pytest.raises(MisconfiguredError) as raised:
        pod.run(pod.spec(KMEANS, shop.source(table(shop, rows()[:3]))))
    assert str(raised.value) == (
        f"{shop.server.uri()}: PostgreSQL refused the user: check username and password in Secret database"
    )
    assert PASSWORD not in json.dumps(pod.messages) + repr(raised.value.__context__)


@pytest.mark.parametrize("password", [PASSWORD, "simple"])
def test_odd_passwords_work(database: Database, password: str) -> None:
    name = table(database, rows()[:3])
    role = f"{database.schema}_odd"
    database.run("CREATE ROLE {} SUPERUSER LOGIN", role)
    database.connection.execute("SELECT set_config('test.password', %s, false)", [password])
    database.run(
        "DO $$ BEGIN EXECUTE format('ALTER ROLE %I PASSWORD %L', '"
        + role
        + "', current_setting('test.password')); END $$"
    )
    database.write_secret(username=role, password=password)
    assert len(ids(database.open(name))) == 3
    database.run("DROP ROLE {}", role)


def test_a_port_that_does_not_exist(database: Database) -> None:
    line = refused(database, "documents", uri="postgresql://db:99999/shop")
    assert line == "postgresql://db:99999/shop: the maximum port is 65535: correct source.uri"


def test_credentials_are_in_no_representation(database: Database) -> None:
    opened = database.open(table(database, rows()[:3]))
    assert database.server.password not in repr(opened._database)


def test_a_secret_without_a_username(database: Database) -> None:
    (database.secrets / SECRET / "username").unlink()
    assert refused(database, "documents") == "Secret database has no key username: add it"


def test_nothing_listens(database: Database) -> None:
    with pytest.raises(UnavailableError, match=r"PostgreSQL did not answer as expected: .*refused") as raised:
        database.open("documents", uri="postgresql://127.0.0.1:1/postgres")
    assert database.server.password not in str(raised.value)


def test_a_server_that_goes_away_amid_a_pass(database: Database) -> None:
    name = table(database, [], "vector(4)", "integer")
    database.run("INSERT INTO {} SELECT n, ARRAY[n, 1, 0, 1]::vector FROM generate_series(1, 200000) n", name)
    batches = database.open(name).batches(0)
    next(batches)
    database.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'clusterworker'")
    with pytest.raises(UnavailableError, match="PostgreSQL did not answer as expected"):
        list(batches)


def test_tls(database: Database) -> None:
    """The certificate is checked against ca.crt as soon as the Secret has one."""
    certificate = database.server.certificate
    if certificate is None:
        pytest.skip("this server speaks no TLS")
    name = table(database, rows()[:3])
    insecure = "establishing a secure connection failed"
    assert insecure in refused(database, name, uri=f"{database.server.uri()}?sslmode=verify-full")
    database.write_secret(**{"ca.crt": certificate.read_text()})
    assert len(ids(database.open(name))) == 3
    assert len(ids(database.open(name, uri=f"{database.server.uri()}?sslmode=verify-ca"))) == 3
    key = certificate.read_text().splitlines()
    database.write_secret(**{"ca.crt": "\n".join([key[0], key[-1]])})
    assert insecure in refused(database, name)


def test_values_are_in_no_statement(database: Database) -> None:
    """A query never contains a filter's value: the value is bound to a setting."""
    name = table(database, rows())
    opened = database.open(
        name, filters={"field": "document_id", "operator": "in", "value": ["doc-01", "x'; DROP TABLE y"]}
    )
    statement = opened._from.as_string(None)
    assert "doc-01" not in statement
    assert "DROP" not in statement
    assert ids(opened) == ["doc-01"]


def test_a_table_that_is_being_changed_is_waited_for(database: Database) -> None:
    name = table(database, rows()[:3])
    blocker = database.server.connect()
    blocker.execute("BEGIN")
    blocker.execute(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
    threading.Timer(1.0, blocker.close).start()
    assert len(ids(database.open(name))) == 3


def test_not_a_copy(tmp_path: Path) -> None:
    from clusterworker.data.sources.postgresql.copied import rows_of

    with pytest.raises(ValueError, match="not the binary format of COPY"):
        list(rows_of([b"1\t2\n"]))


def counted(database: Database, name: str, **fields: Any) -> int:
    given = CollectionInput.model_validate({"collection_id": "col_0", "source": database.source(name, **fields)})
    return count_documents([given], database.secrets)


def test_counting_reads_no_vector(database: Database) -> None:
    """The table has no column of vectors, and none of IDs."""
    name = database.create("bare", {"n": "int", "kind": "text"}, [{"n": n, "kind": "abc"[n % 3]} for n in range(90)])
    assert counted(database, name) == 90
    assert counted(database, name, filters={"field": "kind", "operator": "in", "value": ["a", "b"]}) == 60
    assert counted(database, name, filters={"field": "n", "operator": "gt", "value": 1000}) == 0


def test_counting_what_cannot_be_counted(database: Database) -> None:
    name = database.create("bare", {"n": "int"}, [])
    assert counted(database, name) == 0
    with pytest.raises(MisconfiguredError, match=r"column kynd, which source\.filters\.field names|no column kynd"):
        counted(database, name, filters={"field": "kynd", "operator": "eq", "value": "a"})
    with pytest.raises(MisconfiguredError, match=r"no such table .*absent: check source\.table"):
        counted(database, f"{database.schema}.absent")
