"""Tests of the columns that init chooses, of those that it marks as a guess, and of those that it cannot choose."""

from __future__ import annotations

from typing import Any

import pytest

from clustertrigger.cli.init.columns import OF_DIRECTORIES, Column, Kind, Look, choose, clusters_for
from clustertrigger.cli.scope import CommandError

Object = dict[str, Any]


def columns(**kinds: Kind) -> list[Column]:
    return [Column(name, kind, kind) for name, kind in kinds.items()]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (columns(document_id="text", embedding="vector"), ("document_id", "embedding", None)),
        (columns(embedding="vector", title="text", id="number"), ("id", "embedding", "title")),
        (columns(x="vector", product_id="text", body="text"), ("product_id", "x", "body")),
        (columns(vector="vector", Embedding="vector", Id="number", note="text"), ("Id", "Embedding", "note")),
        (columns(text="text", v="vector"), ("text", "v", None)),
        (columns(id="text", name="text", v="vector"), ("id", "v", "name")),
        (columns(price="other", code="number", v="vector", title_vector="vector"), ("code", "title_vector", None)),
    ],
)
def test_columns_are_chosen_by_name_and_type(found: list[Column], expected: tuple[str, str, str | None]) -> None:
    choice = choose(Look(found))
    assert (choice.document_id, choice.vector, choice.text) == expected


def test_guesses_are_marked() -> None:
    guessed = choose(Look(columns(code="number", a="vector", b="vector")))
    assert guessed.notes == (
        "vector_column: also possible: b",
        "document_id_column: code is a guess: it must be different in every row",
    )
    assert choose(Look(columns(id="text", a="vector"))).notes == ()
    assert choose(Look(columns(code="number", a="vector", b="vector")), "code", "b").notes == ()


@pytest.mark.parametrize(
    ("found", "given", "message"),
    [
        (columns(id="text"), {}, "no column contains vectors (lists of numbers): the source has id (text)"),
        ([], {}, "no column contains vectors (lists of numbers): the source has no columns"),
        (columns(v="vector", x="other"), {}, "no column can identify a document: the source has v (vector), x (other)"),
        (columns(id="text", v="vector"), {"text": "body"}, "--text-column: 'body': no such column: choose one of id"),
        (columns(id="text", v="vector"), {"vector": "w"}, "--vector-column: 'w': no such column"),
        (columns(id="text", v="vector"), {"document_id": "w"}, "--id-column: 'w': no such column"),
        ([*columns(id="text", v="vector", n="number"), Column("day", OF_DIRECTORIES, "other")], {"vector": "day"},
         "--vector-column: 'day' (names of directories) does not contain vectors: name the column with lists of "
         "numbers, one of v (vector)"),
        (columns(id="text", emb="vector"), {"document_id": "emb"},
         "--id-column: 'emb' (vector) contains vectors: name a column with text or integers, one of id (text)"),
    ],
)  # fmt: skip
def test_columns_that_cannot_be_chosen(found: list[Column], given: Object, message: str) -> None:
    with pytest.raises(CommandError) as error:
        choose(Look(found), **given)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("documents", "clusters"), [(None, 12), (0, 2), (8, 2), (3_003, 39), (20_000, 100), (10**9, 100)]
)
def test_the_initial_number_of_clusters(documents: int | None, clusters: int) -> None:
    assert clusters_for(documents) == clusters
