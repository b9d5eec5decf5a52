"""Guesses which columns identify a document, contain its vector and describe it, by their names and types."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from clustertrigger.cli.scope import CommandError
from clustertrigger.cli.terminal import printable

Kind = Literal["vector", "text", "number", "other"]
_VECTORS = ("embedding", "embeddings", "vector", "vectors", "emb", "features")
_IDS = ("document_id", "doc_id", "id", "uuid", "key", "sku", "identifier", "name")
_TEXTS = ("title", "text", "description", "summary", "name", "content", "abstract", "body", "headline")
_LONGEST_LIST = 12
OF_DIRECTORIES = "names of directories"
"""Type of a column of Hive partitions."""


@dataclass(frozen=True)
class Column:
    """A column of a source.

    Attributes:
        name: Its name.
        type: Its type, as the source names it.
        kind: What it can be used for.
    """

    name: str
    type: str
    kind: Kind


@dataclass(frozen=True)
class Look:
    """What was read of a source.

    Attributes:
        columns: Its columns, in the source's order.
        documents: Number of documents; None if unknown.
        dimensions: Number of dimensions of the vectors; None if unknown.
    """

    columns: Sequence[Column]
    documents: int | None = None
    dimensions: int | None = None


@dataclass(frozen=True)
class Choice:
    """The columns to use.

    Attributes:
        document_id: Column of the ID; None for the source's default.
        vector: Column of the vectors; None for the source's default.
        text: Column of the text; None for none.
        notes: What the user should check.
    """

    document_id: str | None
    vector: str | None
    text: str | None
    notes: tuple[str, ...] = ()


def choose(look: Look, document_id: str | None = None, vector: str | None = None, text: str | None = None) -> Choice:
    """Returns the columns to use. Columns that the user has set are not changed.

    Raises:
        CommandError: No column is suitable, or a given column does not exist.
    """
    for option, name in (("--id-column", document_id), ("--vector-column", vector), ("--text-column", text)):
        if name is not None and name not in {column.name for column in look.columns}:
            raise CommandError(f"{option}: {name!r}: no such column: choose one of {listed(look.columns)}")
    for column in look.columns:
        shown = f"{column.name!r} ({column.type})"
        if column.name == vector and (column.kind == "number" or column.type == OF_DIRECTORIES):
            usable = [other for other in look.columns if other.kind in ("vector", "other") and other != column]
            usable = [other for other in usable if other.type != OF_DIRECTORIES]
            remedy = "does not contain vectors: name the column with lists of numbers"
            raise CommandError(f"--vector-column: {shown} {remedy}{_one_of(usable)}")
        if column.name == document_id and column.kind == "vector":
            usable = [other for other in look.columns if other.kind != "vector"]
            raise CommandError(
                f"--id-column: {shown} contains vectors: name a column with text or integers{_one_of(usable)}"
            )
    notes: list[str] = []
    vectors = [column for column in look.columns if column.kind == "vector"]
    chosen_vector = vector or _pick(vectors, _VECTORS)
    if chosen_vector is None:
        raise CommandError(
            f"no column contains vectors (lists of numbers): the source has {listed(look.columns)}: write one list of "
            "numbers for each document, or set --vector-column"
        )
    if vector is None and len(vectors) > 1:
        notes.append(f"vector_column: also possible: {_others(vectors, chosen_vector)}")
    ids = [column for column in look.columns if column.kind in ("text", "number")]
    chosen_id = document_id or _pick(ids, _IDS)
    if chosen_id is None:
        raise CommandError(
            f"no column can identify a document: the source has {listed(look.columns)}: add an ID, or set --id-column"
        )
    if document_id is None and chosen_id.lower() not in _IDS:
        notes.append(f"document_id_column: {printable(chosen_id)} is a guess: it must be different in every row")
    texts = [column for column in look.columns if column.kind == "text" and column.name != chosen_id]
    return Choice(chosen_id, chosen_vector, text or _pick(texts, _TEXTS), tuple(notes))


def clusters_for(documents: int | None) -> int:
    """Returns an initial number of clusters: the square root of half the number of documents, from 2 to 100."""
    if documents is None:
        return 12
    return min(max(round(math.sqrt(documents / 2)), 2), 100)


def listed(columns: Sequence[Column]) -> str:
    """Returns columns and their types for a message."""
    shown = [f"{printable(column.name)} ({printable(column.type)})" for column in columns[:_LONGEST_LIST]]
    return ", ".join([*shown, "…"] if len(columns) > _LONGEST_LIST else shown) or "no columns"


def _one_of(columns: Sequence[Column]) -> str:
    return f", one of {listed(columns)}" if columns else ""


def _pick(columns: Sequence[Column], preferred: Sequence[str]) -> str | None:
    """Returns the column with the best name: exactly that name, or an ending such as product_id, or else the first."""
    for name in preferred:
        for column in columns:
            if column.name.lower() == name:
                return column.name
    for name in preferred:
        for column in columns:
            if column.name.lower().endswith(f"_{name}"):
                return column.name
    return columns[0].name if columns else None


def _others(columns: Sequence[Column], chosen: str) -> str:
    return ", ".join(printable(column.name) for column in columns if column.name != chosen)
