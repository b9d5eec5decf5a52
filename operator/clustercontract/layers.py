"""Defines layers.json of a run, which contains the run's granularities, their clusters and the tree between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FILE = "layers.json"


class LayerCluster(BaseModel):
    """A cluster of one layer. No two clusters of a run have the same cluster_id, whatever their layers."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    cluster_id: int
    name: str
    num_documents: int
    parent_layer: int | None = Field(
        None, description="The next coarser layer that has a cluster which contains this one."
    )
    parent_cluster_id: int | None = Field(None, description="The cluster_id of that cluster.")


class Layer(BaseModel):
    """One granularity of the clustering."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    layer: int = Field(description="Number of the layer; 0 is the finest.")
    num_clusters: int
    num_noise: int
    persistence: float = Field(description="How clearly this granularity stands out from the others; 0 for the finest.")
    clusters: Sequence[LayerCluster] = Field(description="All clusters of the layer, largest first.")


class Layers(BaseModel):
    """The content of the file."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Literal[1] = 1
    num_documents: int
    chosen: int = Field(description="The layer that is the run's clustering.")
    layers: Sequence[Layer]
