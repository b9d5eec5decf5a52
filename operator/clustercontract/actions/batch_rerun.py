"""Defines the action `batch_rerun`, which repeats an earlier run exactly as it was specified."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from clustercontract.base import ApiModel
from clustercontract.container import ResultsTarget
from clustercontract.filters import Filter
from clustercontract.output import OutputInput, OutputsBefore

RERUN_SPEC_VARIABLE = "CLUSTERWORKER_RERUN_SPEC"


BatchId = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
"""The name of a run's Job."""


class BatchRerun(ApiModel):
    """Repeats a batch: a run, identified by its Job."""

    batch_id: BatchId
    filters: Filter | None = None
    retry_failed_only: bool = False


class RerunSpec(ApiModel):
    """The input of a rerun. The rest is in the batch's own RunSpec, which its worker has saved."""

    version: Literal[1] = 1
    namespace: str
    trigger: str
    run: str = Field(description="Name of the rerun's Job.")
    slot: str = Field(description="The slot of the rerun, as in a RunSpec.")
    batch_id: str = Field(description="Name of the batch's Job.")
    batch_trigger: str = Field(description="Name of the trigger that the batch is a run of.")
    batch_results: ResultsTarget = Field(
        description="Where that trigger's results are stored: a path below COLLECTIONS_MOUNT, or s3://bucket/prefix."
    )
    filters: Filter | None = Field(None, description="Which of the batch's documents to select.")
    outputs: list[OutputInput] | None = Field(
        None,
        description="Current state of the collections that the batch wrote, in the same order. Absent if none can be "
        "written.",
    )
    outputs_before: OutputsBefore = None
    results: ResultsTarget
    history_limit: int = Field(10, ge=1, description="Number of results folders to keep.")
