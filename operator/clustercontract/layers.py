"""layers.json of a run: its granularities, their clusters and the tree between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FILE = "layers.json"


class LayerCluster(BaseModel):
    """A cluster of one layer."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    cluster_id: int
    name: str
    num_documents: int
    parent_layer: int | None = Field(None, description="The next coarser layer with a cluster that holds this one.")
    parent_cluster_id: int | None = Field(None, description="That cluster's number.")


class Layer(BaseModel):
    """One granularity."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    layer: int = Field(description="0 is the finest.")
    num_clusters: int
    num_noise: int
    persistence: float = Field(description="How much it stands out from other granularities; 0 of the finest.")
    clusters: Sequence[LayerCluster] = Field(description="All of them, the largest first.")


class Layers(BaseModel):
    """What the file holds."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Literal[1] = 1
    num_documents: int
    chosen: int = Field(description="The layer that is the run's clustering.")
    layers: Sequence[Layer]
