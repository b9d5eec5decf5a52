"""layers.parquet and layers.json: every document's cluster at every granularity, and the tree between these."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clustercontract.layers import FILE, Layers
from clusterworker.clustering.algorithms.clustering import LayeredClusters

TABLE = "layers.parquet"


def write_layers(staged: Path, layered: LayeredClusters, described: Layers) -> None:
    """Write both files into the directory that holds members.parquet.

    layers.parquet has a row per document and layer: document_id, layer (0 the finest), cluster_id (-1 is noise), and
    collection_id if there are several collections.

    Args:
        staged: the directory.
        layered: the layers.
        described: the same in words.
    """
    (staged / FILE).write_text(described.model_dump_json(indent=1, exclude_none=True) + "\n", encoding="utf-8")
    with pq.ParquetFile(staged / "members.parquet", pre_buffer=False) as members:
        kept = [name for name in ("document_id", "collection_id") if name in members.schema_arrow.names]
        own = [members.schema_arrow.field(name) for name in kept]
        numbers = [pa.field("layer", pa.int32(), nullable=False), pa.field("cluster_id", pa.int32(), nullable=False)]
        schema = pa.schema([own[0], *numbers, *own[1:]])
        with pq.ParquetWriter(staged / TABLE, schema, compression="zstd") as writer:
            first = 0
            for group in range(members.num_row_groups):
                documents = members.read_row_group(group, columns=kept)
                rows = slice(first, first + len(documents))
                for layer, labels in enumerate(layered.labels):
                    table = documents.add_column(1, "layer", pa.array(np.full(len(documents), layer, np.int32)))
                    table = table.add_column(2, "cluster_id", pa.array(labels[rows]))
                    writer.write_table(table.cast(schema))
                first += len(documents)
