"""Taxonomy: what a `taxonomy_id` refers to, and which collection's documents are its nodes."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from clustercontract.actions.taxonomy_enrichment import ColumnName, Score, TopK
from clustercontract.base import ApiId, ApiModel, cel, with_rules

PARENT_IS_NO_LABEL = "parent_column holds the parents' ids, label_column the labels: name two columns"


class TaxonomySpec(ApiModel):
    """Says which collection holds a taxonomy's nodes, and how documents are assigned to them."""

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
        None, description="The id by which triggers refer to this taxonomy; default: the object's name."
    )
    collection_id: ApiId = Field(
        description="The Collection whose documents are the nodes, by its collection_id or name: each has an id, a "
        "vector of the same model as the documents', and a label."
    )
    label_column: ColumnName = Field(description="Column of the nodes' labels; with qdrant a key of the payload.")
    parent_column: ColumnName | None = Field(
        None,
        description="Column with the id of each node's parent, null or empty for a root; with qdrant a key of the "
        "payload. Absent: the taxonomy is a flat list.",
    )
    top_k: TopK = Field(1, description="How many nodes a document gets at most, the nearest first.")
    min_score: Score = Field(
        0.0,
        description="Cosine similarity that a node must have at least: a document that is near to none gets none.",
    )
    description: str | None = Field(
        None, max_length=2048, description="Free text for readers; the operator ignores it."
    )

    @model_validator(mode="after")
    def _parent_is_no_label(self) -> Self:
        if self.parent_column == self.label_column:
            raise ValueError(PARENT_IS_NO_LABEL)
        return self
