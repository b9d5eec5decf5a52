"""Clusters in brief: as much of a run's findings as a termination message, and then the status, can hold."""

from __future__ import annotations

from pydantic import Field

from clustertrigger.api.base import TolerantModel


class CentralDocument(TolerantModel):
    """A document near the middle of its cluster."""

    document_id: str = Field(description="Its id.")
    text: str | None = Field(None, description="The beginning of its text, where the collection has a text_column.")


class ClusterBrief(TolerantModel):
    """One cluster in a line."""

    cluster_id: int = Field(description="Its number; 0 is the largest cluster.")
    name: str = Field(description="Words that set its documents apart, or its most central document.")
    num_documents: int = Field(description="Its size.")
    central_documents: list[CentralDocument] = Field(
        default_factory=list, description="Its most central documents, nearest first."
    )
