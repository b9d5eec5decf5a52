"""Clusters and their changes in brief: as much of what a run found as its message, and then the status, can hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralDocument:
    """A document near the middle of its cluster."""

    document_id: Annotated[str, Field(description="Its id.")]
    text: Annotated[
        str | None, Field(description="The beginning of its text, where the collection has a text_column.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterBrief:
    """One cluster in a line."""

    cluster_id: Annotated[int, Field(description="Its number, which lasts from run to run with config.ids: lasting.")]
    name: Annotated[str, Field(description="Words that set its documents apart, or its most central document.")]
    num_documents: Annotated[int, Field(description="Its size.")]
    central_documents: Annotated[
        list[CentralDocument], Field(description="Its most central documents, nearest first.")
    ] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What became of the clusters of the run before; lineage.parquet in the run's folder has all of it."""

    since: Annotated[str, Field(description="The run whose clusters these were: its Job.")]
    summary: Annotated[str, Field(description="All of it in one line.")]
    kept: Annotated[int, Field(description="Clusters of both runs.")]
    new: Annotated[
        list[int], Field(max_length=20, description="Clusters that the run before had not; the largest 20.")
    ] = field(default_factory=list)
    gone: Annotated[
        list[int], Field(max_length=20, description="Clusters that only the run before had; its largest 20.")
    ] = field(default_factory=list)
    documents: Annotated[int | None, Field(description="Documents of both runs.")] = None
    moved: Annotated[int | None, Field(description="Those of them that are in another cluster than before.")] = None
