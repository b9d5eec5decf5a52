"""Tests of the largest clusters, within the number of bytes that a termination message has for them."""

from __future__ import annotations

import pytest

from clustercontract.run import RunResult
from clusterworker.clustering.description import ClusterSummary, Document
from clusterworker.run.brief import in_brief


def summaries(count: int, text: str) -> list[ClusterSummary]:
    return [
        ClusterSummary(n, "words, that, tell", 900 - n, tuple(Document(f"doc-{n}-{i}", 0.1, text) for i in range(3)))
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("count", "text", "told", "documents", "characters"),
    [
        (3, "short", 3, 3, 5),
        (5, "x" * 200, 5, 3, 60),
        (12, "x" * 200, 12, 1, 50),
        (50, "", 20, 1, 0),
        (50, "é" * 200, 20, 1, 0),
    ],
)
def test_clusters_in_brief_fit(count: int, text: str, told: int, documents: int, characters: int) -> None:
    briefs = in_brief(summaries(count, text))
    assert len(RunResult(status="completed", clusters=briefs).to_message()) < 2_600
    assert [brief.cluster_id for brief in briefs] == list(range(told))
    assert all(len(brief.central_documents) == documents for brief in briefs)
    assert {len(document.text or "") for brief in briefs for document in brief.central_documents} == {characters}


def test_of_clusters_with_long_names_as_many_as_fit_are_told() -> None:
    wordy = [ClusterSummary(n, "n" * 300, 9, (Document("d" * 300, 0.1, ""),)) for n in range(20)]
    assert [brief.cluster_id for brief in in_brief(wordy)] == [0, 1, 2]
