"""Declares `init`: reads a source, and writes a file that kubectl can apply."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import click
import yaml

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


@dataclass(frozen=True)
class Asked:
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
            raise click.UsageError(
                f"SOURCE: {self.source!r}: unknown scheme {scheme!r}: name a file, s3://…, gs://…, postgresql://… or "
                "the http(s)://… of Qdrant"
            )
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
        click.echo(draft_of(Asked(**options), scope.namespace), nl=False)
        return 0


def draft_of(asked: Asked, namespace: str | None) -> str:
    """Returns the YAML for a source.

    Raises:
        CommandError: it cannot be looked at, or what would be written is invalid.
        click.UsageError: an option is missing.
    """
    kind = asked.type
    _check_options(asked, kind)
    look, choice = _look(asked, kind)
    on_volume = kind == "parquet" and not asked.source.startswith(_BUCKETS)
    draft = Draft(
        name=asked.name or _name_of(asked, kind),
        namespace=namespace,
        type=kind,
        uri=_uri(asked, kind),
        choice=choice,
        look=look,
        volume=(asked.volume or "documents") if on_volume else None,
        table=asked.table if kind == "postgresql" else None,
        collection=asked.collection if kind == "qdrant" else None,
        secret=asked.secret or (f"{asked.name or _name_of(asked, kind)}-db" if kind == "postgresql" else None),
        endpoint=asked.endpoint,
        region=asked.region,
        cron=asked.cron,
        timezone=asked.timezone,
    )
    if on_volume and not asked.volume:
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


def _check_options(asked: Asked, kind: str) -> None:
    if kind == "postgresql" and not asked.table:
        raise click.UsageError("--table is missing: name the table or view, such as public.articles")
    if kind == "qdrant" and not asked.collection:
        raise click.UsageError("--collection is missing: name the collection of Qdrant")


def _look(asked: Asked, kind: str) -> tuple[Look | None, Choice]:
    if kind == "qdrant":
        look = look_at_qdrant(asked.source, str(asked.collection))
        named = [column.name for column in look.columns if column.kind == "vector"]
        texts = Look([column for column in look.columns if column.kind == "text"])
        return look, Choice(asked.id_column, asked.vector_column or next(iter(named), None), _text_of(texts, asked))
    if asked.id_column and asked.vector_column:
        return None, Choice(asked.id_column, asked.vector_column, asked.text_column)
    if kind == "postgresql":
        look = look_at_table(asked.source, str(asked.table))
    else:
        look = look_at_parquet(asked.source, asked.endpoint, asked.region)
    return look, choose(look, asked.id_column, asked.vector_column, asked.text_column)


def _text_of(texts: Look, asked: Asked) -> str | None:
    """Returns the key of the payload that describes a point. Other columns belong to the point itself."""
    from clustertrigger.cli.init.columns import Column

    if asked.text_column or not texts.columns:
        return asked.text_column
    point = [Column("point", "id", "number"), Column("vector", "vector", "vector")]
    return choose(Look([*point, *texts.columns]), document_id="point", vector="vector").text


def _uri(asked: Asked, kind: str) -> str:
    if kind == "postgresql":
        parts = urlsplit(asked.uri or asked.source)
        host = f"{parts.hostname or 'localhost'}:{parts.port or 5432}"
        return urlunsplit(("postgresql", host, parts.path, parts.query, ""))
    if kind == "qdrant" or asked.source.startswith(_BUCKETS):
        return asked.uri or asked.source.rstrip("/")
    return asked.path or PurePosixPath(Path(asked.source).as_posix()).name


def _name_of(asked: Asked, kind: str) -> str:
    """Returns a name that Kubernetes accepts, derived from the table, the collection or the file."""
    if kind == "postgresql":
        told = str(asked.table).rpartition(".")[2]
    elif kind == "qdrant":
        told = str(asked.collection)
    else:
        parts = [part for part in asked.source.removesuffix("/").split("/") if "*" not in part]
        told = (parts[-1] if parts else "vectors").removesuffix(".parquet")
    name = re.sub(r"[^a-z0-9]+", "-", told.lower()).strip("-")[:_LONGEST_NAME].strip("-")
    return name or "vectors"
