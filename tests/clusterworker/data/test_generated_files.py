"""Tests that every file that pyarrow writes is read without loss, or rejected with a remedy.

`make test` uses 200 files, and `make fuzz` 10,000: FILES sets the number.
"""

from __future__ import annotations

import os
import tempfile
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clustercontract.filters import Filter
from clustercontract.source import Source
from clusterworker.clustering.central import CentralDocuments
from clusterworker.data.arrays import Labels
from clusterworker.data.dataset import StreamedDataset
from clusterworker.data.sources.parquet.collection import ParquetCollection
from clusterworker.data.sources.parquet.store import VolumeStore
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.progress import Progress
from clusterworker.run.results.members_table import MembersTable
from tests.clusterworker.data.generated_files import GeneratedFile, expected_ids, expected_vector, generated_files

NEEDED = ("document_id", "embedding", "text", "f", "a.b")
FILES = int(os.environ.get("FILES", "200"))
_RELAXED = settings(suppress_health_check=list(HealthCheck))

comparisons = st.one_of(
    st.tuples(st.sampled_from(["eq", "ne"]), st.sampled_from(["doc-1", "", 5, 2.5, True, "2026-11-22", 2**53])),
    st.tuples(
        st.sampled_from(["gt", "gte", "lt", "lte"]),
        st.sampled_from([5, -1.5, "2026-11-22", "9999-12-31", "0001-01-01"]),
    ),
    st.tuples(st.sampled_from(["in", "nin"]), st.sampled_from([["a", "b"], [1, 2.5], [0]])),
    st.tuples(st.just("exists"), st.booleans()),
)  # fmt: skip
filters = st.none() | st.builds(
    lambda name, compare: {"field": name, "operator": compare[0], "value": compare[1]},
    st.sampled_from(["f", "f", "f", "document_id", "embedding", "lang", "a.b"]),
    comparisons,
)
places = st.sampled_from(["data.parquet", "lang=en/data.parquet", "lang=__HIVE_DEFAULT_PARTITION__/part=01/000_0"])


@pytest.mark.fuzz
@pytest.mark.timeout(7200)
def test_files() -> None:
    used: list[bool] = []

    @settings(_RELAXED, max_examples=FILES)
    @given(generated_files(), filters, places)
    def check(made: GeneratedFile, wanted: dict[str, Any] | None, place: str) -> None:
        used.append(use(made, wanted, place))

    check()
    print(f"{len(used)} files: {sum(used)} read, {len(used) - sum(used)} refused")  # noqa: T201 - shown by make fuzz
    assert len(used) >= FILES
    assert sum(used) > FILES / 10


def use(made: GeneratedFile, wanted: dict[str, Any] | None, place: str) -> bool:
    """Reads a file as a run does; returns whether it was readable."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "d", place)
        file.parent.mkdir(parents=True)
        file.write_bytes(made.content)
        try:
            ids, vectors = read(Path(directory), wanted)
        except MisconfiguredError as error:
            line = str(error)
        else:
            line = ""
    if line:
        assert "\n" not in line
        assert ": " in line
        if made.damage is None and ("damaged or unreadable" in line or "not readable" in line):
            assert not is_readable(made.content), line
        return False
    if made.damage is None and wanted is None:
        # As pyarrow reads it: without its own schema a file holds other types than were written.
        batches = pq.ParquetFile(BytesIO(made.content)).iter_batches(100, columns=["document_id", "embedding"])
        table = pa.Table.from_batches(batches)
        assert ids == expected_document_ids(table["document_id"])
        for row, vector in enumerate(vectors):
            numbers = np.array(expected_vector(table["embedding"][row].as_py()), np.float64)
            assert np.array_equal(vector, numbers.astype(np.float32))
    return True


def is_readable(content: bytes) -> bool:
    """Returns whether pyarrow reads the columns that a run reads."""
    try:
        file = pq.ParquetFile(BytesIO(content))
        for batch in file.iter_batches(columns=[name for name in NEEDED if name in file.schema_arrow.names]):
            batch.validate(full=True)
    except (pa.ArrowException, OSError):
        return False
    return True


def expected_document_ids(column: Any) -> list[Any]:
    ids = expected_ids(column)
    fits = all(isinstance(one, int) and one < 2**63 for one in ids)
    kind = column.type
    if pa.types.is_decimal(kind):
        return [int(one) for one in ids] if kind.scale == 0 and kind.precision <= 18 else ids
    return ids if fits else [str(one) for one in ids]


def read(volume: Path, wanted: dict[str, Any] | None) -> tuple[list[Any], list[Any]]:
    """Uses a source as a run does."""
    source = Source(uri="d", text_column="text", filters=Filter(**wanted) if wanted else None)
    collection = ParquetCollection("col_0", source, VolumeStore(volume, "d"))
    dataset = StreamedDataset([collection], "euclidean", Progress(StringIO()))
    central, members = CentralDocuments(), volume / "members.parquet"
    ids: list[Any] = []
    vectors: list[Any] = []
    row = 0
    with MembersTable(members, ["col_0"], integer_ids=dataset.integer_ids) as table:
        for batch in dataset.batches():
            labels: Labels = np.zeros(len(batch.vectors), np.int32)
            distances = np.zeros(len(labels), np.float32)
            table.write(batch, labels, distances)
            central.add(row, batch.ids, labels, distances)
            ids.extend(batch.ids.to_pylist())
            vectors.extend(batch.vectors)
            row += len(labels)
    assert row == collection.rows
    assert batch.vectors.shape[1] == dataset.dimensions
    assert pq.read_table(members)["document_id"].to_pylist() == ids
    texts = collection.texts(np.arange(row))
    assert sorted(texts) == list(range(row))
    assert all(isinstance(text, str) for text in texts.values())
    collection.embedding_model.encode()
    return ids, vectors
