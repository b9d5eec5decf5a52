"""Declares `init`: reads a source, and writes a file that kubectl can apply."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import click
import yaml

from clustercontract.data_files import fixed_part
from clustercontract.globs import has_wildcard
from clustertrigger.cli.command import PROG, add_command, global_options
from clustertrigger.cli.init.columns import Choice, Look, choose
from clustertrigger.cli.init.draft import Draft, write
from clustertrigger.cli.init.looking import look_at_parquet, look_at_qdrant, look_at_table
from clustertrigger.cli.manifests import Manifest
from clustertrigger.cli.scope import CommandError, Scope
from clustertrigger.cli.terminal import warn
from clustertrigger.cli.validate import problems_in

_LONGEST_NAME = 50
_BUCKETS = ("s3://", "gs://")
_OTHER_SCHEMES = {
    "file": "write the path without file://",
    **dict.fromkeys(("s3a", "s3n"), "write s3://…"),
    **dict.fromkeys(("postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg"), "write postgresql://…"),
}
"""What to write instead of the schemes of other programs."""


@dataclass(frozen=True)
class InitOptions:
    """The options of the command."""

    source: str
    name: str | None = None
    volume: str | None = None
    path: str | None = None
    table: str | None = None
    collection: str | None = None
    uri: str | None = None
    id_column: str | None = None
    vector_column: str | None = None
    text_column: str | None = None
    secret: str | None = None
    endpoint: str | None = None
    region: str | None = None
    cron: str = "0 2 * * *"
    timezone: str = "UTC"

    @property
    def type(self) -> str:
        """Returns the type of the source."""
        scheme = self.source.partition("://")[0] if "://" in self.source else ""
        known = {"": "parquet", "s3": "parquet", "gs": "parquet", "http": "qdrant", "https": "qdrant"}
        known |= {"postgresql": "postgresql", "postgres": "postgresql"}
        if scheme not in known:
            usual = "name a file, s3://…, gs://…, postgresql://… or the http(s)://… of Qdrant"
            raise click.UsageError(f"SOURCE: unknown scheme {scheme!r}: {_OTHER_SCHEMES.get(scheme, usual)}")
        return known[scheme]


def add_init(group: click.Group) -> None:
    """Declares the command."""

    @add_command(
        group,
        "init",
        section="Write and check",
        examples=[
            f"{PROG} init products.parquet --volume documents > products.yaml",
            f"{PROG} init 's3://vectors/products/*.parquet' --secret s3-reader > products.yaml",
            f"{PROG} init postgresql://me@localhost/shop --table public.articles > articles.yaml",
            f"{PROG} init http://localhost:6333 --collection manuals > manuals.yaml",
        ],
    )
    @global_options
    @click.argument("source", metavar="SOURCE")
    @click.option(
        "--name", metavar="NAME", help="Name of the Collection and the trigger. Default: derived from SOURCE."
    )
    @click.option("--volume", metavar="CLAIM", help="PersistentVolumeClaim that holds the file in the cluster.")
    @click.option("--path", metavar="PATH", help="Path of the file on that volume. Default: the file's name.")
    @click.option("--table", metavar="TABLE", help="Table or view of PostgreSQL, such as public.articles.")
    @click.option("--collection", metavar="NAME", help="Collection of Qdrant.")
    @click.option("--uri", metavar="URI", help="Address for the Pods, if it differs from SOURCE.")
    @click.option("--id-column", metavar="NAME", help="Column that identifies a document. Default: guessed.")
    @click.option("--vector-column", metavar="NAME", help="Column with the vectors. Default: guessed.")
    @click.option("--text-column", metavar="NAME", help="Column that the report shows. Default: guessed.")
    @click.option("--secret", metavar="NAME", help="Secret with the credentials that the Pods use.")
    @click.option("--endpoint", metavar="URL", help="Address of an S3-compatible server.")
    @click.option("--region", metavar="REGION", help="Region of the bucket.")
    @click.option("--cron", metavar="EXPRESSION", default="0 2 * * *", help="When to run. Default: 0 2 * * *.")
    @click.option("--timezone", metavar="ZONE", default="UTC", help="Time zone of the schedule. Default: UTC.")
    @click.pass_obj
    def command(scope: Scope, /, **options: Any) -> int:
        """Write a Collection and a trigger for your vectors.

        SOURCE is a Parquet file, a folder or a glob on this machine, s3://BUCKET/KEY, gs://BUCKET/KEY, a postgresql://
        address, or the http address of Qdrant. The command reads the names and types of its columns with your own
        credentials, guesses which ones to use, and prints commented YAML for kubectl apply. It changes nothing, and it
        writes no password into the file.

        To read Parquet files, buckets and tables, install 'clustertrigger[init]'. With --id-column and
        --vector-column, the command does not read the source.
        """
        click.echo(draft_of(InitOptions(**options), scope.namespace), nl=False)
        return 0


def draft_of(options: InitOptions, namespace: str | None) -> str:
    """Returns the YAML for a source.

    Raises:
        CommandError: it cannot be looked at, or what would be written is invalid.
        click.UsageError: an option is missing.
    """
    kind = options.type
    _check_options(options, kind)
    look, choice = _look(options, kind)
    on_volume = kind == "parquet" and not options.source.startswith(_BUCKETS)
    draft = Draft(
        name=options.name or _name_of(options, kind),
        namespace=namespace,
        type=kind,
        uri=_uri(options, kind),
        choice=choice,
        look=look,
        volume=(options.volume or "documents") if on_volume else None,
        table=options.table if kind == "postgresql" else None,
        collection=options.collection if kind == "qdrant" else None,
        secret=options.secret or (f"{options.name or _name_of(options, kind)}-db" if kind == "postgresql" else None),
        endpoint=options.endpoint,
        region=options.region,
        cron=options.cron,
        timezone=options.timezone,
    )
    if on_volume and not options.volume:
        warn("--volume was not given: the file names the claim 'documents': correct it if yours has another name")
    text = write(draft)
    problems = [
        f"{content['kind']}: {problem}"
        for content in yaml.safe_load_all(text)
        for problem in problems_in(Manifest("init", 1, content))
    ]
    if problems:
        raise CommandError("\n".join(problems))
    return text


def _check_options(options: InitOptions, kind: str) -> None:
    if kind == "postgresql" and not options.table:
        raise click.UsageError("--table is missing: name the table or view, such as public.articles")
    if options.source.rstrip("/") in ("s3:", "gs:"):
        raise click.UsageError(f"SOURCE: {options.source!r} names no bucket: write s3://BUCKET/KEY or gs://BUCKET/KEY")
    if kind == "qdrant" and options.source.lower().endswith((".parquet", ".pq")):
        raise click.UsageError(
            f"SOURCE: {options.source!r}: files are not read over HTTP: name a path, s3://… or gs://…"
        )
    if kind == "qdrant" and not options.collection:
        raise click.UsageError("--collection is missing: name the collection of Qdrant")


def _look(options: InitOptions, kind: str) -> tuple[Look | None, Choice]:
    if kind == "qdrant":
        look = look_at_qdrant(options.source, str(options.collection))
        named = [column.name for column in look.columns if column.kind == "vector"]
        texts = Look([column for column in look.columns if column.kind == "text"])
        return look, Choice(
            options.id_column, options.vector_column or next(iter(named), None), _text_of(texts, options)
        )
    if options.id_column and options.vector_column:
        return None, Choice(options.id_column, options.vector_column, options.text_column)
    if kind == "postgresql":
        look = look_at_table(options.source, str(options.table))
    else:
        look = look_at_parquet(options.source, options.endpoint, options.region)
    return look, choose(look, options.id_column, options.vector_column, options.text_column)


def _text_of(texts: Look, options: InitOptions) -> str | None:
    """Returns the key of the payload that describes a point. Other columns belong to the point itself."""
    from clustertrigger.cli.init.columns import Column

    if options.text_column or not texts.columns:
        return options.text_column
    point = [Column("point", "id", "number"), Column("vector", "vector", "vector")]
    return choose(Look([*point, *texts.columns]), document_id="point", vector="vector").text


def _uri(options: InitOptions, kind: str) -> str:
    if kind == "postgresql":
        try:
            parts = urlsplit(options.uri or options.source)
            host, port = parts.hostname or "localhost", parts.port or 5432
        except ValueError:  # The value and the error can contain a part of a password.
            field = "--uri" if options.uri else "SOURCE"
            raise click.UsageError(
                f"{field}: not an address: write postgresql://USER@HOST:PORT/DATABASE, and escape special characters "
                "of a password, such as %23 for #"
            ) from None
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return urlunsplit(("postgresql", address, parts.path, parts.query, ""))
    if kind == "qdrant" or options.source.startswith(_BUCKETS):
        return options.uri or (options.source if has_wildcard(options.source) else options.source.rstrip("/"))
    if options.path:
        return options.path
    source = Path(options.source).as_posix()
    if not Path(options.source).exists() and (folder := fixed_part(source)) != source:
        slash = "/" if options.source.endswith("/") else ""  # Such a glob matches directories only.
        return source.removeprefix(folder).lstrip("/") + slash
    return PurePosixPath(source).name


def _name_of(options: InitOptions, kind: str) -> str:
    """Returns a name that Kubernetes accepts, derived from the table, the collection or the file."""
    if kind == "postgresql":
        base = str(options.table).rpartition(".")[2]
    elif kind == "qdrant":
        base = str(options.collection)
    else:
        parts = [part for part in options.source.removesuffix("/").split("/") if not has_wildcard(part)]
        base = (parts[-1] if parts else "vectors").removesuffix(".parquet")
    name = re.sub(r"[^a-z0-9]+", "-", base.lower()).strip("-")[:_LONGEST_NAME].strip("-")
    return name or "vectors"
