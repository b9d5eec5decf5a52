"""Reads the columns of sources, their number of documents, and the length of the vectors.

Reads at most one vector. Parquet files and buckets require pyarrow, and tables require psycopg: the extra `init`.
Qdrant requires nothing more.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import httpx

from clustercontract.data_files import MAGIC, GlobError, files_at, fixed_part, hint
from clustercontract.directories import files_below, without_aliases
from clustercontract.globs import has_wildcard
from clustercontract.partitions import partitions_of
from clustertrigger.cli.init.columns import OF_DIRECTORIES, Column, Kind, Look
from clustertrigger.cli.scope import CommandError
from clustertrigger.cli.terminal import printable
from clustertrigger.core.text import cut, one_line

_SECONDS = 15.0
_API_KEY = "QDRANT_API_KEY"
_VECTOR_TYPE = re.compile(r"(vector|halfvec)(\((\d+)\))?|(real|double precision)\[\]")
_SPARK_VECTOR = ("type", "size", "indices", "values")
"""Fields of Spark's VectorUDT."""
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
    shown = uri
    try:
        system, files = _files(uri, endpoint, region)
        documents, filled = 0, None
        for file in files[:_MOST_FILES]:
            shown = file
            with system.open_input_file(file) as source:
                rows = pq.ParquetFile(source).metadata.num_rows
            documents += rows
            filled = filled or (file if rows else None)
        shown = filled or files[0]  # Writers give the columns of empty tables no type.
        with system.open_input_file(shown) as source:
            columns, dimensions = _arrow_columns(pq.ParquetFile(source), shown)
        names = {column.name for column in columns}
        found = partitions_of(_on_volume(uri, shown))
        columns += [Column(name, OF_DIRECTORIES, "other") for name in found if name not in names]
    except (OSError, pa.ArrowException, ValueError) as error:
        reason = cut(one_line(error), _LONGEST_REASON).rstrip(".")
        if "magic bytes" in reason or "Parquet file size is" in reason:
            reason, remedy = "it is not a Parquet file", "write the documents as Parquet"
        elif "crypt" in reason:
            reason, remedy = "it is encrypted", "write it without encryption"
        elif isinstance(error, pa.ArrowException) and not isinstance(error, OSError):
            remedy = "write the file again, with other types of columns if one is not supported"
        else:
            remedy = "check the path"
        raise CommandError(f"{shown}: cannot be read: {reason}: {remedy}") from error
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
        from psycopg import sql
    except ImportError as error:
        raise _missing("tables", "psycopg") from error
    columns_of = (
        "WITH RECURSIVE found AS (SELECT attnum, attname, atttypid AS type, atttypmod AS modifier FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped UNION ALL "
        "SELECT attnum, attname, typbasetype, typtypmod FROM found JOIN pg_type t ON t.oid = type WHERE typtype = 'd') "
        "SELECT attname, CASE typtype WHEN 'e' THEN 'text' ELSE format_type(type, modifier) END "
        "FROM found JOIN pg_type t ON t.oid = type WHERE typtype <> 'd' ORDER BY attnum"
    )
    try:
        with psycopg.connect(uri, connect_timeout=round(_SECONDS)) as connection:
            # As the worker reads it: without quotes, and in the case in which it was created.
            name = sql.Identifier(*table.split(".", 1)).as_string(connection)
            rows = connection.execute(columns_of, [name]).fetchall()
            estimate = connection.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [name]).fetchone()
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
        vectors = found["config"]["params"].get("vectors") or {}
        points = scrolled["points"]
        documents = found.get("points_count")
    except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
        raise CommandError(f"{uri}: cannot be read as Qdrant: {one_line(error)}: check the address") from error
    if "size" in vectors:
        vectors = {"": vectors}
    usable = {str(name): of for name, of in vectors.items() if not of.get("multivector_config")}
    if not usable:
        held = "several vectors per point (multivectors)" if vectors else "sparse vectors, or none"
        raise CommandError(f"--collection: {collection!r} has only {held}: name one with one dense vector per point")
    payload = (points[0].get("payload") or {}) if points else {}
    texts: list[Column] = [
        Column(str(name), type(value).__name__, "text" if isinstance(value, str) else "other")
        for name, value in payload.items()
    ]
    named = [Column(name, f"vector({of['size']})", "vector") for name, of in usable.items() if name]
    return Look([*named, *texts], documents, next(iter(usable.values()))["size"])


def _answer(response: httpx.Response, collection: str) -> Any:
    if response.status_code in (401, 403):
        raise CommandError(f"Qdrant denies access ({response.status_code}): set {_API_KEY}")
    if response.status_code == 404:
        raise CommandError(f"--collection: {collection!r}: Qdrant has no such collection: correct the name")
    response.raise_for_status()
    return response.json()["result"]


def _files(uri: str, endpoint: str | None, region: str | None) -> tuple[Any, list[str]]:
    """Returns the file system, and the Parquet files at a path, a folder or a glob on it, as the worker finds them.

    Raises:
        CommandError: there is none, or the glob is malformed.
    """
    from pyarrow import fs

    system, path = _system(uri, endpoint, region)
    path = path.rstrip("/")
    is_local = isinstance(system, fs.LocalFileSystem)
    root = "." if is_local and not uri.startswith("/") else "/"
    kinds: dict[Any, Literal["file", "directory"]] = {fs.FileType.File: "file", fs.FileType.Directory: "directory"}
    kind = kinds.get(system.get_file_info(path or root).type)

    def below(folder: str) -> list[str]:
        found = system.get_file_info(folder or root).type
        if found == fs.FileType.NotFound or (is_local and found == fs.FileType.File):
            raise CommandError(f"{uri}: no such file or folder: check the path{hint(path)}")
        if is_local:
            above = f"{folder}/" if folder else root.removeprefix(".")
            return [above + name for name in files_below(folder or root) if not name.endswith("/")]
        listed = system.get_file_info(fs.FileSelector(folder or root, recursive=True))
        return [item.path for item in listed if item.is_file]

    def begins(name: str) -> bytes:
        if is_local and not Path(name).is_file():
            return b""  # A link without a target, or a named pipe, which waits for a writer.
        with system.open_input_file(name) as file:
            return bytes(file.read(len(MAGIC)))

    if kind is None and not has_wildcard(path):
        raise CommandError(f"{uri}: no such file or folder: check the path{hint(path)}")
    try:
        chosen = files_at(path + ("/" if kind is None and uri.endswith("/") else ""), kind, below)
    except GlobError as error:
        raise CommandError(f"{uri}: it contains {error}") from error
    if not (files := chosen.parquet(begins)):
        remedy = "name a file, a folder or a glob such as 'data/*.parquet'"
        raise CommandError(f"{uri}: no Parquet files found: {remedy}{hint(path)}")
    return system, without_aliases({file: os.path.realpath(file) if is_local else file for file in files})


def _system(uri: str, endpoint: str | None, region: str | None) -> tuple[Any, str]:
    """Returns the file system of a path or a bucket, and the path on it."""
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
        return fs.S3FileSystem(**options), uri.removeprefix("s3://")
    if uri.startswith("gs://"):
        return fs.GcsFileSystem(), uri.removeprefix("gs://")
    # A relative path stays as it is: the working directory's name may contain wildcards.
    return fs.LocalFileSystem(), "" if Path(uri) == Path() else Path(uri).as_posix()


def _on_volume(uri: str, file: str) -> str:
    """Returns a file's path as the worker reads it: of a path on this machine, init writes the last part."""
    if "://" in uri:
        return file
    path = Path(uri)
    folder = path.parent.as_posix() if path.exists() else fixed_part(path.as_posix())
    return file.removeprefix(f"{folder}/")


def _arrow_columns(parquet: Any, shown: str) -> tuple[list[Column], int | None]:
    """Returns the columns of a file, and the length of the vectors of the first column that has some.

    Raises:
        CommandError: two columns have one name.
    """
    names = parquet.schema_arrow.names
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if twice is not None:
        raise CommandError(
            f"{shown}: two columns have the name {twice!r}: write the file again with distinct names, or set "
            "--id-column and --vector-column, so that it is not read"
        )
    columns = [
        Column(field.name, str(field.type), "text" if _holds_text(parquet, field) else _arrow_kind(field.type))
        for field in parquet.schema_arrow
    ]
    for column in columns:
        if column.kind == "vector":
            return columns, _arrow_length(parquet, column.name)
    for at, column in enumerate(columns):
        if column.kind == "text" and (numbers := _numbers_in(_first_value(parquet, column.name))) is not None:
            return [*columns[:at], replace(column, kind="vector"), *columns[at + 1 :]], len(numbers)
    return columns, None


def _holds_text(parquet: Any, field: Any) -> bool:
    """Returns whether a column contains bytes that are text, as Impala and old Spark write it."""
    import pyarrow as pa

    kind = _plain(field.type)
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)):
        return False
    first = _first_value(parquet, field.name)
    try:
        return isinstance(first, bytes) and first.decode().isprintable()
    except UnicodeDecodeError:
        return False


def _plain(kind: Any) -> Any:
    """Returns a type without extensions, dictionaries and run-end encoding, as the worker reads it."""
    import pyarrow as pa

    while True:
        if isinstance(kind, pa.BaseExtensionType) and not isinstance(kind, pa.UuidType):
            kind = kind.storage_type
        elif pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
            kind = kind.value_type
        else:
            return kind


def _arrow_kind(kind: Any) -> Kind:
    import pyarrow as pa

    kind, types = _plain(kind), pa.types
    lists = (types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view, types.is_large_list_view)
    if any(is_list(kind) for is_list in lists):
        item = _plain(kind.value_type)
        return "vector" if types.is_floating(item) or types.is_integer(item) or types.is_decimal(item) else "other"
    if types.is_struct(kind) and sorted(kind.names) == sorted(_SPARK_VECTOR):
        return "vector"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text"
    if isinstance(kind, pa.UuidType) or (types.is_decimal(kind) and kind.scale == 0):
        return "number"
    return "number" if types.is_integer(kind) else "other"


def _arrow_length(parquet: Any, column: str) -> int | None:
    """Returns the length of the vectors of a column, from its type or from the first vector."""
    import pyarrow as pa

    kind = _plain(parquet.schema_arrow.field(column).type)
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size)
    first = _first_value(parquet, column)
    if isinstance(first, dict):
        return first["size"] or len(first["values"])
    return len(first) if first is not None else None


def _first_value(parquet: Any, column: str) -> Any:
    """Returns the first value of a column; None if it is null, or if there is none."""
    for batch in parquet.iter_batches(batch_size=1, columns=[column]):
        return batch.column(0)[0].as_py()
    return None


def _numbers_in(text: object) -> list[float] | None:
    """Returns the numbers of a vector that is written as JSON text; None for any other text."""
    if not isinstance(text, (str, bytes)):
        return None
    try:
        numbers = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(numbers, list) or not all(type(number) in (int, float) for number in numbers):
        return None
    return numbers or None


def _sql_kind(kind: str) -> Kind:
    if _VECTOR_TYPE.fullmatch(kind):
        return "vector"
    if kind.startswith(("text", "character", "uuid", "citext")) and not kind.endswith("[]"):
        return "text"
    return "number" if kind in ("integer", "bigint", "smallint") else "other"


def _missing(what: str, library: str) -> CommandError:
    return CommandError(
        f"{what} cannot be read without {printable(library)}: pip install 'clustertrigger[init]', or with pipx: "
        "pipx inject clustertrigger pyarrow 'psycopg[binary]'; or set --id-column and --vector-column, so that the "
        "source is not read"
    )
