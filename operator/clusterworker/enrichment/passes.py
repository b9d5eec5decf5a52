"""The pass over the documents that finds their nodes: by this process, or by Spark's executors part by part."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clustercontract.actions.taxonomy_enrichment import EnrichmentSpec
from clusterworker.data.arrays import Labels, Vectors
from clusterworker.data.dataset import DatasetPart
from clusterworker.data.sources.batch import Batch
from clusterworker.enrichment.earlier import Earlier
from clusterworker.enrichment.nodes import Taxonomy
from clusterworker.enrichment.search import NodeSearch, Picked, Slice
from clusterworker.enrichment.table import EnrichmentTable, NumberTable
from clusterworker.enrichment.tally import Sample, Tally
from clusterworker.process.progress import Progress
from clusterworker.run.parts import Parts, Silent, part_name, task_scratch
from clusterworker.run.results.stages import Stages, read_arrays, write_arrays

SAMPLED = 2_000
"""Documents among which the doubtful ones are looked for."""


class Documents(Protocol):
    """All documents, or a part of them."""

    @property
    def rows(self) -> int:
        """How many."""

    def given(self) -> Iterator[Batch]:
        """Yield them in order."""


@dataclass(frozen=True)
class Asked:
    """What is searched for.

    Attributes:
        nodes: of the taxonomy.
        top_k: nodes of a document.
        min_score: that a node must have.
        batch_size: documents of a search.
        rows: all documents.
        seed: of the sample.
    """

    nodes: int
    top_k: int
    min_score: float
    batch_size: int
    rows: int
    seed: int

    @classmethod
    def of(cls, spec: EnrichmentSpec, taxonomy: Taxonomy, rows: int) -> Asked:
        """Return what the spec asks for."""
        given = taxonomy.given
        return cls(len(taxonomy.tree.ids), given.top_k, given.min_score, spec.batch_size, rows, spec.seed)


class Found:
    """What is found out about the documents while they stream by.

    Args:
        asked: what is searched for.

    Attributes:
        asked: what is searched for.
        tally: of their nodes.
        sample: of all documents.
    """

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.tally = Tally(asked.nodes, asked.min_score)
        self.sample = Sample(asked.rows, SAMPLED, asked.seed)

    def state(self) -> dict[str, Any]:
        """Return it as arrays, for `merge` in another process."""
        return {**self.tally.state(), **self.sample.state()}

    def merge(self, state: dict[str, Any]) -> None:
        """Take in the documents that come next, which another process has searched; from `state`."""
        self.tally.merge(state)
        self.sample.merge(state)


def search_documents(
    documents: Documents,
    search: NodeSearch,
    threads: int,
    found: Found,
    write: Callable[[Any, Labels, Vectors], None],
    progress: Progress,
    *,
    first: int = 0,
    earlier: Earlier | None = None,
) -> None:
    """Search all nodes for each document.

    Args:
        documents: to search.
        search: of the nodes.
        threads: that search at the same time.
        found: takes in the documents.
        write: called with ids, nodes and scores, in the order of the documents.
        progress: receives the progress.
        first: row number of the first document among all.
        earlier: has documents that are not searched; they are sampled, too.
    """
    slices = _slices(documents, found.asked.batch_size, found.sample, progress, first, earlier)
    for one, nodes, scores in search.all(slices, threads):
        write(one.ids, nodes, scores)
        found.tally.add(one.ids, one.rows, nodes[:, 0], scores[:, 0])


def _slices(
    documents: Documents, size: int, sample: Sample, progress: Progress, begin: int, earlier: Earlier | None
) -> Iterator[Slice]:
    row = 0
    for batch in documents.given():
        rows = np.arange(begin + row, begin + row + len(batch.vectors))
        sample.add(batch.ids, batch.vectors, begin + row)
        place, ids, vectors = batch.place, batch.ids, batch.vectors
        if earlier is not None:
            left = np.flatnonzero(~earlier.holds(ids, begin + row))
            place, ids, vectors, rows = Picked(place, left), ids.take(pa.array(left)), vectors[left], rows[left]
        for first in range(0, len(rows), size):
            part = slice(first, first + size)
            yield Slice(ids[part], vectors[part], rows[part], place, first)
        row += len(batch.vectors)
        progress.advance(row / documents.rows)


def search_by_parts(parts: Parts, taxonomy: Taxonomy, asked: Asked, table: EnrichmentTable) -> Found:
    """Let executors search, and write what they found.

    Args:
        parts: of the documents.
        taxonomy: the nodes.
        asked: what is searched for.
        table: to write.
    """
    known = (taxonomy.sha256, json.dumps(list(taxonomy.tree.ids)))
    nodes = f"{parts.stage('nodes', *known)}.npz"
    if nodes not in parts.stages.names():
        write_arrays(parts.stages, nodes, {"vectors": taxonomy.vectors}, parts.scratch)
    stage = parts.stage("enriched", *known, asked)
    parts.carry_out(stage, partial(_search, parts.stages, stage, nodes, parts.each, asked))
    found = Found(asked)
    for part, state in parts.found(stage):
        found.merge(state)
        name = part_name(stage, part.number, ".parquet")
        with parts.stages.open(name) as opened, pq.ParquetFile(opened, pre_buffer=False) as rows:
            for batch in rows.iter_batches():
                ids, ranks, numbers, scores = batch.columns
                table.append(ids, ranks.to_numpy(), numbers.to_numpy(), scores.to_numpy())
        parts.progress.advance((part.first + part.rows) / parts.rows)
    return found


def _search(stages: Stages, stage: str, nodes: str, parts: Sequence[DatasetPart], asked: Asked, number: int) -> None:
    """A task: the rows of a part, and what the results need of it. The sums are written last."""
    part, found = parts[number], Found(asked)
    search = NodeSearch(read_arrays(stages, nodes)["vectors"], asked.top_k)
    with task_scratch() as scratch:
        with (
            stages.create(part_name(stage, number, ".parquet"), scratch) as file,
            NumberTable(file, asked.min_score, integer_ids=part.integer_ids) as table,
        ):
            search_documents(part, search, 1, found, table.write, Silent(), first=part.first)
        write_arrays(stages, part_name(stage, number), found.state(), scratch)
