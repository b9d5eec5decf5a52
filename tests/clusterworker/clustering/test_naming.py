"""Tests of names of clusters: characteristic terms, or the most central document; and of which names last."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pytest

from clusterworker.clustering.naming import Namer
from clusterworker.clustering.terms import Terms
from clusterworker.data.arrays import NOISE, Labels


def namer(texts: Sequence[str]) -> Namer:
    return Namer(Terms.of(texts))


def clusters(*sizes: int) -> Labels:
    return np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)


def test_names_are_the_words_that_tell_clusters_apart() -> None:
    texts = ["the rust library"] * 4 + ["rust crates library"] * 4 + ["ruby libraries", "ruby gem library"] * 4
    names = namer(texts).names(clusters(8, 8), [0, 1], {})
    assert names[0].startswith("rust")
    assert names[1].startswith("ruby")
    assert all(name.count("librar") <= 1 for name in names), "one form of a word is enough"


@pytest.mark.parametrize("texts", [[], ["", ""], ["the of", "and"], ["1 2 3", "…"]])
def test_names_without_words_are_the_central_documents(texts: list[str]) -> None:
    labels = np.arange(len(texts), dtype=np.int32)
    assert namer(texts).names(labels, [0, 1], {0: "doc-17", 1: "x" * 50}) == ["doc-17", "x" * 17 + "…" + "x" * 18]


def test_two_words_that_stand_together_are_one_term() -> None:
    texts = ["a machine learning model", "machine learning in rust"] * 3 + ["a learning curve", "a slot machine"]
    texts += ["rust crates", "crates for rust"] * 4
    names = namer(texts).names(clusters(8, 8), [0, 1], {})
    assert names[0].split(", ")[0] == "machine learning"
    assert names[0].count("machine") == names[0].count("learning") == 1, "a word of a pair is not named again"


@pytest.mark.parametrize(
    ("word", "other", "once"),
    [
        ("library", "libraries", True),
        ("font", "fonts", True),
        ("query", "queries", True),
        ("compiler", "compiled", True),
        ("translation", "translator", True),
        ("internet", "interface", False),
        ("program", "progress", False),
        ("net", "network", False),
        ("server", "service", False),
        ("data", "date", False),
    ],
)
def test_forms_of_a_word_are_named_once(word: str, other: str, once: bool) -> None:
    texts = [f"{word}. {other}"] * 6 + ["rust"] * 6 + ["ruby"] * 6
    name = namer(texts).names(clusters(6, 6, 6), range(3), {})[0]
    assert len(name.split(", ")) == (1 if once else 2)


def test_no_two_clusters_have_the_same_name() -> None:
    """More terms distinguish them, or else their central documents, or else their numbers."""
    alike = ["alpha. beta. gamma. theta"] * 12
    names = namer([*alike, *["north. words"] * 30]).names(clusters(6, 6, 10, 10, 10), [4, 7, 9, 2, 3], {2: "x", 3: "X"})
    assert names[:2] == ["alpha, beta, gamma", "alpha, beta, gamma, theta"]
    assert names[2:] == ["north, words", "X", "north, words (3)"]
    assert namer([]).names(clusters(), [5, 8, 9], {0: "same", 1: "same"}) == ["same", "same (8)", "cluster 9"]
    assert namer([]).names(clusters(), [8, 5], {0: "same (5)", 1: "same (5)"}) == ["same (5)", "same (5) (5)"]


def test_a_name_lasts_while_its_terms_are_among_those_that_tell() -> None:
    texts = ["perl module. parser"] * 6 + ["python module. parser"] * 6
    labels = clusters(6, 6)
    fresh = namer(texts).names(labels, [0, 1], {})
    last = {0: "parser, perl", 1: "parser, pascal"}
    assert namer(texts).names(labels, [0, 1], {}, last) == ["parser, perl", fresh[1]]
    # The larger of two clusters keeps a name that both have had.
    assert namer(texts).names(labels, [0, 1], {}, {0: "parser", 1: "Parser"})[0] == "parser"
    # A name that lasts is not given to another cluster, though that one is larger.
    assert namer(["rust"] * 20).names(clusters(12, 8), [3, 1], {}, {1: "rust"}) == ["rust (3)", "rust"]


def test_a_name_of_a_document_lasts_while_the_cluster_holds_it() -> None:
    asked: list[Mapping[int, str]] = []

    def still_there(names: Mapping[int, str]) -> Collection[int]:
        asked.append(names)
        return {0}

    central, last = {0: "doc-1", 1: "doc-2", 2: "doc-3"}, {0: "doc-7", 1: "doc-8"}
    assert namer([]).names(clusters(), range(3), central, last, still_there) == ["doc-7", "doc-2", "doc-3"]
    assert asked == [last]
    # With words, documents are not looked up.
    texts = ["rust crates"] * 4 + ["ruby gems"] * 4
    assert namer(texts).names(clusters(4, 4), range(2), central, last, still_there)[0].startswith("rust")
    assert len(asked) == 1


def test_noise_names_no_cluster_and_tells_what_is_common() -> None:
    texts = ["common rust"] * 5 + ["common ruby"] * 5 + ["common"] * 40
    labels = np.concatenate([clusters(5, 5), np.full(40, NOISE, np.int32)])
    assert namer(texts).names(labels, range(2), {}) == ["common rust", "common ruby"]
