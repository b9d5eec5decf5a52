"""What the driver does with the results of executors, without executors."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from clusterworker.process.progress import Progress
from clusterworker.run.distributed import DistributedSurvey


class Shares(Progress):
    """Keeps the shares that are reported."""

    def __init__(self) -> None:
        self.shares: list[float] = []

    def advance(self, done: float, message: str = "") -> None:
        self.shares.append(done)


class Compared:
    """Counts the documents that are compared."""

    documents = 0

    def add(self, batch: Any, labels: Any) -> None:
        assert len(batch.ids) == len(labels)
        self.documents += len(labels)


class Members:
    """Row groups of different sizes."""

    collection_ids = ("col_0",)

    def tables(self) -> Iterator[pa.Table]:
        for rows in (10, 80, 5, 5):
            yield pa.table({"document_id": list(range(rows)), "cluster_id": pa.array([0] * rows, pa.int32())})


def test_progress_counts_documents_whatever_the_sizes_of_row_groups() -> None:
    survey: Any = SimpleNamespace(documents=100)
    members: Any = Members()
    shared: Any = Compared()
    progress = Shares()
    DistributedSurvey(survey, members).compare(shared, progress)
    assert progress.shares == [0.1, 0.9, 0.95, 1.0]
    assert shared.documents == 100
