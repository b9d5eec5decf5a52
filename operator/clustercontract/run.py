"""The contract between operator and worker: a RunSpec goes in, a RunResult comes out.

The operator hands the RunSpec to the Job's container in the environment variable `RUN_SPEC_VARIABLE`; the worker
writes the RunResult, at most `RESULT_LIMIT` bytes of JSON, into the container's termination message, where the
operator reads it. Exit codes tell Kubernetes whether another attempt makes sense.

Design record: docs/design/worker.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from clustercontract.base import ApiModel
from clustercontract.baseline import Baseline
from clustercontract.brief import Changes, ClusterBrief
from clustercontract.clustering import ClusteringConfig
from clustercontract.container import RESULT_LIMIT, CollectionInput, ResultsTarget, shortened
from clustercontract.report import Report

RUN_SPEC_VARIABLE = "CLUSTERWORKER_RUN_SPEC"


class PreviousRun(ApiModel):
    """The trigger's last completed run, to whose clusters those of the next run are matched."""

    run: str = Field(description="The Job's name.")
    uri: str = Field(description="Its folder: a path below RESULTS_MOUNT, or s3://bucket/key.")
    next_cluster_id: int = Field(
        0, ge=0, description="No cluster of this trigger has had this cluster_id or a higher one, as far as is known."
    )


class RunSpec(ApiModel):
    """What a run is to do. Secrets are named here, never contained: they are mounted below SECRETS_MOUNT/<name>/."""

    version: Literal[1] = 1
    namespace: str
    trigger: str
    run: str = Field(description="The Job's name.")
    slot: str = Field(description="What the run was fired for: an RFC 3339 time, or manual/<token>.")
    collections: list[CollectionInput] = Field(min_length=1)
    config: ClusteringConfig
    seed: int = Field(description="Random seed, used where config.random_state is absent.")
    results: ResultsTarget
    history_limit: int = Field(10, ge=1, description="Folders of results to keep.")
    report: Report = Report()
    previous: PreviousRun | None = Field(
        None, description="Of the moment when the Job was made, so that every attempt gives clusters the same ids."
    )


class RunResult(BaseModel):
    """How a run ended. Unknown fields are kept out, so that an older operator reads a newer worker."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Literal[1] = 1
    status: Literal["completed", "failed"]
    error: str | None = Field(None, description="One readable line that names the place and the remedy.")
    num_clusters: int | None = None
    num_documents: int | None = None
    num_noise: int | None = Field(None, description="Documents in no cluster.")
    results_uri: str | None = None
    baseline: Baseline | None = None
    metrics: dict[str, float] = Field(default_factory=dict)
    notes: list[str] = Field(
        default_factory=list, description="What the worker decided by itself, such as a reduction."
    )
    clusters: list[ClusterBrief] = Field(default_factory=list, description="The largest clusters, largest first.")
    changes: Changes | None = Field(None, description="Since the run that the RunSpec names as the previous one.")
    next_cluster_id: int | None = Field(
        None, description="For the next run: one more than the highest cluster_id ever used."
    )

    def to_message(self) -> str:
        """JSON of at most RESULT_LIMIT bytes; the smallest clusters, notes, metrics, the error's tail give way."""
        for fitted in (*self._with_fewer_clusters(), self.model_copy(update={"clusters": [], "notes": []})):
            message = fitted.model_dump_json(exclude_none=True)
            if len(message.encode()) <= RESULT_LIMIT:
                return message
        return self._least().model_dump_json(exclude_none=True)

    def _with_fewer_clusters(self) -> Iterator[Self]:
        for count in range(len(self.clusters), -1, -1):
            yield self.model_copy(update={"clusters": self.clusters[:count]})

    def _least(self) -> Self:
        none: dict[str, object] = {"clusters": [], "notes": [], "metrics": {}, "changes": None}
        return self.model_copy(update=none | {"error": shortened(self.error)})
