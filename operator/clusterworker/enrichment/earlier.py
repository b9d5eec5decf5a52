"""Reads the last completed enrichment, from which an incremental one takes documents over."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clustercontract.actions.taxonomy_enrichment import ENRICHMENT_FILE, EnrichmentSpec
from clusterworker.data.arrays import Doubles, Rows
from clusterworker.data.sorted_arrays import places_in
from clusterworker.data.sources.document_ids import document_keys
from clusterworker.enrichment.nodes import Taxonomy
from clusterworker.enrichment.table import NO_NODE, Provenance, read_provenance
from clusterworker.process.errors import RunError
from clusterworker.process.text import one_line
from clusterworker.storage.addresses import bucket_at
from clusterworker.storage.volume import errors_at

BYTES_PER_DOCUMENT = 40
"""Bytes of memory for each document of the previous run: its key, its current row, and temporary space for sorting."""
_SHARE_OF_MEMORY = 0.25
_ROWS = 65_536


@dataclass(frozen=True)
class Taken:
    """Rows of the table that are taken over.

    Attributes:
        ids: pyarrow array, shape (rows,).
        ranks: shape (rows,).
        nodes: Numbers of nodes, NO_NODE for none, shape (rows,).
        scores: shape (rows,).
        rows: Rows of the documents in the current collection, shape (rows,).
    """

    ids: Any
    ranks: Rows
    nodes: Rows
    scores: Doubles
    rows: Rows


class Earlier:
    """An earlier enrichment whose documents need not be searched.

    Args:
        file: Its table.
        errors: Context in which errors of reading the table become one line.
        taxonomy: The taxonomy that it was made with.
        integer_ids: Whether ids are taken over as integers; as text otherwise.
    """

    def __init__(
        self, file: pq.ParquetFile, errors: AbstractContextManager[None], taxonomy: Taxonomy, *, integer_ids: bool
    ) -> None:
        self._file = file
        self._errors = errors
        self._type = pa.int64() if integer_ids else pa.string()
        self._nodes = pa.array(taxonomy.tree.ids, pa.string())
        keys = [np.empty(0, np.int64)]
        for batch in file.iter_batches(_ROWS, columns=["document_id", "rank"]):
            first = pc.less_equal(batch["rank"], 1)
            keys.append(document_keys(batch["document_id"].filter(first)))
        self._keys = np.unique(np.concatenate(keys))
        self._rows = np.full(len(self._keys), -1, np.int64)

    def holds(self, ids: Any, first: int) -> Any:
        """Returns which documents are taken over, and stores their current rows.

        Args:
            ids: Ids of consecutive documents, a pyarrow array.
            first: Row of the first document.
        """
        places, known = self._find(ids)
        self._rows[places[known]] = first + np.flatnonzero(known)
        return known

    def taken(self) -> Iterator[Taken]:
        """Yields the rows of all documents that `holds` has found.

        Raises:
            RunError: the table cannot be read to its end.
        """
        with self._errors:
            for batch in self._file.iter_batches(_ROWS):
                places, known = self._find(batch["document_id"])
                rows = np.where(known, self._rows[np.where(known, places, 0)], -1)
                kept = pa.array(np.flatnonzero(rows >= 0))
                part = batch.take(kept)
                if not part.num_rows:
                    continue
                nodes = pc.fill_null(pc.index_in(part["node_id"], value_set=self._nodes), NO_NODE)
                yield Taken(
                    part["document_id"].cast(self._type),
                    part["rank"].to_numpy().astype(np.int64),
                    nodes.to_numpy(zero_copy_only=False).astype(np.int64),
                    part["score"].to_numpy().astype(np.float64),
                    rows[rows >= 0],
                )

    def _find(self, ids: Any) -> tuple[Rows, Any]:
        """Returns the positions of documents among the keys, and which of them exist."""
        return places_in(self._keys, document_keys(ids))


def earlier_of(
    spec: EnrichmentSpec, taxonomy: Taxonomy, secrets: Path, memory: int, *, integer_ids: bool
) -> tuple[Earlier | None, tuple[str, ...]]:
    """Returns the enrichment that documents are taken over from, and a note if there is none.

    Args:
        spec: Spec of this run.
        taxonomy: The taxonomy.
        secrets: where Secrets are mounted.
        memory: Bytes that the container may use. A quarter of it is for the documents of the previous run.
        integer_ids: Whether this run's document ids are integers.
    """
    last = spec.previous
    if not spec.incremental:
        return None, ()
    if last is None:
        return None, (_full("this trigger has no completed enrichment"),)
    try:
        file, errors = _open(f"{last.uri}/{ENRICHMENT_FILE}", spec, secrets)
        why = _unlike(read_provenance(file), spec, taxonomy)
        if why is None and file.metadata.num_rows * BYTES_PER_DOCUMENT > memory * _SHARE_OF_MEMORY:
            why = f"{last.run} has too many documents for the memory: raise run.resources.limits.memory"
        return (None, (_full(why),)) if why else (Earlier(file, errors, taxonomy, integer_ids=integer_ids), ())
    except (RunError, OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        return None, (_full(f"the results of {last.run} cannot be read: {one_line(error)}"),)


def _unlike(made: Provenance, spec: EnrichmentSpec, taxonomy: Taxonomy) -> str | None:
    """Returns why the results of an earlier run are no longer valid; None if they are."""
    taxonomy_input = taxonomy.given
    if made.nodes_sha256 != taxonomy.sha256:
        same = made.taxonomy_id == taxonomy_input.taxonomy_id
        return f"the nodes have changed since {made.run}" if same else f"{made.run} used taxonomy {made.taxonomy_id}"
    if made.collection_id != spec.collection.collection_id:
        return f"{made.run} read collection {made.collection_id}"
    for name, before, now in (
        ("top_k", made.top_k, taxonomy_input.top_k),
        ("min_score", made.min_score, taxonomy_input.min_score),
    ):
        if before != now:
            return f"{name} was {before:.12g} in {made.run}, and is {now:.12g} now"
    return None


def _open(uri: str, spec: EnrichmentSpec, secrets: Path) -> tuple[pq.ParquetFile, AbstractContextManager[None]]:
    """Yields the table in parts, from a volume or a bucket."""
    access = (spec.previous and spec.previous.results) or spec.results
    bucket = bucket_at(uri, access, secrets)
    if bucket is None:
        if not Path(uri).is_file():
            raise FileNotFoundError(f"{uri} does not exist")
        return pq.ParquetFile(uri, pre_buffer=False), errors_at(uri, "read it", where="")
    with bucket.errors():
        return pq.ParquetFile(bucket.connect().open_input_file(bucket.path), pre_buffer=False), bucket.errors()


def _full(why: str) -> str:
    return f"all documents were searched: {why}"
