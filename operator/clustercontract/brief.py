"""Defines the summary of a run: its clusters and their changes, or the nodes of a taxonomy.

It fits into the run's message and the status.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralDocument:
    """A document near the centre of its cluster."""

    document_id: Annotated[str, Field(description="ID of the document.")]
    text: Annotated[
        str | None, Field(description="Beginning of the document's text. Present if the collection has a text_column.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterBrief:
    """The summary of one cluster."""

    cluster_id: Annotated[
        int, Field(description="Number of the cluster. With config.ids: lasting, it stays the same from run to run.")
    ]
    name: Annotated[
        str,
        Field(
            description="Terms of one or two words that are characteristic of the cluster's documents, or the ID of "
            "its most central document. Different for each cluster of a run."
        ),
    ]
    num_documents: Annotated[int, Field(description="Number of documents in the cluster.")]
    central_documents: Annotated[
        list[CentralDocument], Field(description="Most central documents of the cluster, nearest to the centre first.")
    ] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """How the clusters changed since the previous run; lineage.parquet in the run's folder has the details."""

    since: Annotated[str, Field(description="Job of the run that this run is compared with.")]
    summary: Annotated[str, Field(description="Summary of all changes in one line.")]
    kept: Annotated[int, Field(description="Number of clusters that both runs have.")]
    renamed: Annotated[
        list[int],
        Field(
            max_length=20,
            description="Of the clusters that both runs have, those with another name now, because a term of the "
            "previous name is no longer characteristic; the 20 largest.",
        ),
    ] = field(default_factory=list)
    new: Annotated[
        list[int], Field(max_length=20, description="Clusters that the previous run did not have; the 20 largest.")
    ] = field(default_factory=list)
    gone: Annotated[
        list[int], Field(max_length=20, description="Clusters that only the previous run had; its 20 largest.")
    ] = field(default_factory=list)
    documents: Annotated[int | None, Field(description="Number of documents that are in both runs.")] = None
    moved: Annotated[int | None, Field(description="Number of these documents that changed their cluster.")] = None
    start: Annotated[
        Literal["last", "fresh"] | None,
        Field(
            description="What the clustering started from. last: the centroids or the layout of the previous run. "
            "fresh: nothing, because that was better by more than 1 % of inertia or likelihood; a note says by how "
            "much. Absent if the algorithm has no such start."
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBrief:
    """Summary of one node of a taxonomy."""

    node_id: Annotated[str, Field(description="ID of the node.")]
    label: Annotated[str, Field(description="Beginning of its label.")]
    num_documents: Annotated[int, Field(description="Number of documents whose nearest node it is.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichmentBrief:
    """Summary of a taxonomy_enrichment."""

    taxonomy_id: Annotated[str, Field(description="ID of the taxonomy.")]
    results_uri: Annotated[
        str, Field(description="Folder of the run's results, from which an incremental run takes documents over.")
    ]
    num_nodes: Annotated[int, Field(description="Number of nodes of the taxonomy.")]
    num_assigned: Annotated[int, Field(description="Number of documents that have a node.")]
    num_taken_over: Annotated[int, Field(description="Number of documents taken over from the previous run.")] = 0
    nodes_without_documents: Annotated[
        int, Field(description="Number of nodes that are the nearest node of no document.")
    ] = 0
    nodes: Annotated[
        list[NodeBrief],
        Field(
            max_length=50,
            description="The nodes with the most documents, as many as fit into the worker's message of 4 KiB.",
        ),
    ] = field(default_factory=list)
