"""Defines the action `cluster`, which clusters collections. Its worker gets a RunSpec (`clustercontract.run`)."""

from __future__ import annotations

from clustercontract.base import ApiModel
from clustercontract.filters import Filter


class Cluster(ApiModel):
    """Clusters as a ClusterDefinition specifies."""

    cluster_id: str
    filters: Filter | None = None
    output_collection_ids: list[str] | None = None
