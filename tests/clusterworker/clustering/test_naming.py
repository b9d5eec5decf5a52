"""Names of clusters: words that set them apart, or their most central document."""

from __future__ import annotations

import numpy as np
import pytest

from clusterworker.clustering.naming import name_clusters


def test_names_are_the_words_that_tell_clusters_apart() -> None:
    texts = ["the rust library"] * 4 + ["rust crates library"] * 4 + ["ruby libraries", "ruby gem library"] * 4
    labels = np.repeat([0, 1], 8).astype(np.int32)
    names = name_clusters(2, texts, labels, {})
    assert names[0].startswith("rust, ")
    assert names[1].startswith("ruby, ")
    assert all(name.count("librar") <= 1 for name in names), "one form of a word is enough"


@pytest.mark.parametrize("texts", [[], ["", ""], ["the of", "and"]])
def test_names_without_words_are_the_central_documents(texts: list[str]) -> None:
    labels = np.arange(len(texts), dtype=np.int32)
    assert name_clusters(2, texts, labels, {0: "doc-17", 1: "x" * 50}) == ["doc-17", "x" * 35 + "…"]
