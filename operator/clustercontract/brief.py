"""Clusters in brief: as much of a run's findings as a termination message, and then the status, can hold."""

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

    cluster_id: Annotated[int, Field(description="Its number; 0 is the largest cluster.")]
    name: Annotated[str, Field(description="Words that set its documents apart, or its most central document.")]
    num_documents: Annotated[int, Field(description="Its size.")]
    central_documents: Annotated[
        list[CentralDocument], Field(description="Its most central documents, nearest first.")
    ] = field(default_factory=list)
