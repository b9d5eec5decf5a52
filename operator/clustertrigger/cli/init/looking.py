"""Reads the columns of sources, their number of documents, and the length of the vectors.

Reads at most one vector. Parquet files and buckets require pyarrow, and tables require psycopg: the extra `init`.
Qdrant requires nothing more.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import httpx

from clustertrigger.cli.init.columns import Column, Kind, Look
from clustertrigger.cli.scope import CommandError
from clustertrigger.cli.terminal import printable
from clustertrigger.core.text import cut, one_line

_SECONDS = 15.0
_API_KEY = "QDRANT_API_KEY"
_VECTOR_TYPE = re.compile(r"(vector|halfvec)(\((\d+)\))?|(real|double precision)\[\]")
_MOST_FILES = 10_000
_LONGEST_REASON = 300


def look_at_parquet(uri: str, endpoint: str | None, region: str | None) -> Look:
    """Reads the columns of a Parquet file, a folder or a glob, on this machine or in a bucket.

    Args:
        uri: A path of this machine, s3://bucket/key or gs://bucket/key.
        endpoint: URL of an S3-compatible server.
        region: Region of the bucket.

    Raises:
        CommandError: it cannot be read, or pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise _missing("Parquet files and buckets", "pyarrow") from error
    try:
        system, files = _files(uri, endpoint, region)
        if not files:
            raise CommandError(
                f"{uri}: no Parquet files found: name a file, a folder or a glob such as 'data/*.parquet'"
            )
        documents = 0
        for file in files[:_MOST_FILES]:
            with system.open_input_file(file) as source:
                documents += pq.ParquetFile(source).metadata.num_rows
        with system.open_input_file(files[0]) as source:
            parquet = pq.ParquetFile(source)
            columns = [Column(field.name, str(field.type), _arrow_kind(field.type)) for field in parquet.schema_arrow]
            dimensions = _arrow_dimensions(parquet)
    except (OSError, pa.ArrowInvalid, ValueError) as error:
        raise CommandError(f"{uri}: cannot be read: {cut(one_line(error), _LONGEST_REASON)}: check the path") from error
    return Look(columns, documents, dimensions)


def look_at_table(uri: str, table: str) -> Look:
    """Reads the columns of a table or a view of PostgreSQL.

    Args:
        uri: postgresql://user:password@host:port/database.
        table: Name of the table, with its schema if necessary.

    Raises:
        CommandError: it cannot be read, or psycopg is not installed.
    """
    try:
        import psycopg
    except ImportError as error:
        raise _missing("tables", "psycopg") from error
    columns_of = (
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a "
        "WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    )
    try:
        with psycopg.connect(uri, connect_timeout=round(_SECONDS)) as connection:
            rows = connection.execute(columns_of, [table]).fetchall()
            estimate = connection.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [table]).fetchone()
    except psycopg.Error as error:
        reason = cut(one_line(error), _LONGEST_REASON)
        raise CommandError(f"table {table!r} cannot be read: {reason}: check the address and --table") from error
    columns = [Column(str(name), str(kind), _sql_kind(str(kind))) for name, kind in rows]
    sizes = [match[3] for column in columns if (match := _VECTOR_TYPE.fullmatch(column.type))]
    documents = round(estimate[0]) if estimate and estimate[0] > 0 else None
    return Look(columns, documents, int(sizes[0]) if sizes and sizes[0] else None)


def look_at_qdrant(uri: str, collection: str) -> Look:
    """Reads the columns of a collection of Qdrant.

    The API key is read from QDRANT_API_KEY. The columns are named vectors and the keys of one point's payload.

    Raises:
        CommandError: it cannot be read.
    """
    key = os.environ.get(_API_KEY)
    path = f"{uri.rstrip('/')}/collections/{httpx.URL('/').copy_with(path='/' + collection).raw_path.decode()[1:]}"
    try:
        with httpx.Client(timeout=_SECONDS, headers={"api-key": key} if key else {}) as client:
            found = _answer(client.get(path), collection)
            scrolled = _answer(
                client.post(f"{path}/points/scroll", json={"limit": 1, "with_payload": True}), collection
            )
        vectors = found["config"]["params"]["vectors"]
        points = scrolled["points"]
        documents = found.get("points_count")
    except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
        raise CommandError(f"{uri}: cannot be read as Qdrant: {one_line(error)}: check the address") from error
    payload = (points[0].get("payload") or {}) if points else {}
    texts: list[Column] = [
        Column(str(name), type(value).__name__, "text" if isinstance(value, str) else "other")
        for name, value in payload.items()
    ]
    if "size" in vectors:
        return Look(texts, documents, vectors["size"])
    named = [Column(str(name), f"vector({of['size']})", "vector") for name, of in vectors.items()]
    return Look([*named, *texts], documents, vectors[named[0].name]["size"] if named else None)


def _answer(response: httpx.Response, collection: str) -> Any:
    if response.status_code in (401, 403):
        raise CommandError(f"Qdrant denies access ({response.status_code}): set {_API_KEY}")
    if response.status_code == 404:
        raise CommandError(f"--collection: {collection!r}: Qdrant has no such collection: correct the name")
    response.raise_for_status()
    return response.json()["result"]


def _files(uri: str, endpoint: str | None, region: str | None) -> tuple[Any, list[str]]:
    """Returns the file system, and the Parquet files at a path, a folder or a glob on it."""
    from fnmatch import fnmatchcase

    from pyarrow import fs

    if uri.startswith("s3://"):
        options: dict[str, Any] = {"connect_timeout": _SECONDS, "request_timeout": _SECONDS}
        if endpoint:
            scheme, _, address = endpoint.partition("://")
            options |= {"endpoint_override": address.rstrip("/"), "scheme": scheme, "region": region or "us-east-1"}
        elif region:
            options["region"] = region
        else:
            options["region"] = fs.resolve_s3_region(uri.removeprefix("s3://").partition("/")[0])
        system, path = fs.S3FileSystem(**options), uri.removeprefix("s3://")
    elif uri.startswith("gs://"):
        system, path = fs.GcsFileSystem(), uri.removeprefix("gs://")
    else:
        system, path = fs.LocalFileSystem(), str(Path(uri).absolute())
    head, star, _ = path.partition("*")
    folder = head.rpartition("/")[0] if star else path.rstrip("/")
    info = system.get_file_info(folder)
    if info.type == fs.FileType.File:
        return system, [folder]
    if info.type == fs.FileType.NotFound:
        raise CommandError(f"{uri}: no such file or folder: check the path")
    found = [item.path for item in system.get_file_info(fs.FileSelector(folder, recursive=True)) if item.is_file]
    wanted = [file for file in found if (fnmatchcase(file, path) if star else file.endswith(".parquet"))]
    return system, sorted(wanted)


def _arrow_kind(kind: Any) -> Kind:
    import pyarrow as pa

    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return "vector" if pa.types.is_floating(kind.value_type) else "other"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    return "number" if pa.types.is_integer(kind) else "other"


def _arrow_dimensions(parquet: Any) -> int | None:
    """Returns the length of the vectors, from their type or from the first vector."""
    import pyarrow as pa

    for field in parquet.schema_arrow:
        if _arrow_kind(field.type) == "vector":
            if pa.types.is_fixed_size_list(field.type):
                return int(field.type.list_size)
            for batch in parquet.iter_batches(batch_size=1, columns=[field.name]):
                first = batch.column(0)[0].as_py()
                return len(first) if first else None
    return None


def _sql_kind(kind: str) -> Kind:
    if _VECTOR_TYPE.fullmatch(kind):
        return "vector"
    if kind.startswith(("text", "character", "uuid", "citext")):
        return "text"
    return "number" if kind in ("integer", "bigint", "smallint") else "other"


def _missing(what: str, library: str) -> CommandError:
    return CommandError(
        f"{what} cannot be read without {printable(library)}: pip install 'clustertrigger[init]', or with pipx: "
        "pipx inject clustertrigger pyarrow 'psycopg[binary]'; or set --id-column and --vector-column, so that the "
        "source is not read"
    )
