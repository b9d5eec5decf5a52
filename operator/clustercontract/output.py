"""Defines the Collections that runs write: how a Collection opts in, and what the worker gets as input.

What is written is a row for each document: its id, some columns, and the run that wrote them. The sources themselves
(vectors, texts, ids) are never changed.
"""

from __future__ import annotations

import posixpath
from typing import Annotated

from pydantic import Field

from clustercontract.base import ApiModel
from clustercontract.source import ObjectName, Source

CLUSTERS = "clusters"
"""What the action `cluster` writes: its Parquet file is called so where the uri names a directory."""
RUN_COLUMN = "run"
ENRICHMENT = "enrichment"
"""What the action `taxonomy_enrichment` writes; names its Parquet file likewise."""
ENRICHMENT_RUN_COLUMN = "taxonomy_run"
"""Not RUN_COLUMN: a table may hold clusters and nodes, each with the run that wrote them."""
RUN_COLUMNS = frozenset({RUN_COLUMN, ENRICHMENT_RUN_COLUMN})
_SUFFIX = ".parquet"


class Write(ApiModel):
    """Lets runs write into a collection; without it nothing is ever written there."""

    secret_name: ObjectName | None = Field(
        None,
        description="The Secret of the user who writes, with the same keys as source.secret_name's; it may be the same "
        "Secret. Required with postgresql.",
    )
    table: str | None = Field(
        None,
        min_length=1,
        max_length=127,
        description="postgresql: a table of their own for the columns, with its schema if need be; it is created "
        "where it is not there. Default: columns of source.table.",
    )


OutputsRun = Annotated[
    str | None, Field(description="Run under whose name outputs are written: of a rerun, the batch. Default: run.")
]
OutputsBefore = Annotated[
    str | None,
    Field(description="The last completed run that wrote the outputs, of which nothing is to be left there."),
]


class OutputInput(ApiModel):
    """One collection to write, as the worker sees it."""

    collection_id: str
    source: Source
    write: Write
    mount_path: str | None = Field(None, description="Where its volume is mounted to write; absent for an address.")
    reads: bool = Field(
        False, description="Whether the run reads this collection, too: only its own documents go there."
    )


def is_same_place(one: OutputInput, other: OutputInput) -> bool:
    """Whether two outputs write to the same place, whoever writes."""
    return _place(one) == _place(other)


def _place(output: OutputInput) -> tuple[str | None, ...]:
    source = output.source
    return (
        source.type,
        source.uri,
        source.endpoint,
        source.table,
        source.collection,
        source.document_id_column,
        output.write.table,
        output.mount_path,
    )


def output_file(uri: str, name: str = CLUSTERS) -> str:
    """The one Parquet file that is written at a uri: itself, or `<name>.parquet` in the directory that it names."""
    scheme, separator, path = uri.rpartition("://")
    path = posixpath.normpath(path)
    if not path.endswith(_SUFFIX):
        path = posixpath.normpath(f"{path}/{name}{_SUFFIX}")
    return f"{scheme}{separator}{path}"
