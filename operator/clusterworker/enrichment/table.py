"""Writes enrichment.parquet: the nodes of every document."""

import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clusterworker.data.arrays import Labels, Vectors
from clusterworker.enrichment.nodes import Taxonomy

GROUP_ROWS = 131_072
"""Number of rows in a row group, which are kept in memory until they are written."""
NO_NODE = -1
ROUNDING = 1e-6
"""How far below min_score a score can be, because the score of a document with itself is not always exactly 1."""
_KEY = "clustertrigger.enrichment"


@dataclass(frozen=True)
class Provenance:
    """How an enrichment was made, in the file's metadata.

    An incremental run takes over documents only if it is made in the same way.

    Attributes:
        run: Name of the Job.
        collection_id: Collection of the documents.
        taxonomy_id: Taxonomy of the nodes.
        nodes_sha256: Hash of the nodes.
        top_k: Configured maximum number of nodes per document.
        min_score: Configured minimum score of a node.
    """

    run: str
    collection_id: str
    taxonomy_id: str
    nodes_sha256: str
    top_k: int
    min_score: float


def read_provenance(file: pq.ParquetFile) -> Provenance:
    """Reads the provenance from the metadata of a file.

    Raises:
        KeyError, TypeError, ValueError: the file has no provenance, or that of another version.
    """
    return Provenance(**json.loads((file.metadata.metadata or {})[_KEY.encode()]))


def nearest_rows(ids: Any, nodes: Labels, scores: Vectors, min_score: float) -> tuple[Any, Any, Any, Any]:
    """Returns ids, ranks, node numbers and scores of the table's rows for documents, all of shape (rows,).

    Args:
        ids: Document ids as a pyarrow array, shape (documents,).
        nodes: Numbers of the nearest nodes in ascending distance, shape (documents, k).
        scores: Scores of the nodes, of the same shape.
        min_score: Minimum score of a node.
    """
    near = scores >= min_score - ROUNDING
    without = ~near[:, 0]
    near[:, 0] = True
    documents, places = np.nonzero(near)
    ranks = np.where(without[documents], 0, places + 1)
    numbers = np.where(without[documents], NO_NODE, nodes[documents, places])
    kept = ids if nodes.shape[1] == 1 else ids.take(pa.array(documents))
    return kept, ranks, numbers, scores[documents, places]


class _Table(ABC):
    """Writes a Parquet file by row groups.

    Args:
        file: The file to write.
        schema: Schema of the file. The first column is document_id.
        min_score: Minimum score of a node.
        options: Options of pyarrow's writer.
    """

    def __init__(self, file: Path, schema: pa.Schema, min_score: float, **options: Any) -> None:
        self.writer = pq.ParquetWriter(file, schema, compression="zstd", **options)
        self._schema = schema
        self._min_score = min_score
        self._waiting: list[tuple[Any, Any, Any, Any]] = []
        self._rows = 0

    def write(self, ids: Any, nodes: Labels, scores: Vectors) -> None:
        """Appends the rows of documents; see `nearest_rows` for the arguments."""
        self.append(*nearest_rows(ids, nodes, scores, self._min_score))

    def append(self, ids: Any, ranks: Any, nodes: Any, scores: Any) -> None:
        """Appends rows, which are kept in memory until they fill a row group.

        Args:
            ids: Document ids as a pyarrow array, shape (rows,).
            ranks: Ranks as a numpy array of the same shape.
            nodes: Numbers of nodes, NO_NODE for none, of the same shape.
            scores: Scores of the same shape.
        """
        kept = ids.cast(self._schema.field(0).type), ranks.astype(np.int32), nodes.astype(np.int32)
        self._waiting.append((*kept, scores.astype(np.float32)))
        self._rows += len(ranks)
        if self._rows >= GROUP_ROWS:
            self._flush()

    @abstractmethod
    def _columns(self, ranks: Labels, nodes: Labels, scores: Vectors) -> list[Any]:
        """Returns the columns after document_id, as pyarrow arrays."""

    def _flush(self) -> None:
        # Converting all rows of a row group at once takes less time than converting part by part.
        if self._waiting:
            ids, *others = zip(*self._waiting, strict=True)
            columns = self._columns(*(np.concatenate(parts) for parts in others))
            table = pa.Table.from_arrays([pa.chunked_array(ids), *columns], schema=self._schema)
            self.writer.write_table(table, row_group_size=2 * GROUP_ROWS)
            self._waiting, self._rows = [], 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        self.writer.close()


class EnrichmentTable(_Table):
    """Writes the file while documents stream by.

    Columns: document_id (string, or int64 if all ids are integers), rank (int32, 1 is the nearest), node_id, label,
    path (strings), score (float32, cosine similarity). A document without a node has one row of rank 0, in which
    node_id, label and path are null and score is that of the nearest node.

    Args:
        file: The file to write.
        taxonomy: The taxonomy.
        provenance: How the enrichment is made.
        integer_ids: Whether document ids are integers.
    """

    def __init__(self, file: Path, taxonomy: Taxonomy, provenance: Provenance, *, integer_ids: bool) -> None:
        tree = taxonomy.tree
        self._texts = [pa.array(texts, pa.string()) for texts in (tree.ids, tree.labels, tree.paths)]
        coded = pa.dictionary(pa.int32(), pa.string())
        schema = pa.schema(
            [
                pa.field("document_id", pa.int64() if integer_ids else pa.string(), nullable=False),
                pa.field("rank", pa.int32(), nullable=False),
                pa.field("node_id", coded),
                pa.field("label", coded),
                pa.field("path", coded),
                pa.field("score", pa.float32(), nullable=False),
            ]
        )
        super().__init__(
            file,
            schema,
            taxonomy.given.min_score,
            use_dictionary=["rank", "node_id", "label", "path"],
            store_schema=False,  # Readers see plain strings, whatever the encoding is.
        )
        self.writer.add_key_value_metadata({_KEY: json.dumps(asdict(provenance))})

    def _columns(self, ranks: Labels, nodes: Labels, scores: Vectors) -> list[Any]:
        codes = pa.array(nodes, mask=nodes == NO_NODE)
        texts = [pa.DictionaryArray.from_arrays(codes, texts) for texts in self._texts]
        return [pa.array(ranks), *texts, pa.array(scores)]


class NumberTable(_Table):
    """Writes the rows for a part of the documents, with the numbers of nodes, for `EnrichmentTable.append`.

    Args:
        file: The file to write.
        min_score: Minimum score of a node.
        integer_ids: Whether document ids are integers.
    """

    def __init__(self, file: Path, min_score: float, *, integer_ids: bool) -> None:
        kinds = {"rank": pa.int32(), "node": pa.int32(), "score": pa.float32()}
        ids = pa.int64() if integer_ids else pa.string()
        super().__init__(file, pa.schema({"document_id": ids, **kinds}), min_score, use_dictionary=["rank", "node"])

    def _columns(self, ranks: Labels, nodes: Labels, scores: Vectors) -> list[Any]:
        return [pa.array(ranks), pa.array(nodes), pa.array(scores)]
