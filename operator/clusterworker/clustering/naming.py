"""Names for clusters: the words that set their documents apart, or else their most central document."""

from collections.abc import Mapping, Sequence

import numpy as np

from clusterworker.data.arrays import Labels
from clusterworker.process.text import shortened

WORDS = 3
LONGEST = 36
"""Characters of a document that gives its cluster the name."""
_TOKEN = r"(?u)\b[^\W\d_][\w+]{2,}\b"  # noqa: S105 - a pattern of words
_LEAST_SHARE = 0.04
_LEAST_DOCUMENTS = 2
"""A word that fewer of a cluster's documents contain does not speak for it."""


def name_clusters(count: int, texts: Sequence[str], labels: Labels, fallback: Mapping[int, str]) -> list[str]:
    """Return a short name per cluster.

    Args:
        count: of clusters.
        texts: of a sample of documents; empty where there is none.
        labels: cluster of each of them, shape (len(texts),).
        fallback: The most central document of a cluster, used if no word stands out.
    """
    words = _telling_words(count, texts, labels)
    return [
        ", ".join(words[cluster]) or shortened(fallback.get(cluster, f"cluster {cluster}"), LONGEST)
        for cluster in range(count)
    ]


def _telling_words(count: int, texts: Sequence[str], labels: Labels) -> list[list[str]]:
    """Words by (share of the cluster's documents) x log(1 + 1 / share of all documents), as in class-based TF-IDF."""
    if not any(texts):
        return [[] for _ in range(count)]
    from sklearn.feature_extraction.text import CountVectorizer

    try:
        vectorizer = CountVectorizer(
            binary=True, stop_words="english", token_pattern=_TOKEN, min_df=2 if len(texts) > 50 else 1
        )
        counts = vectorizer.fit_transform(texts).tocsr()
    except ValueError:  # no word at all
        return [[] for _ in range(count)]
    vocabulary = vectorizer.get_feature_names_out()
    rarity = np.log1p(len(texts) / np.asarray(counts.sum(axis=0)).ravel())
    named = []
    for cluster in range(count):
        rows = np.flatnonzero(labels == cluster)
        containing = np.asarray(counts[rows].sum(axis=0)).ravel()
        share = containing / max(len(rows), 1)
        score = np.where((share >= _LEAST_SHARE) & (containing >= _LEAST_DOCUMENTS), share * rarity, 0)
        order = np.argsort(-score, kind="stable")[: 4 * WORDS]
        named.append(_distinct([str(vocabulary[index]) for index in order if score[index] > 0]))
    return named


def _distinct(words: Sequence[str]) -> list[str]:
    """Keep the first words, without a second form of one already kept (library, libraries)."""
    kept: list[str] = []
    for word in words:
        if not any(word[:5] == other[:5] or word.startswith(other) or other.startswith(word) for other in kept):
            kept.append(word)
    return kept[:WORDS]
