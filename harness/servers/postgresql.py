"""Runs a PostgreSQL server with pgvector: Debian's own, or a container if there is Docker and no Debian 12."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from harness.cluster.choose import docker_answers
from harness.cluster.commands import run
from harness.cluster.debian.ports import free_ports
from harness.cluster.errors import ClusterError
from harness.servers.postgresql_program import IMAGE, Program, program

USER = "postgres"
_NOBODY = 65534
_OTHER_USER = [f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
_READY_SECONDS = 60.0
_STOP_SECONDS = 30.0


@dataclass(frozen=True)
class PostgreSQL:
    """A running server, whose database `postgres` has the extension.

    Attributes:
        certificate: Its certificate for TLS; None if it does not use TLS.
    """

    host: str
    port: int
    password: str
    certificate: Path | None = None

    def uri(self, database: str = "postgres") -> str:
        """Returns the address for a Collection."""
        return f"postgresql://{self.host}:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """Connects as the superuser; every statement is a separate transaction."""
        return psycopg.connect(
            host=self.host, port=self.port, user=USER, password=self.password, dbname=database, autocommit=True,
            connect_timeout=10,
        )  # fmt: skip


@contextmanager
def running_postgresql(host: str = "127.0.0.1") -> Iterator[PostgreSQL]:
    """Runs a server with an empty database while the context lasts.

    Args:
        host: Address of this machine to listen at. Pods cannot reach 127.0.0.1 of this machine.

    Raises:
        ClusterError: it is not available or did not start; the message says why.
    """
    try:
        found = program()
    except ClusterError:
        if not docker_answers():
            raise
        with _container(host) as server:
            yield server
        return
    with _process(found, host) as server:
        yield server


@contextmanager
def _process(found: Program, host: str) -> Iterator[PostgreSQL]:
    directory = Path(tempfile.mkdtemp(prefix="clustertrigger-postgresql-"))
    try:
        copy = found.copied(directory / "program") if os.geteuid() == 0 else found
        data, password = directory / "data", secrets.token_hex(12)
        (directory / "password").write_text(password)
        certificate = _certificate(directory, host)
        if os.geteuid() == 0:  # the server refuses to run as root
            for path in (directory, directory / "password", directory / "server.key"):
                os.chown(path, _NOBODY, _NOBODY)
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
        _run(copy, ["initdb", f"--pgdata={data}", f"--username={USER}", f"--pwfile={directory}/password", *options])
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all all scram-sha-256\n")
        [port] = free_ports(1, host)
        settings = {
            "listen_addresses": host,
            "port": port,
            "unix_socket_directories": directory,
            "fsync": "off",
            "ssl": "on",
            "ssl_cert_file": directory / "server.crt",
            "ssl_key_file": directory / "server.key",
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        server = PostgreSQL(host, port, password, certificate)
        log = directory / "log"
        with log.open("wb") as output:
            # It ends with the process that started it, in any case.
            command: list[str | Path] = [
                "setpriv",
                "--pdeathsig=INT",
                *_OTHER_USER,
                "--",
                copy["postgres"],
                "-D",
                data,
                *words,
            ]
            environment = {**_as_nobody(copy), "user": None, "group": None, "extra_groups": None}
            process = subprocess.Popen(command, stdout=output, stderr=output, **environment)
        try:
            _wait(server, lambda: process.poll() is None, log.read_text)
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # This is a fast shutdown, which disconnects all clients.
            process.wait(_STOP_SECONDS)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _container(host: str) -> Iterator[PostgreSQL]:
    password = secrets.token_hex(12)
    environment = {"POSTGRES_PASSWORD": password}  # named on the command line, so that its value is not
    command = ["docker", "run", "--detach", "--rm", "--env=POSTGRES_PASSWORD", f"--publish={host}::5432", IMAGE]
    name = run(command, env=environment, timeout=600).strip()
    try:
        address = run(["docker", "port", name, "5432/tcp"]).splitlines()[0]
        server = PostgreSQL(host, int(address.rpartition(":")[2]), password)
        _wait(server, lambda: True, lambda: run(["docker", "logs", "--tail=20", name]))
        yield server
    finally:
        run(["docker", "rm", "--force", "--volumes", name])


def _wait(server: PostgreSQL, runs: Any, log: Any) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            with server.connect() as connection:
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            return
        except psycopg.OperationalError as error:
            if not runs() or time.monotonic() > deadline:
                raise ClusterError(f"PostgreSQL did not start: {error}; its log ends with: {log()[-1000:]}") from None
            time.sleep(0.1)


def _certificate(directory: Path, host: str) -> Path:
    subject = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=IP:{host}"]
    key, certificate = directory / "server.key", directory / "server.crt"
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject,
         "-keyout", key, "-out", certificate])  # fmt: skip
    key.chmod(0o600)
    return certificate


def _run(found: Program, words: list[str]) -> None:
    done = subprocess.run(
        [found[words[0]], *words[1:]], capture_output=True, text=True, check=False, **_as_nobody(found)
    )
    if done.returncode:
        raise ClusterError(f"{words[0]} failed: {done.stderr.strip()[-1000:]}")


def _as_nobody(found: Program) -> dict[str, Any]:
    """Returns options of subprocess: the libraries' directory, and another user than root."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C",
        "TZ": "UTC",
        "LD_LIBRARY_PATH": ":".join(map(str, found.libraries)),
    }
    options: dict[str, Any] = {"env": environment, "cwd": "/", "stdin": subprocess.DEVNULL}
    if os.geteuid() == 0:
        options |= {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
    return options
