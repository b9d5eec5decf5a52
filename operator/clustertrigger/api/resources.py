"""Defines the resources of a container, as in the core API."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from clustercontract.base import ApiModel

_QUANTITY = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$"

# core.pod_settings finds everything that Kubernetes would refuse in a Pod; the CRD's schema finds what it can express.
Quantity = (
    Annotated[int, Field(json_schema_extra={"minimum": 0})]
    | Annotated[str, Field(json_schema_extra={"pattern": _QUANTITY})]
)
"""A quantity of a resource, such as 2, 500m or 2Gi."""


class Resources(ApiModel):
    """Resources of the run's container, as in the core API."""

    requests: dict[str, Quantity] = Field(
        default_factory=dict,
        max_length=16,
        description="Resources that the scheduler reserves, such as cpu and memory.",
    )
    limits: dict[str, Quantity] = Field(
        default_factory=dict,
        max_length=16,
        description="Maximum resources that the container can use. The number of threads follows the cpu limit.",
    )
