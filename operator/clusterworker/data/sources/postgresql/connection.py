"""Connects with one snapshot, and converts errors to one line without credentials."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import psycopg

from clustercontract.source import Source
from clusterworker.data.sources.address import address_of
from clusterworker.process.errors import MisconfiguredError, RunError, UnavailableError
from clusterworker.process.secret import SecretFiles

Connection = psycopg.Connection[tuple[Any, ...]]
USERNAME, PASSWORD, CERTIFICATES = "username", "password", "ca.crt"
CONNECT_SECONDS = 10
LOOKUP_MILLISECONDS = 600_000
"""Maximum duration of a statement except the COPY, which lasts as long as the clustering. Usually, it counts a large
table.
"""
LOCK_MILLISECONDS = 60_000
_SILENCE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
"""Timeout of a server that no longer responds, in seconds and in milliseconds."""
_SESSION = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "SET LOCAL TimeZone = 'UTC'",
    f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    # Rows have the same order in every pass.
    "SET LOCAL synchronize_seqscans = off",
    "SET LOCAL max_parallel_workers_per_gather = 0",
)
_REMEDIES = {
    "28": "PostgreSQL refused the user: check username and password in Secret {secret}",
    "3D": "no such database: check source.uri",
    "42501": "the user of Secret {secret} may not read it: grant that user USAGE on its schema and SELECT on {table}",
    "42P01": "no such table {table}: check source.table",
}


@dataclass(frozen=True)
class Database:
    """Access to the database of a source.

    Attributes:
        source: Source of type postgresql.
        secret: Its Secret.
    """

    source: Source
    secret: SecretFiles

    def connect(self, session: Sequence[str] = (), *, autocommit: bool = False) -> Connection:
        """Connects. By default, begins the only read-only transaction, in which everything is read.

        Args:
            session: Statements to begin with instead.
            autocommit: Whether each statement is a separate transaction.

        Raises:
            MisconfiguredError: the Secret lacks a key, or the server refuses the user or the database.
            UnavailableError: it does not answer.
        """
        address = address_of(self.source.uri)
        options: dict[str, Any] = {
            "host": address.host,
            "port": address.port or 5432,
            "dbname": address.path,
            "user": self.secret.value(USERNAME, private=False),
            "password": self.secret.value(PASSWORD, required=False),
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "clusterworker",
            **_SILENCE,
        }
        certificates = self.secret.file(CERTIFICATES, required=False)
        mode = address.query.removeprefix("sslmode=")
        options["sslmode"] = mode or ("verify-full" if certificates else "prefer")
        if certificates:
            options["sslrootcert"] = str(certificates)
        with self.errors():
            connection = psycopg.connect(**options, autocommit=autocommit)
            for statement in session or _SESSION:
                connection.execute(statement)
            if not session:
                self.limit(connection, LOOKUP_MILLISECONDS)
        return connection

    def limit(self, connection: Connection, milliseconds: int) -> None:
        """Sets the maximum duration of a statement; 0 for no limit."""
        connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)])

    @contextmanager
    def errors(self, remedies: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
        """Converts errors of psycopg to one line with a remedy.

        The cause is dropped, because it can contain credentials.

        Args:
            remedies: Remedies by the prefix of an SQLSTATE, which replace those of reading.
        """
        try:
            yield
        except psycopg.Error as error:
            raise self._explained(error, remedies) from None

    @property
    def shown(self) -> str:
        """The table, for messages."""
        return f"{self.source.uri}: table {self.source.table}"

    def _explained(self, error: psycopg.Error, remedies: Mapping[str, str]) -> RunError:
        state = error.sqlstate or ""
        reason = self.secret.without(str(error))
        for begin, remedy in {**_REMEDIES, **remedies}.items():
            if state.startswith(begin) or (not state and begin == "28" and "authentication failed" in reason):
                message = remedy.format(secret=self.source.secret_name, table=self.source.table, reason=reason[:300])
                return MisconfiguredError(f"{self.source.uri}: {message}")
        if not state and 'database "' in reason and "does not exist" in reason:
            return MisconfiguredError(f"{self.source.uri}: {_REMEDIES['3D']}")
        if not state and ("certificate" in reason or "does not support SSL" in reason):
            return MisconfiguredError(
                f"{self.source.uri}: establishing a secure connection failed: {reason[-200:]}: correct sslmode in "
                "source.uri, or ca.crt in "
                f"Secret {self.source.secret_name}"
            )
        return UnavailableError(f"{self.shown}: PostgreSQL did not answer as expected: {reason[:300]}")
