"""Tests of what all actions share: the location of results, and the summary of a completed run."""

from __future__ import annotations

from typing import Any

import pytest

from clustercontract.run import RunResult
from clustertrigger.api.run_policy import RunPolicy
from clustertrigger.core.actions.work import RunDefaults, distinct, in_words, results_claim, results_target

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({}, ""),
        ({"num_clusters": 3, "num_documents": 40}, "3 clusters of 40 documents"),
        ({"documents": {"documents_added": 5, "documents_deleted": 1}}, "5 documents added, 0 updated, 1 deleted"),
    ],
)
def test_the_summary_of_a_result(found: Json, words: str) -> None:
    assert in_words(RunResult.model_validate({"status": "completed", **found})) == words


@pytest.mark.parametrize(
    ("results", "default_uri", "uri", "claim"),
    [
        ({}, "", "/results", "clustertrigger-results"),
        ({}, "team/a", "/results/team/a", "clustertrigger-results"),
        ({"uri": "own"}, "team/a", "/results/own", "clustertrigger-results"),
        ({"volume": "mine"}, "", "/results", "mine"),
        ({"uri": "s3://bucket/a"}, "", "s3://bucket/a", None),
        ({}, "s3://bucket/b", "s3://bucket/b", None),
    ],
)
def test_where_results_go(results: Json, default_uri: str, uri: str, claim: str | None) -> None:
    run = RunPolicy.model_validate({"results": results})
    defaults = RunDefaults(image="worker:1", results_uri=default_uri)
    assert results_target(run, defaults).uri == uri
    assert results_claim(run, defaults) == claim


def test_each_name_once() -> None:
    assert distinct(["b", None, "a", "b", ""]) == ("b", "a")
