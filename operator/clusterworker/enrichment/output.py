"""Converts enrichment.parquet for outputs: one row for each document."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clustercontract.actions.taxonomy_enrichment import EnrichmentSpec
from clustercontract.output import ENRICHMENT, ENRICHMENT_RUN_COLUMN
from clusterworker.outputs.table import BATCH_ROWS, Table
from clusterworker.run.results.record import lineage

VALUES = [
    pa.field("taxonomy_node_id", pa.string()),
    pa.field("taxonomy_label", pa.string()),
    pa.field("taxonomy_path", pa.string()),
    pa.field("taxonomy_score", pa.float32(), nullable=False),
    pa.field("taxonomy_node_ids", pa.list_(pa.string()), nullable=False),
    pa.field("taxonomy_labels", pa.list_(pa.string()), nullable=False),
    pa.field("taxonomy_scores", pa.list_(pa.float32()), nullable=False),
]
"""Columns of the nearest node, and of all nodes of a document, nearest first."""
_NEAREST, _ALL = ("node_id", "label", "path", "score"), ("node_id", "label", "score")


def output_table(spec: EnrichmentSpec, file: Path, *, integer_ids: bool, rows: int = 0) -> Table:
    """Returns the table for outputs.

    Args:
        spec: Spec of the run.
        file: enrichment.parquet. Until it is written, only the table's schema can be read.
        integer_ids: Whether document ids are integers.
        rows: Number of documents.
    """
    identifier = pa.field("document_id", pa.int64() if integer_ids else pa.string(), nullable=False)
    schema = pa.schema([identifier, *VALUES])
    run = spec.outputs_run or spec.run
    return Table(
        name=ENRICHMENT,
        schema=schema,
        keys=("document_id",),
        rows=rows,
        batches=lambda: _batches(file, schema),
        run=run,
        lineage=f"{lineage(run)}-",
        previous=spec.outputs_before,
        run_column=ENRICHMENT_RUN_COLUMN,
    )


def _batches(file: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Combines the consecutive rows of each document, nearest node first, into one row."""
    open_ended: list[pa.RecordBatch] = []
    with pq.ParquetFile(file, pre_buffer=False) as table:
        for batch in table.iter_batches(BATCH_ROWS):
            firsts = _firsts(batch)
            if not len(firsts):
                open_ended.append(batch)
                continue
            # Only the next document shows whether the last document of the batch is complete.
            yield from _grouped([*open_ended, batch.slice(0, firsts[-1])], schema)
            open_ended = [batch.slice(firsts[-1])]
    yield from _grouped(open_ended, schema)


def _firsts(batch: pa.RecordBatch) -> list[int]:
    """Returns the first row of each document: that of the nearest node, or of rank 0 if there is none."""
    first: list[int] = np.flatnonzero(batch["rank"].to_numpy() <= 1).tolist()
    return first


def _grouped(parts: list[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    parts = [part for part in parts if part.num_rows]
    if not parts:
        return
    rows = pa.concat_batches(parts)
    firsts = _firsts(rows)
    nearest, assigned = rows.take(pa.array(firsts)), rows.filter(pc.greater(rows["rank"], 0))
    reached = np.concatenate([[0], np.cumsum(rows["rank"].to_numpy() > 0)])
    offsets = pa.array(reached[[*firsts, rows.num_rows]].astype(np.int32))
    lists = [pa.ListArray.from_arrays(offsets, assigned[name]) for name in _ALL]
    columns = [nearest["document_id"], *(nearest[name] for name in _NEAREST), *lists]
    yield pa.record_batch(columns, schema=schema)
