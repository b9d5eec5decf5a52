"""Defines the Collections that runs write: how a Collection opts in, and what the worker gets as input.

Each document gets a row: its ID, some columns, and the run that wrote them. The sources themselves (vectors, texts,
IDs) are never changed.
"""

from __future__ import annotations

import posixpath
from typing import Annotated

from pydantic import Field

from clustercontract.base import ApiModel
from clustercontract.source import ObjectName, Source

CLUSTERS = "clusters"
"""What the action `cluster` writes. If the uri names a directory, the Parquet file has this name."""
RUN_COLUMN = "run"
ENRICHMENT = "enrichment"
"""What the action `taxonomy_enrichment` writes; its Parquet file is named in the same way."""
ENRICHMENT_RUN_COLUMN = "taxonomy_run"
"""Differs from RUN_COLUMN, because a table can contain clusters and nodes, each with the run that wrote them."""
RUN_COLUMNS = frozenset({RUN_COLUMN, ENRICHMENT_RUN_COLUMN})
_SUFFIX = ".parquet"


class Write(ApiModel):
    """Allows runs to write into a collection. If it is absent, nothing is ever written there."""

    secret_name: ObjectName | None = Field(
        None,
        description="Secret with the credentials for writing. It has the same keys as source.secret_name, and can be "
        "the same Secret. Required with postgresql.",
    )
    table: str | None = Field(
        None,
        min_length=1,
        max_length=127,
        description="postgresql: a separate table for the columns, qualified with its schema if necessary. The run "
        "creates it if it does not exist. Default: the columns are added to source.table.",
    )


OutputsRun = Annotated[
    str | None, Field(description="Name of the run that the outputs record. For a rerun: the batch. Default: run.")
]
OutputsBefore = Annotated[
    str | None,
    Field(description="The last completed run that wrote the outputs; what it wrote is replaced."),
]


class OutputInput(ApiModel):
    """One collection to write, as the worker sees it."""

    collection_id: str
    source: Source
    write: Write
    mount_path: str | None = Field(
        None, description="Path where the collection's volume is mounted. Absent if the source is an address."
    )
    reads: bool = Field(
        False, description="Whether the run also reads this collection. If so, only its own documents are written."
    )


def is_same_place(one: OutputInput, other: OutputInput) -> bool:
    """Returns whether two outputs write to the same place, whatever their credentials are."""
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
    """Returns the Parquet file that is written: the uri itself, or `<name>.parquet` in the directory that it names."""
    scheme, separator, path = uri.rpartition("://")
    path = posixpath.normpath(path)
    if not path.endswith(_SUFFIX):
        path = posixpath.normpath(f"{path}/{name}{_SUFFIX}")
    return f"{scheme}{separator}{path}"
