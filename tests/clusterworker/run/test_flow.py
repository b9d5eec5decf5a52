"""Tests of the picture of changes since the previous run: every document is in one band."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse

from clusterworker.data.arrays import Rows
from clusterworker.run.findings import Crossing
from clusterworker.run.report.flow import Flow, flow
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write

COUNTS = np.array([[90, 0, 10], [0, 60, 0], [5, 0, 20]])


def drawn(counts: Rows = COUNTS, gone: tuple[int, ...] = (4, 0), new: tuple[int, ...] = (0, 30)) -> Flow:
    """Clusters 3 and 7, and noise; documents of clusters 3 and 9 come from it."""
    before, matrix = counts.sum(axis=1), sparse.csr_array(counts)
    crossing = Crossing("before", np.array([3, 7]), ["a", "b"], before[:-1] + gone, int(before[-1]), matrix)
    sizes = counts.sum(axis=0)[:-1] + new
    found = flow(crossing, np.array([3, 9]), ["a", "c"], sizes, int(counts[:, -1].sum()))
    assert found is not None
    return found


def test_every_document_is_in_a_block_of_each_side() -> None:
    found = drawn()
    assert {block.label: block.documents for block in found.before} == {
        "3  a": 104,
        "7  b": 60,
        "noise": 25,
        "new documents": 30,
    }
    assert {block.label: block.documents for block in found.now} == {
        "3  a": 95,
        "9  c": 90,
        "noise": 30,
        "removed documents": 4,
    }
    assert sum(block.height for block in found.before) == pytest.approx(sum(block.height for block in found.now), abs=2)


def test_bands_say_how_many_went_where() -> None:
    tooltips = {band.tooltip for band in drawn().bands}
    assert tooltips == {
        "3  a → 3  a: 90 documents",
        "3  a → noise: 10 documents",
        "3  a → removed documents: 4 documents",
        "7  b → 9  c: 60 documents",
        "noise → 3  a: 5 documents",
        "noise → noise: 20 documents",
        "new documents → 9  c: 30 documents",
    }


def test_bands_too_thin_to_be_seen_are_counted() -> None:
    found = drawn(COUNTS * 1_000 + np.array([[0, 7, 0], [0, 0, 0], [0, 0, 0]]))
    assert found.thin == 7 + 4 + 30
    assert len(found.bands) == 5


def test_many_clusters_are_drawn_together() -> None:
    counts = np.zeros((41, 41), np.int64)
    np.fill_diagonal(counts, np.arange(41, 0, -1))
    crossing = Crossing("before", np.arange(40), ["n" * 50] * 40, np.arange(41, 1, -1), 1, sparse.csr_array(counts))
    found = flow(crossing, np.arange(40), ["n"] * 40, np.arange(41, 1, -1), 1)
    assert found is not None
    assert [block.label for block in found.now][-2:] == ["26 smaller clusters", "noise"]
    assert all(len(block.label) <= 35 for block in found.before)
    ends = [(block.y, block.y + block.height) for block in found.now]
    assert all(end <= begin for (_, end), (begin, _) in pairwise(ends))


def test_documents_that_were_not_compared_give_no_picture() -> None:
    assert flow(None, np.array([0]), ["a"], np.array([5]), 0) is None


def test_the_report_shows_it(pod: Pod) -> None:
    config = {"algorithm": "kmeans", "n_clusters": 3}
    write(pod.volume / "data.parquet", planted(200, 3).vectors)
    first = pod.spec(config, run="nightly-1")
    result = pod.run(first)
    page = (pod.folder(first) / "report.html").read_text()
    assert "What changed since" not in page
    previous = {"run": first.run, "uri": result.results_uri, "next_cluster_id": result.next_cluster_id}
    second = pod.spec(config, run="nightly-2", previous=previous)
    pod.run(second)
    page = (pod.folder(second) / "report.html").read_text()
    assert "<h2>What changed since nightly-1</h2>" in page
    assert "3 clusters kept; 100.0% of 200 documents of both runs stayed in their cluster." in page
    assert page.count("documents</title></path>") == 3
    (pod.folder(first) / "members.parquet").unlink()
    pod.run(second)
    page = (pod.folder(second) / "report.html").read_text()
    assert "3 clusters kept." in page
    assert 'class="flow"' not in page
    assert json.loads((pod.folder(second) / "metrics.json").read_text())["changes"]["moved"] is None
