"""Action `batch_rerun`: an earlier run is carried out again, exactly as it was specified then."""

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
    """Run a batch again: a run, named by its Job."""

    batch_id: BatchId
    filters: Filter | None = None
    retry_failed_only: bool = False


class RerunSpec(ApiModel):
    """What a rerun is to do. The rest is said by the batch's own RunSpec, which its worker has kept."""

    version: Literal[1] = 1
    namespace: str
    trigger: str
    run: str = Field(description="The Job's name.")
    slot: str = Field(description="What the rerun was fired for, as in a RunSpec.")
    batch_id: str = Field(description="The batch's Job.")
    batch_trigger: str = Field(description="The trigger whose run the batch is.")
    batch_results: ResultsTarget = Field(
        description="Where that trigger's results are: a path below COLLECTIONS_MOUNT, or s3://bucket/prefix."
    )
    filters: Filter | None = Field(None, description="Of the batch's documents, those count for which this holds too.")
    outputs: list[OutputInput] | None = Field(
        None, description="Those that the batch wrote, in order, as they are now. Absent: none may be written."
    )
    outputs_before: OutputsBefore = None
    results: ResultsTarget
    history_limit: int = Field(10, ge=1, description="Folders of results to keep.")
