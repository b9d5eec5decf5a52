"""The pass over the documents that finds their nodes: by this process, or by Spark's executors part by part."""

from __future__ import annotations

import hashlib
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
from clusterworker.data.sources.messages import changed
from clusterworker.enrichment.earlier import Earlier
from clusterworker.enrichment.nodes import Taxonomy
from clusterworker.enrichment.search import NodeSearch, Picked, Searched, Slice
from clusterworker.enrichment.table import EnrichmentTable, NumberTable
from clusterworker.enrichment.tally import Sample, Tally
from clusterworker.process.progress import Progress
from clusterworker.run.parts import Parts, Silent, part_name, task_scratch
from clusterworker.run.results.stages import Stages, read_arrays, write_arrays

SAMPLED = 2_000
"""Documents among which the doubtful ones are looked for."""


JOINED = 16_384
"""Minimum number of documents whose results are written and counted together."""


class Documents(Protocol):
    """All documents, or a part of them."""

    @property
    def rows(self) -> int:
        """Number of documents."""

    def given(self) -> Iterator[Batch]:
        """Yields them in order."""


class Known(Protocol):
    """Knows which documents are not searched, because they are taken over."""

    def holds(self, ids: Any, first: int) -> Any:
        """Returns which of consecutive documents are known, shape (rows,).

        Args:
            ids: Their ids, a pyarrow array.
            first: Row of the first document.
        """


@dataclass(frozen=True)
class KnownOfPart:
    """See Known: documents of one part.

    Attributes:
        known: Which documents of the part are known, shape (rows,).
        begin: Row of its first document.
    """

    known: Any
    begin: int

    def holds(self, ids: Any, first: int) -> Any:
        """See Known."""
        row = first - self.begin
        return self.known[row : row + len(ids)]


@dataclass(frozen=True)
class SearchSettings:
    """What is searched for.

    Attributes:
        nodes: Number of nodes of the taxonomy.
        top_k: Maximum number of nodes of a document.
        min_score: Minimum score of a node.
        batch_size: Maximum number of documents that are searched together.
        rows: Number of all documents.
        seed: Seed of the sample.
    """

    nodes: int
    top_k: int
    min_score: float
    batch_size: int
    rows: int
    seed: int

    @classmethod
    def of(cls, spec: EnrichmentSpec, taxonomy: Taxonomy, rows: int) -> SearchSettings:
        """Returns what the spec asks for."""
        taxonomy_input = taxonomy.given
        return cls(
            len(taxonomy.tree.ids), taxonomy_input.top_k, taxonomy_input.min_score, spec.batch_size, rows, spec.seed
        )


class Found:
    """What is found out about the documents while they are read.

    Args:
        settings: What is searched for.

    Attributes:
        settings: What is searched for.
        tally: Sums over the documents.
        sample: Sample of all documents.
    """

    def __init__(self, settings: SearchSettings) -> None:
        self.settings = settings
        self.tally = Tally(settings.nodes, settings.min_score)
        self.sample = Sample(settings.rows, SAMPLED, settings.seed)

    def state(self) -> dict[str, Any]:
        """Returns it as arrays, for `merge` in another process."""
        return {**self.tally.state(), **self.sample.state()}

    def merge(self, state: dict[str, Any]) -> None:
        """Adds the documents that follow, which another process has searched; see `state`."""
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
    earlier: Known | None = None,
) -> None:
    """Searches the nearest nodes of each document.

    Args:
        documents: The documents.
        search: Searches the nodes.
        threads: Number of threads that read and search.
        found: Receives the documents and their nodes.
        write: Called with ids, nodes and scores, in the order of the documents.
        progress: Receives the progress.
        first: Row number of the first document among all.
        earlier: Has documents that are not searched. They are sampled, too.
    """
    slices = _slices(documents, found.settings.batch_size, found.sample, progress, first, earlier)
    for one in _joined(search.all(slices, threads)):
        write(one.ids, one.nodes, one.scores)
        found.tally.add(one.ids, one.rows, one.nodes[:, 0], one.scores[:, 0])


def _slices(
    documents: Documents, size: int, sample: Sample, progress: Progress, begin: int, earlier: Known | None
) -> Iterator[Slice]:
    row = 0
    for batch in documents.given():
        rows = np.arange(begin + row, begin + row + len(batch.vectors))
        sample.add(batch.ids, batch.vectors, begin + row)
        place, ids, vectors = batch.place, batch.ids, batch.vectors
        if earlier is not None:
            left = np.flatnonzero(~earlier.holds(ids, begin + row))
            place, ids, vectors, rows = Picked(place, left), ids.take(pa.array(left)), vectors[left], rows[left]
        pieces = -(-len(rows) // size)  # They have equal sizes, because a small one takes more time per document.
        for number in range(pieces):
            first = number * len(rows) // pieces
            part = slice(first, (number + 1) * len(rows) // pieces)
            yield Slice(ids[part], vectors[part], rows[part], place, first)
        row += len(batch.vectors)
        progress.advance(row / documents.rows)


def _joined(results: Iterator[Searched]) -> Iterator[Searched]:
    """Joins the results of several slices, because each call that writes or counts some takes time of its own."""
    waiting: list[Searched] = []
    for result in results:
        waiting.append(result)
        if sum(len(result.rows) for result in waiting) >= JOINED:
            yield Searched.joined(waiting)
            waiting = []
    if waiting:
        yield Searched.joined(waiting)


def search_by_parts(
    parts: Parts, taxonomy: Taxonomy, settings: SearchSettings, table: EnrichmentTable, earlier: Earlier | None = None
) -> Found:
    """Searches the documents by Spark's executors, part by part, and writes their results.

    Args:
        parts: Parts of the documents.
        taxonomy: The taxonomy.
        settings: What is searched for.
        table: The table to write.
        earlier: Has documents that are not searched.
    """
    left = _write_known(parts, earlier) if earlier else ""
    known = (taxonomy.sha256, json.dumps(list(taxonomy.tree.ids)))
    nodes = f"{parts.stage('nodes', *known)}.npz"
    if nodes not in parts.stages.names():
        write_arrays(parts.stages, nodes, {"vectors": taxonomy.vectors}, parts.scratch)
    stage = parts.stage("enriched", *known, settings, left)
    parts.carry_out(stage, partial(_search, parts.stages, stage, nodes, left, parts.each, settings))
    found = Found(settings)
    for part, state in parts.found(stage):
        found.merge(state)
        name = part_name(stage, part.number, ".parquet")
        with parts.stages.open(name) as opened, pq.ParquetFile(opened, pre_buffer=False) as rows:
            for batch in rows.iter_batches():
                ids, ranks, numbers, scores = batch.columns
                table.append(ids, ranks.to_numpy(), numbers.to_numpy(), scores.to_numpy())
        parts.progress.advance((part.first + part.rows) / parts.rows)
    return found


def _write_known(parts: Parts, earlier: Earlier) -> str:
    """Writes for each part which of its documents are known; returns the prefix of these files.

    Hashes of ids are valid only in this process, so it reads the ids of all parts, without the vectors.
    """
    digest, found = hashlib.sha256(), []
    for part in parts.each:
        row, known = part.first, []
        for ids in part.ids():
            known.append(earlier.holds(ids, row))
            row += len(ids)
        if row != part.first + part.rows:
            raise changed(f"collection {part.collection.collection_id}", f"{row - part.first} of {part.rows} ids")
        found.append(np.packbits(np.concatenate(known)))
        digest.update(found[-1].tobytes())
    stage = parts.stage("known", digest.hexdigest())
    there = parts.stages.names()
    for part, bits in zip(parts.each, found, strict=True):
        if (name := part_name(stage, part.number)) not in there:
            write_arrays(parts.stages, name, {"known": bits}, parts.scratch)
    return stage


def _search(
    stages: Stages,
    stage: str,
    nodes: str,
    known: str,
    parts: Sequence[DatasetPart],
    settings: SearchSettings,
    number: int,
) -> None:
    """Executes the task of one part: writes its rows and then its sums, which show that the task is complete."""
    part, found = parts[number], Found(settings)
    earlier = None
    if known:
        bits = read_arrays(stages, part_name(known, number))["known"]
        earlier = KnownOfPart(np.unpackbits(bits, count=part.rows).astype(bool), part.first)
    search = NodeSearch(read_arrays(stages, nodes)["vectors"], settings.top_k)
    with task_scratch() as scratch:
        with (
            stages.create(part_name(stage, number, ".parquet"), scratch) as file,
            NumberTable(file, settings.min_score, integer_ids=part.integer_ids) as table,
        ):
            search_documents(part, search, 1, found, table.write, Silent(), first=part.first, earlier=earlier)
        write_arrays(stages, part_name(stage, number), found.state(), scratch)
