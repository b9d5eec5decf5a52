"""Makes Parquet files like those of users: a valid one, and one for each kind of invalid data."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.cluster.files import REPOSITORY

SECTIONS = REPOSITORY / "examples/data/debian-sections.parquet"
EXAMPLE = REPOSITORY / "examples/data/debian-packages.parquet"
DOCUMENTS = 400
GROUPS = 8
NAN_ROW, RAGGED_ROW, RAGGED_LENGTH = 7, 5, 3


def files() -> dict[str, bytes]:
    """Return the files of the stories' collections, by name."""
    fine = pq.read_table(EXAMPLE, columns=["document_id", "description", "embedding"])[:DOCUMENTS]
    return {
        "packages.parquet": _written(fine),
        "missing-column.parquet": _written(fine.rename_columns(["document_id", "description", "vector"])),
        "nan.parquet": _written(_with_embedding(fine, _with_nan(fine))),
        "ragged.parquet": _written(_with_embedding(fine, _with_one_shorter(fine))),
        "empty.parquet": _written(fine[:0]),
    }


def groups(documents: int) -> bytes:
    """Return a file with documents of 64 dimensions in GROUPS separate groups."""
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(GROUPS, 64))[np.arange(documents) % GROUPS]
    vectors += 0.3 * generator.normal(size=vectors.shape)
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel().astype(np.float32)), 64)
    return _written(pa.table({"document_id": pa.array(range(documents)), "embedding": column}))


def _with_nan(table: pa.Table) -> pa.Array:
    vectors = table["embedding"].combine_chunks()
    values = vectors.flatten().to_numpy(zero_copy_only=False).copy()
    dimensions = vectors.type.list_size
    values[NAN_ROW * dimensions] = np.nan
    return pa.FixedSizeListArray.from_arrays(pa.array(values), dimensions)


def _with_one_shorter(table: pa.Table) -> pa.Array:
    vectors = table["embedding"].to_pylist()
    vectors[RAGGED_ROW] = vectors[RAGGED_ROW][:RAGGED_LENGTH]
    return pa.array(vectors, pa.list_(pa.float32()))


def _with_embedding(table: pa.Table, vectors: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index("embedding"), "embedding", vectors)


def _written(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()
