"""Defines the action `taxonomy_enrichment`, which assigns each document its nearest nodes of a taxonomy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from clustercontract.base import ApiId, ApiModel
from clustercontract.container import CollectionInput, ResultsTarget
from clustercontract.engine import Engine
from clustercontract.filters import Filter
from clustercontract.output import OutputInput, OutputsBefore, OutputsRun

ENRICHMENT_SPEC_VARIABLE = "CLUSTERWORKER_ENRICHMENT_SPEC"
ENRICHMENT_FILE = "enrichment.parquet"
MOST_NODES_PER_DOCUMENT = 50

BatchSize = Annotated[int, Field(ge=100, le=10_000)]
Parallelism = Annotated[int, Field(ge=1, le=16)]
ColumnName = Annotated[str, Field(min_length=1, max_length=253)]
TopK = Annotated[int, Field(ge=1, le=MOST_NODES_PER_DOCUMENT)]
Score = Annotated[float, Field(ge=-1, le=1)]


class TaxonomyEnrichment(ApiModel):
    """Assigns each document of a collection its nearest nodes of a taxonomy."""

    taxonomy_id: ApiId
    collection_id: ApiId
    target_collection_id: ApiId | None = None
    filters: Filter | None = None
    incremental: bool = False
    batch_size: BatchSize = 1_000
    parallelism: Parallelism = 4


class TaxonomyInput(ApiModel):
    """A taxonomy, as the worker sees it."""

    taxonomy_id: str
    nodes: CollectionInput = Field(description="The collection whose documents are the nodes.")
    label_column: ColumnName
    parent_column: ColumnName | None = None
    top_k: TopK = 1
    min_score: Score = 0.0


class PreviousEnrichment(ApiModel):
    """The trigger's last completed enrichment, whose results an incremental run reuses."""

    run: str = Field(description="Name of the run's Job.")
    uri: str = Field(description="Folder of the run: a path below RESULTS_MOUNT, or s3://bucket/key.")
    results: ResultsTarget | None = Field(
        None, description="How to access a folder in a bucket. Default: as the run's own results."
    )


class EnrichmentSpec(ApiModel):
    """The input of an enrichment. It names Secrets and never contains them, as a RunSpec does."""

    version: Literal[1] = 1
    namespace: str
    trigger: str
    run: str = Field(description="Name of the run's Job.")
    slot: str = Field(description="The slot of the run, as in a RunSpec.")
    taxonomy: TaxonomyInput
    collection: CollectionInput
    incremental: bool = False
    batch_size: BatchSize = Field(1_000, description="Number of documents per search.")
    parallelism: Parallelism = Field(4, description="Number of concurrent searches, at most one per CPU.")
    seed: int = Field(description="Random seed of the sample that the report's examples are taken from.")
    results: ResultsTarget
    history_limit: int = Field(10, ge=1, description="Number of results folders to keep.")
    previous: PreviousEnrichment | None = Field(
        None,
        description="incremental: the previous run at the time when the Job was created, so that every attempt reuses "
        "the same results.",
    )
    outputs: list[OutputInput] = Field(
        default_factory=list, description="Collections to write each document's nodes into."
    )
    engine: Engine | None = Field(None, description="Spark's executors, which search the documents.")
    outputs_run: OutputsRun = None
    outputs_before: OutputsBefore = None
