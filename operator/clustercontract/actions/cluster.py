"""Action `cluster`: cluster collections. Its worker is told a RunSpec (`clustercontract.run`)."""

from __future__ import annotations

from clustercontract.base import ApiModel
from clustercontract.filters import Filter


class Cluster(ApiModel):
    """Cluster as a ClusterDefinition says."""

    cluster_id: str
    filters: Filter | None = None
