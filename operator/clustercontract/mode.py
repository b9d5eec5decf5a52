"""Defines `mode`: whether a run clusters documents, assigns them to known clusters, or clusters known clusters."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from clustercontract.base import ApiModel, cel, each_once
from clustercontract.variants import VariantError

Mode = Literal["full", "assign", "composite"]
ASSIGNMENT_THRESHOLD = 0.5

THRESHOLD_FOREIGN = "assignment_threshold is valid only with mode assign: remove it or set mode: assign"
NO_FILTERS_OF_CENTROIDS = "filters is not valid with mode composite, which reads no documents: remove it"
SOURCES_MISSING = "source_execution_ids is required with mode composite: name at least two completed runs"
SOURCES_FOREIGN = "source_execution_ids is valid only with mode composite: remove it or set mode: composite"

ExecutionId = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
"""The name of a run's Job."""
SourceIds = Annotated[
    list[ExecutionId],
    AfterValidator(each_once),
    Field(min_length=2, max_length=64, json_schema_extra={"x-kubernetes-list-type": "set"}),
]


class Moded(ApiModel):
    """The fields that say what a run of the action `cluster` does with its documents."""

    mode: Mode | None = Field(
        None,
        description="cluster: what a run does. full (the default): it clusters the documents. assign: it assigns each "
        "document to the nearest centroid of the newest completed run with mode full, of any trigger of the namespace "
        "with the same cluster_id or the same execution_config, and does not cluster again. composite: it clusters the "
        "centroids of the runs in source_execution_ids, and each document of these runs gets its centroid's cluster.",
    )
    source_execution_ids: SourceIds | None = Field(
        None,
        description="cluster with mode composite (required): the completed runs whose centroids are clustered, at "
        "least two, by history[].job_id of the status of any trigger of the namespace.",
    )
    assignment_threshold: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="cluster with mode assign: minimum cosine similarity of a document to its centroid. A document "
        f"below it is noise (cluster_id -1). Default {ASSIGNMENT_THRESHOLD:g}.",
    )


def mode_rules(parent: str = "self", unless: str = "") -> list[dict[str, Any]]:
    """Returns CEL rules for an object that has the fields of `Moded`.

    Args:
        parent: CEL path of the object.
        unless: CEL condition in which the rules do not apply, if there is one.
    """
    path, otherwise = parent.removeprefix("self"), f"{unless} || " if unless else ""
    mode = f"(has({parent}.mode) ? {parent}.mode : 'full')"
    return [
        cel(
            f"{otherwise}{mode} == 'assign' || !has({parent}.assignment_threshold)",
            THRESHOLD_FOREIGN,
            field=f"{path}.assignment_threshold",
            reason="FieldValueForbidden",
        ),
        cel(
            f"{otherwise}{mode} != 'composite' || has({parent}.source_execution_ids)",
            SOURCES_MISSING,
            field=f"{path}.source_execution_ids",
            reason="FieldValueRequired",
        ),
        cel(
            f"{otherwise}{mode} == 'composite' || !has({parent}.source_execution_ids)",
            SOURCES_FOREIGN,
            field=f"{path}.source_execution_ids",
            reason="FieldValueForbidden",
        ),
    ]


def check_mode(spec: Moded, parent: str | None = None) -> None:
    """Checks in Python what `mode_rules` checks in CEL.

    Args:
        spec: The object.
        parent: The field that holds it, if a model around it is checked.

    Raises:
        VariantError: A field is missing, or does not belong to this mode.
    """
    if spec.mode == "composite" and spec.source_execution_ids is None:
        raise VariantError(SOURCES_MISSING, parent)
    if spec.mode != "composite" and spec.source_execution_ids is not None:
        raise VariantError(SOURCES_FOREIGN, parent)
    if spec.mode != "assign" and spec.assignment_threshold is not None:
        raise VariantError(THRESHOLD_FOREIGN, parent)
