"""Action `taxonomy_enrichment`: every document of a collection gets its nearest nodes of a taxonomy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from clustercontract.base import ApiId, ApiModel
from clustercontract.container import CollectionInput, ResultsTarget
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
    """Give every document of a collection its nearest nodes of a taxonomy."""

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
    """The trigger's last completed enrichment, from which an incremental run takes documents over."""

    run: str = Field(description="The Job's name.")
    uri: str = Field(description="Its folder: a path below RESULTS_MOUNT, or s3://bucket/key.")
    results: ResultsTarget | None = Field(
        None, description="How to access a folder in a bucket. Default: as the run's own results."
    )


class EnrichmentSpec(ApiModel):
    """What an enrichment is to do. Secrets are named here, never contained, as in a RunSpec."""

    version: Literal[1] = 1
    namespace: str
    trigger: str
    run: str = Field(description="The Job's name.")
    slot: str = Field(description="What the run was fired for, as in a RunSpec.")
    taxonomy: TaxonomyInput
    collection: CollectionInput
    incremental: bool = False
    batch_size: BatchSize = Field(1_000, description="Documents that are searched at once.")
    parallelism: Parallelism = Field(4, description="Batches that are searched at a time, one to a CPU at most.")
    seed: int = Field(description="Of the sample from which the report's examples are taken.")
    results: ResultsTarget
    history_limit: int = Field(10, ge=1, description="Folders of results to keep.")
    previous: PreviousEnrichment | None = Field(
        None, description="With incremental; of the moment when the Job was made, the same for every attempt."
    )
    outputs: list[OutputInput] = Field(
        default_factory=list, description="Collections to write each document's nodes into."
    )
    outputs_run: OutputsRun = None
    outputs_before: OutputsBefore = None
