"""What a user writes as `action_type` and `action_config`: one flat object, since a structural schema knows no unions.

Which field belongs to which action is read off the actions' models.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from clustercontract.actions.cluster import Cluster
from clustercontract.base import ApiId, ApiModel
from clustercontract.filters import Filter, check_filters

ActionType = Literal["cluster"]
ACTIONS: dict[str, type[ApiModel]] = {"cluster": Cluster}
"""By action_type."""

Action = Cluster


class ActionConfig(ApiModel):
    """Fields of the action; action_type says which of them apply."""

    cluster_id: ApiId | None = Field(
        None, description="cluster (required): a ClusterDefinition, by its cluster_id or name."
    )
    filters: Filter | None = Field(
        None,
        description="cluster: which documents count, beside the Collections' own filters. Merged with the "
        "definition's: where both name a field, these win. See docs/reference/actions.md.",
    )

    @model_validator(mode="after")
    def _filters_are_bounded(self) -> Self:
        check_filters(self.filters)
        return self
