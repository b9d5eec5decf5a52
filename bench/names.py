"""Names of clusters by several weights of their terms: ``python -m bench.names [--data FILE]``.

Terms are those of the worker, from a sample of 4,000 documents. Each weight names the clusters of k-means at two
granularities, and the sections that people have put the documents in. Names are measured on documents that were not in
the sample, except coherence, which counts all:

* F1: of a name as a query that finds documents with any of its terms, for the documents of its cluster; mean of
  clusters.
* precision: share of the documents found that are the cluster's; mean of clusters.
* coherence: normalized pointwise mutual information of the words of a name, from -1 to 1; mean of pairs and clusters.
* diversity: share of distinct words among all words of all names.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from clusterworker.clustering.algorithms.clustering import by_size
from clusterworker.clustering.algorithms.kmeans import train
from clusterworker.clustering.algorithms.nearest import NearestCentroid
from clusterworker.clustering.naming import SEPARATOR, Namer, Rarity, bm25
from clusterworker.clustering.survey import SAMPLE_ROWS
from clusterworker.clustering.terms import SPACED, Terms
from clusterworker.data.arrays import Doubles, Labels
from harness.cluster.files import REPOSITORY
from harness.outcome import Goal, finish

EXAMPLE = REPOSITORY / "examples/data/debian-packages.parquet"
CLUSTERS = (12, 60)
SEED = 0


def by_documents(documents: Doubles, number: int, _average: float) -> Doubles:
    """Weigh terms by the share of documents that contain them, as before."""
    return np.log1p(number / np.maximum(documents, 1))


def class_based(documents: Doubles, _number: int, average: float) -> Doubles:
    """Weigh terms as class-based TF-IDF does without BM25."""
    return np.log1p(average / np.maximum(documents, 1))


WEIGHTS: dict[str, Rarity] = {"documents": by_documents, "class-based": class_based, "class-based, BM25": bm25}


@dataclass
class Corpus:
    """Documents, some of which are sampled.

    Attributes:
        terms: of all of them.
        sampled: which are in the sample, shape (documents,).
    """

    terms: Terms
    sampled: Any

    def __post_init__(self) -> None:
        self.place = {term: place for place, term in enumerate(self.terms.vocabulary.tolist())}
        self.columns = self.terms.contained.tocsc()

    def sample(self, *, pairs: bool) -> Terms:
        """Return the terms of the sample, with pairs of words or without."""
        contained = self.terms.contained[np.flatnonzero(self.sampled)]
        often = np.asarray(contained.sum(axis=0)).ravel() >= 2
        words = np.array([SPACED not in term for term in self.terms.vocabulary])
        chosen = np.flatnonzero(often & (words | pairs))
        return Terms(self.terms.vocabulary[chosen], contained[:, chosen])

    def containing(self, term: str) -> Any:
        """Return the documents with a term."""
        place = self.place[term]
        return self.columns.indices[self.columns.indptr[place] : self.columns.indptr[place + 1]]


def measured(corpus: Corpus, names: list[str], labels: Labels) -> dict[str, float]:
    """Return the measures of names."""
    scores, precisions, coherences, words = [], [], [], []
    unseen = ~corpus.sampled
    for cluster, name in enumerate(names):
        terms = [term for term in name.split(SEPARATOR) if term in corpus.place]
        own = unseen & (labels == cluster)
        if not own.any():
            continue
        found = np.zeros(len(labels), bool)
        for term in terms:
            found[corpus.containing(term)] = True
        found &= unseen
        hits = np.count_nonzero(found & own)
        scores.append(2 * hits / (np.count_nonzero(found) + np.count_nonzero(own)))
        precisions.append(hits / max(int(np.count_nonzero(found)), 1))
        parts = [word for term in terms for word in term.split(SPACED)]
        coherences += [mutual_information(corpus, *pair) for pair in combinations(parts, 2)]
        words += parts
    return {
        "F1": round(float(np.mean(scores)), 3),
        "precision": round(float(np.mean(precisions)), 3),
        "coherence": round(float(np.mean(coherences)), 3),
        "diversity": round(len(set(words)) / len(words), 3),
        "terms of two words": round(sum(SPACED in term for name in names for term in name.split(SEPARATOR))
                                    / sum(len(name.split(SEPARATOR)) for name in names), 3),
    }  # fmt: skip


def mutual_information(corpus: Corpus, one: str, other: str) -> float:
    """Normalized pointwise mutual information of two words in the same document."""
    documents_of_one, documents_of_other = corpus.containing(one), corpus.containing(other)
    both = len(np.intersect1d(documents_of_one, documents_of_other)) / len(corpus.sampled)
    if not both:
        return -1.0
    independent = len(documents_of_one) * len(documents_of_other) / len(corpus.sampled) ** 2
    return float(np.log(both / independent) / -np.log(both)) if both < 1 else 1.0


def labelled(table: Any) -> dict[str, Labels]:
    """Return several clusterings of the documents."""
    column = table["embedding"].combine_chunks()
    vectors = column.flatten().to_numpy().reshape(len(table), column.type.list_size)
    found = {
        f"kmeans, {count}": by_size(NearestCentroid(train(vectors, count, 100, "cosine", SEED))(vectors))
        for count in CLUSTERS
    }
    _, sections = np.unique(table["section"].to_numpy(zero_copy_only=False).astype(str), return_inverse=True)
    return {**found, "sections": by_size(sections.astype(np.int32))}


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return how long it took, and what it returned."""
    begin = time.perf_counter()
    found = work()
    return time.perf_counter() - begin, found


def main() -> int:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=EXAMPLE, help="Parquet with embedding, description and section")
    table = pq.read_table(parser.parse_args().data, columns=["embedding", "description", "section"])
    texts = table["description"].to_pylist()
    sampled = np.zeros(len(texts), bool)
    size = min(SAMPLE_ROWS, len(texts) // 2)
    sampled[np.random.default_rng(SEED).choice(len(texts), size, replace=False)] = True
    Terms.of(texts[:10])  # loads what is loaded on first use
    seconds, _ = timed(lambda: Terms.of([text for text, chosen in zip(texts, sampled, strict=True) if chosen]))
    corpus = Corpus(Terms.of(texts), sampled)
    rows: list[dict[str, Any]] = []
    for clusters, labels in labelled(table).items():
        for pairs in (False, True):
            sample = corpus.sample(pairs=pairs)
            for weight, rarity in WEIGHTS.items():
                names = Namer(sample, rarity).names(labels[sampled], range(int(labels.max()) + 1), {})
                row = {"clusters": clusters, "terms": "words and pairs" if pairs else "words", "weight": weight}
                rows.append(row | measured(corpus, names, labels) | {"largest": names[0]})
    mean = {
        weight: float(np.mean([row["F1"] for row in rows if row["weight"] == weight and row["terms"] != "words"]))
        for weight in WEIGHTS
    }
    best = mean["class-based, BM25"] / max(mean.values())
    goals = [
        Goal("F1 of BM25, beside the best weight", best, 1, True, "times"),
        Goal(f"terms of {size:,} texts", seconds, 5, False, "s"),
    ]  # fmt: skip
    return finish("names", rows, goals)


if __name__ == "__main__":
    raise SystemExit(main())
