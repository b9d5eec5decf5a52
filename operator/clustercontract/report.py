"""What a run's report shows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from clustercontract.base import ApiModel


class Report(ApiModel):
    """Options of report.html and report.png."""

    map: Literal["pca", "umap"] = Field(
        "pca",
        description="How the map lays documents out. pca: the two directions in which they differ most, in an instant; "
        "umap: neighbourhoods, which sets many clusters apart and takes seconds.",
    )
