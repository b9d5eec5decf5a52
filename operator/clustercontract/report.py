"""Defines the options of a run's report."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from clustercontract.base import ApiModel


class Report(ApiModel):
    """Options of report.html and report.png."""

    map: Literal["auto", "pca", "umap"] = Field(
        "auto",
        description="How the map arranges documents. pca shows the two directions of greatest variance and takes an "
        "instant. umap preserves neighbourhoods, which separates many clusters, and takes seconds. auto uses pca for "
        "up to 5 clusters, and EVōC's node embedding for more: it separates them as umap does, and takes about a "
        "second.",
    )
