"""Defines the action `cluster`, which clusters collections. Its worker gets a RunSpec (`clustercontract.run`)."""

from __future__ import annotations

from clustercontract.filters import Filter
from clustercontract.mode import Moded


class Cluster(Moded):
    """Clusters as a ClusterDefinition specifies."""

    cluster_id: str
    filters: Filter | None = None
    output_collection_ids: list[str] | None = None
