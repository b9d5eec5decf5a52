"""Tests that the demo's two versions of a collection differ enough for its trigger to fire."""

from __future__ import annotations

import io

import numpy as np
import pyarrow.parquet as pq
import yaml

from harness.demo import documents
from harness.demo.spark import EXAMPLE
from harness.demo.steps import DATA, MANIFESTS


def test_the_demo_names_the_numbers_of_removed_and_added_documents() -> None:
    then, now = (pq.read_table(io.BytesIO(version(DATA))) for version in (documents.before, documents.after))
    before, after = set(then["document_id"].to_pylist()), set(now["document_id"].to_pylist())
    assert (len(before - after), len(after - before)) == (713, 1042)
    assert then.schema.metadata == now.schema.metadata
    assert b"embedding_model" in now.schema.metadata


def test_the_swap_exceeds_the_threshold_of_the_trigger() -> None:
    means = []
    for version in (documents.before, documents.after):
        table = pq.read_table(io.BytesIO(version(DATA)))
        means.append(np.array(table["embedding"].to_pylist()).mean(axis=0))
    then, now = means
    drift = 1 - then @ now / np.linalg.norm(then) / np.linalg.norm(now)
    schedule = yaml.safe_load((MANIFESTS / "on-drift.yaml").read_text())["spec"]["schedule_config"]
    assert schedule["metric"] == "cosine_drift"
    assert drift > schedule["threshold"]
    assert round(drift, 3) == 0.065, "documents.py says so"


def test_each_executor_of_the_example_gets_a_part_of_the_documents() -> None:
    """An executor reads whole row groups, of at most partition_rows documents together."""
    *_, trigger = yaml.safe_load_all(EXAMPLE.read_text())
    engine = trigger["spec"]["run"]["engine"]
    for version in (documents.before, documents.after):
        file = pq.ParquetFile(io.BytesIO(version(DATA))).metadata
        groups = [file.row_group(number).num_rows for number in range(file.num_row_groups)]
        assert max(groups) <= engine["partition_rows"]
        assert len(groups) >= engine["executors"]
