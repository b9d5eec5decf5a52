"""Documents whose clusters are known, and the Parquet files that contain them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clusterworker.data.arrays import Labels, Vectors


@dataclass(frozen=True)
class Planted:
    """Vectors of unit length around random directions, and the direction of each."""

    vectors: Vectors
    labels: Labels


def planted(documents: int, clusters: int, dimensions: int = 16, spread: float = 0.08, seed: int = 0) -> Planted:
    generator = np.random.default_rng(seed)
    directions = generator.normal(size=(clusters, dimensions))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    labels = np.sort(generator.integers(clusters, size=documents)).astype(np.int32)
    vectors = directions[labels] + spread * generator.normal(size=(documents, dimensions))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Planted(vectors.astype(np.float32), labels)


def nested(groups: int = 4, parts: int = 5, documents: int = 60, seed: int = 0) -> tuple[Vectors, Labels, Labels]:
    """Vectors of groups that consist of parts; the labels of the groups and of the parts."""
    generator = np.random.default_rng(seed)
    middles = np.repeat(generator.normal(size=(groups, 64)), parts, axis=0)
    middles += 0.45 * generator.normal(size=middles.shape)
    vectors = np.repeat(middles, documents, axis=0)
    vectors += 0.12 * generator.normal(size=vectors.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    part = np.arange(len(vectors), dtype=np.int32) // documents
    return vectors.astype(np.float32), part // parts, part


def fixed_size_list(vectors: Vectors) -> Any:
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])


def table(vectors: Any, ids: Sequence[Any] | None = None, texts: Sequence[str] | None = None) -> pa.Table:
    """A collection's table; `vectors` is a matrix or a pyarrow array."""
    column = fixed_size_list(vectors) if isinstance(vectors, np.ndarray) else vectors
    columns = {"document_id": list(ids) if ids is not None else [f"doc-{row}" for row in range(len(column))]}
    if texts is not None:
        columns["text"] = list(texts)
    return pa.table({**columns, "embedding": column})


def write(file: Path, vectors: Any, ids: Sequence[Any] | None = None, texts: Sequence[str] | None = None) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table(vectors, ids, texts), file)
    return file
