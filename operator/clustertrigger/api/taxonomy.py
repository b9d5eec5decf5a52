"""Defines Taxonomy, to which a `taxonomy_id` refers and which says which collection's documents are its nodes."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from clustercontract.actions.taxonomy_enrichment import ColumnName, Score, TopK
from clustercontract.base import ApiId, ApiModel, cel, with_rules

PARENT_IS_NO_LABEL = "parent_column and label_column must be different columns: change one of them"


class TaxonomySpec(ApiModel):
    """Defines which collection contains a taxonomy's nodes, and how documents are assigned to them."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            cel(
                "!has(self.parent_column) || self.parent_column != self.label_column",
                PARENT_IS_NO_LABEL,
                field=".parent_column",
            )
        )
    )

    taxonomy_id: ApiId | None = Field(
        None, description="ID by which triggers refer to this taxonomy. Default: the object's name."
    )
    collection_id: ApiId = Field(
        description="collection_id or name of the Collection whose documents are the nodes. Each node has an ID, a "
        "label, and a vector of the same embedding model as the documents."
    )
    label_column: ColumnName = Field(description="Column with the nodes' labels. With qdrant, a key of the payload.")
    parent_column: ColumnName | None = Field(
        None,
        description="Column with the ID of each node's parent, null or empty for a root. With qdrant, a key of the "
        "payload. If absent, the taxonomy is a flat list.",
    )
    top_k: TopK = Field(1, description="Maximum number of nodes per document, nearest first.")
    min_score: Score = Field(
        0.0,
        description="Minimum cosine similarity of a document to its nodes. A document that is below it for all nodes "
        "gets no node.",
    )
    description: str | None = Field(
        None, max_length=2048, description="Free text for readers; the operator ignores it."
    )

    @model_validator(mode="after")
    def _parent_is_no_label(self) -> Self:
        if self.parent_column == self.label_column:
            raise ValueError(PARENT_IS_NO_LABEL)
        return self
