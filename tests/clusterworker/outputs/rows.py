"""Tables for outputs, and how tests write them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from clustercontract.output import OutputInput
from clusterworker.outputs.opening import open_outputs
from clusterworker.outputs.table import Output, Table
from clusterworker.process.progress import Progress

VALUES = [
    pa.field("cluster_id", pa.int32(), nullable=False),
    pa.field("cluster_name", pa.string()),
    pa.field("cluster_distance", pa.float32()),
]
Row = tuple[Any, int, str | None, float | None]


def table(*rows: Row, run: str = "nightly-1a2b-2", previous: str | None = None, batch: int = 2, **fields: Any) -> Table:
    """Rows of document_id, cluster_id, cluster_name and cluster_distance, in batches of two."""
    integers = bool(rows) and isinstance(rows[0][0], int)
    schema = pa.schema([pa.field("document_id", pa.int64() if integers else pa.string(), nullable=False), *VALUES])

    def batches() -> Iterator[pa.RecordBatch]:
        for begin in range(0, len(rows), batch):
            columns = list(zip(*rows[begin : begin + batch], strict=True))
            arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
            yield pa.record_batch(arrays, schema=schema)

    made = Table("clusters", schema, ("document_id",), len(rows), batches, run, "nightly-1a2b-", previous)
    return replace(made, **fields)


def output(source: dict[str, Any], write: dict[str, Any], root: Path, mount: Path | None = None) -> Output:
    """Opens an output; Secrets are in root/secrets."""
    given = {"collection_id": "col_out", "source": source, "write": write}
    if mount is not None:
        given["mount_path"] = str(mount)
    (root / "scratch").mkdir(exist_ok=True)
    parsed = OutputInput.model_validate_json(json.dumps(given))
    [opened] = open_outputs([parsed], root / "scratch", root / "secrets")
    return opened


def written(opened: Output, rows: Table) -> str:
    """Checks and writes, as a run does."""
    opened.check(replace(rows, rows=0))
    return opened.write(rows, Progress(io.StringIO()))
