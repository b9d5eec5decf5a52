"""Defines what a user writes as `action_type` and `action_config`.

`action_config` is one flat object, because a structural schema does not support unions. The actions' models define
which field belongs to which action.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from clustercontract.actions.batch_rerun import BatchId, BatchRerun
from clustercontract.actions.cluster import Cluster
from clustercontract.base import ApiId, ApiModel
from clustercontract.filters import Filter, check_filters

ActionType = Literal["cluster", "batch_rerun"]
ACTIONS: dict[str, type[ApiModel]] = {"cluster": Cluster, "batch_rerun": BatchRerun}
"""Maps each action_type to its model."""

Action = Cluster | BatchRerun


class ActionConfig(ApiModel):
    """Fields of the action. action_type selects the fields that apply."""

    cluster_id: ApiId | None = Field(
        None, description="cluster (required): the cluster_id or the name of a ClusterDefinition."
    )
    filters: Filter | None = Field(
        None,
        description="cluster: which documents to select, in addition to the Collections' own filters. They are "
        "merged with the definition's filters; if both name a field, these take precedence. batch_rerun: which of the "
        "batch's documents to select. See docs/reference/actions.md.",
    )

    batch_id: BatchId | None = Field(
        None,
        description="batch_rerun (required): a run of any trigger of the namespace, by history[].job_id of its status.",
    )
    retry_failed_only: bool | None = Field(
        None, description="batch_rerun: whether to skip a batch that completed. Default false."
    )

    @model_validator(mode="after")
    def _filters_are_bounded(self) -> Self:
        check_filters(self.filters)
        return self
