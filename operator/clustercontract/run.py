"""Defines the contract of a run: its input is a RunSpec, and its output is a RunResult.

The operator passes the RunSpec to the Job's container in the environment variable `RUN_SPEC_VARIABLE`. The worker
writes the RunResult, at most `RESULT_LIMIT` bytes of JSON, to the container's termination message, where the operator
reads it. The exit code determines whether Kubernetes retries.

Design record: docs/design/worker.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from clustercontract.base import ApiModel
from clustercontract.baseline import Baseline
from clustercontract.brief import Changes, ClusterBrief, EnrichmentBrief
from clustercontract.clustering import ClusteringConfig
from clustercontract.container import RESULT_LIMIT, CollectionInput, ResultsTarget, shortened
from clustercontract.engine import Engine
from clustercontract.mode import ASSIGNMENT_THRESHOLD, Mode
from clustercontract.output import OutputInput, OutputsBefore, OutputsRun
from clustercontract.report import Report

RUN_SPEC_VARIABLE = "CLUSTERWORKER_RUN_SPEC"


class PreviousRun(ApiModel):
    """An earlier run whose results are read. A run matches its clusters to those of the previous run."""

    run: str = Field(description="Name of the run's Job.")
    uri: str = Field(description="Folder of the run: a path below RESULTS_MOUNT, or s3://bucket/key.")
    results: ResultsTarget | None = Field(
        None, description="How to access a folder in a bucket. Default: as the run's own results."
    )
    next_cluster_id: int = Field(
        0,
        ge=0,
        description="As far as the operator knows, no cluster of this trigger has had this cluster_id or a higher one.",
    )


class RunSpec(ApiModel):
    """The input of a run. It names Secrets and never contains them: they are mounted below SECRETS_MOUNT/<name>/."""

    version: Literal[1] = 1
    namespace: str
    trigger: str
    run: str = Field(description="Name of the run's Job.")
    slot: str = Field(description="The slot of the run: an RFC 3339 time, or manual/<token>.")
    mode: Mode = "full"
    base: PreviousRun | None = Field(
        None, description="assign (required): the run to whose clusters documents are assigned."
    )
    sources: list[PreviousRun] = Field(
        default_factory=list, description="composite: the runs whose centroids are clustered, at least two."
    )
    assignment_threshold: float = Field(
        ASSIGNMENT_THRESHOLD, description="assign: minimum cosine similarity of a document to its centroid."
    )
    collections: list[CollectionInput] = Field(
        min_length=1,
        description="Collections to read. composite: they are not read, but determine the documents of the outputs.",
    )
    config: ClusteringConfig
    seed: int = Field(description="Random seed, used where config.random_state is absent.")
    results: ResultsTarget
    history_limit: int = Field(10, ge=1, description="Number of results folders to keep.")
    report: Report = Report()
    outputs: list[OutputInput] = Field(
        default_factory=list, description="Collections to write each document's cluster into."
    )
    outputs_run: OutputsRun = None
    outputs_before: OutputsBefore = None
    previous: PreviousRun | None = Field(
        None,
        description="The previous run at the time when the Job was created, so that every attempt assigns the "
        "same IDs to clusters.",
    )
    engine: Engine | None = Field(None, description="Where the work is done. If absent, by the run's Pod alone.")

    @model_validator(mode="after")
    def _base_fits_mode(self) -> Self:
        if (self.base is not None) != (self.mode == "assign"):
            raise ValueError("base is required with mode assign, and valid only with it")
        if (len(self.sources) > 1) != (self.mode == "composite") or len(self.sources) == 1:
            raise ValueError("sources: at least two are required with mode composite, and none otherwise")
        return self


MOST_DOCUMENTS = 1_000_000_000


class DocumentCounts(BaseModel):
    """Numbers of documents that a run has added, updated and deleted in a collection."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    documents_added: int = Field(0, ge=0, le=MOST_DOCUMENTS, strict=True)
    documents_updated: int = Field(0, ge=0, le=MOST_DOCUMENTS, strict=True)
    documents_deleted: int = Field(0, ge=0, le=MOST_DOCUMENTS, strict=True)

    def events(self) -> Iterator[tuple[str, int]]:
        """Yields the type of each event that these numbers stand for, and its number."""
        for event_type in type(self).model_fields:
            if count := getattr(self, event_type):
                yield event_type, count


class RunResult(BaseModel):
    """The outcome of a run. Unknown fields are dropped, so that an older operator can read a newer worker's result."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Literal[1] = 1
    status: Literal["completed", "failed"]
    error: str | None = Field(None, description="One line that describes the error, where it occurred, and the remedy.")
    num_clusters: int | None = None
    num_documents: int | None = None
    num_noise: int | None = Field(None, description="Number of documents in no cluster.")
    results_uri: str | None = None
    baseline: Baseline | None = None
    metrics: dict[str, float] = Field(default_factory=dict)
    notes: list[str] = Field(
        default_factory=list, description="Decisions that the worker made by itself, such as a reduction."
    )
    clusters: list[ClusterBrief] = Field(default_factory=list, description="The largest clusters, largest first.")
    documents: DocumentCounts | None = Field(None, description="Changes of the collection that was processed.")
    changes: Changes | None = Field(None, description="Changes since the previous run that the RunSpec names.")
    next_cluster_id: int | None = Field(
        None, description="The highest cluster_id ever used plus one, for the next run."
    )
    enrichment: EnrichmentBrief | None = Field(None, description="taxonomy_enrichment: what it found.")

    def to_message(self) -> str:
        """Returns JSON of at most RESULT_LIMIT bytes.

        If the JSON is too long, it drops the smallest clusters, then notes, metrics and changes, and truncates the
        error.
        """
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
