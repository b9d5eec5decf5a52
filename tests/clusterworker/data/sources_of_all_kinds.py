"""The same documents in every kind of source: a file, a real database, Qdrant's local mode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb
from qdrant_client import QdrantClient, models

from clustercontract.source import Source
from clusterworker.data.sources.collection import Collection
from clusterworker.data.sources.parquet.collection import ParquetCollection
from clusterworker.data.sources.parquet.store import VolumeStore
from clusterworker.data.sources.postgresql.collection import PostgresCollection
from clusterworker.data.sources.qdrant.collection import QdrantCollection
from clusterworker.data.sources.qdrant.connection import Server
from clusterworker.process.secret import SecretFiles
from harness.servers.postgresql import USER, PostgreSQL, running_postgresql

SECRET = "database"
Rows = Sequence[Mapping[str, Any]]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """One server for all tests of this process."""
    with running_postgresql() as server:
        yield server


class Database:
    """A schema for one test.

    Args:
        server: The server of the schema.
        secrets: Directory for a Secret with the server's credentials.
    """

    def __init__(self, server: PostgreSQL, secrets: Path) -> None:
        self.server = server
        self.schema = f"test_{uuid4().hex[:12]}"
        self.secrets = secrets
        self.connection = server.connect()
        self.run("CREATE SCHEMA {}", self.schema)
        self.write_secret(username=USER, password=server.password)

    def run(self, statement: str, *names: str, values: Sequence[Any] | None = None) -> None:
        identifiers = (sql.Identifier(*name.split(".")) for name in names)
        self.connection.execute(sql.SQL(statement).format(*identifiers), values)

    def write_secret(self, **values: str) -> None:
        directory = self.secrets / SECRET
        directory.mkdir(parents=True, exist_ok=True)
        for key, value in values.items():
            (directory / key).write_text(value)

    def create(self, table: str, columns: Mapping[str, str], rows: Rows) -> str:
        """Creates a table with these columns, by name and type, and returns its name."""
        name = f"{self.schema}.{table}"
        names = [sql.Identifier(column) for column in columns]
        typed = sql.SQL(", ").join(
            sql.SQL("{} {}").format(column, sql.SQL(kind)) for column, kind in zip(names, columns.values(), strict=True)
        )
        target = sql.Identifier(self.schema, table)
        self.connection.execute(sql.SQL("CREATE TABLE {} ({})").format(target, typed))
        if rows:
            places = sql.SQL(", ").join(sql.Placeholder() * len(names))
            escaped = sql.SQL(", ").join(sql.Identifier(column.replace("%", "%%")) for column in columns)
            insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier(self.schema, table.replace("%", "%%")), escaped, places
            )
            with self.connection.cursor() as cursor:
                cursor.executemany(insert, [[_literal(row.get(column)) for column in columns] for row in rows])
        return name

    def source(self, table: str, **fields: Any) -> dict[str, Any]:
        return {
            "type": "postgresql",
            "uri": self.server.uri(),
            "table": table,
            "secret_name": SECRET,
            **fields,
        }

    def open(self, table: str, **fields: Any) -> PostgresCollection:
        source = Source.model_validate(self.source(table, **fields))
        return PostgresCollection("col_0", source, SecretFiles(source.secret_name, self.secrets))

    def close(self) -> None:
        # A collection holds its snapshot, and with it a lock, for as long as its process lives.
        self.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'clusterworker'")
        self.run("DROP SCHEMA {} CASCADE", self.schema)
        self.connection.close()


@pytest.fixture
def database(postgresql: PostgreSQL, tmp_path: Path) -> Iterator[Database]:
    database = Database(postgresql, tmp_path / "secrets")
    yield database
    database.close()


def in_parquet(directory: Path, columns: Mapping[str, Any], rows: Rows, **fields: Any) -> Collection:
    """Writes one file, in row groups of two rows, and opens it."""
    table = pa.table({name: pa.array([row.get(name) for row in rows], kind) for name, kind in columns.items()})
    pq.write_table(table, directory / "data.parquet", row_group_size=2)
    return ParquetCollection("col_0", Source(uri="data.parquet", **fields), VolumeStore(directory, "data.parquet"))


def qdrant_with(rows: Rows, vectors: Any = None) -> QdrantClient:
    """Qdrant's local mode, with a collection `documents` of these rows; _id and embedding are not in the payload."""
    client = QdrantClient(":memory:")
    length = len(rows[0]["embedding"]) if rows else 2
    configuration = vectors or models.VectorParams(size=length, distance=models.Distance.EUCLID)
    client.create_collection("documents", vectors_config=configuration)
    points = [
        models.PointStruct(
            id=row.get("_id", number),
            vector=row["embedding"],
            payload={name: value for name, value in row.items() if name not in ("_id", "embedding")},
        )
        for number, row in enumerate(rows)
    ]
    if points:
        client.upsert("documents", points)
    return client


def in_qdrant(client: QdrantClient, **fields: Any) -> QdrantCollection:
    source = Source.model_validate({"type": "qdrant", "uri": "http://qdrant:6333", "collection": "documents", **fields})
    return QdrantCollection("col_0", source, Server(source, SecretFiles(None, Path("/nowhere"))), client)


def ids(opened: Collection) -> list[Any]:
    return [value for batch in opened.batches(0) for value in batch.ids.to_pylist()]


def _literal(value: Any) -> Any:
    if isinstance(value, dict):
        return Jsonb(value)
    return str(value) if isinstance(value, list) and value and isinstance(value[0], float) else value
