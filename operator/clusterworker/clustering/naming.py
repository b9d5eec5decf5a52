"""Names clusters after the terms that distinguish their documents, or else after their most central document.

A term is weighted by class-based TF-IDF with the weight of BM25. Names are unique within a run, and a lasting cluster
keeps its name as long as the name's terms are among those that distinguish it. Design record: docs/design/names.md.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from clusterworker.clustering.terms import Terms, in_words, shown
from clusterworker.data.arrays import NOISE, Doubles, Labels, Rows

WORDS, MOST_WORDS = 3, 6
"""Number of terms of a name; more if another cluster has that name."""
SEPARATOR = ", "
BEGINNING, END = 17, 18
"""Number of characters of a document's id in a name: those of the beginning and the end of a longer id, with … between
them. Ids of one collection often have a common beginning (https://example.org/articles/).
"""
LONGEST = BEGINNING + 1 + END
TELLING, LASTING = 50, 100
"""A name is made of this number of distinguishing terms, and lasts while its terms are among this larger number."""
_LEAST_SHARE = 0.04
_LEAST_DOCUMENTS = 2
"""Minimum share of a cluster's documents that contain a term of its name; a name lasts down to half of that."""
_PHRASE = 0.5
"""A pair of words replaces one of them if at least this share of the word's documents in the cluster contain the pair.
"""
_ENDING = 3
"""Maximum number of characters in which two forms of a word differ (library, libraries)."""

Rarity = Callable[[Doubles, int, float], Doubles]
"""Weight of each term, from the documents that contain it, shape (terms,), the number of all documents, and how many
terms the documents of a cluster contain on average."""
Documents = Callable[[Mapping[int, str]], Collection[int]]
_Term = tuple[int, list[str]]
"""Place in the vocabulary, and the term's words."""


def bm25(documents: Doubles, _number: int, average: float) -> Doubles:
    """Weights terms as BM25 does, with clusters instead of documents; negative for terms of most clusters."""
    return np.log1p((average - documents + 0.5) / (documents + 0.5))


@dataclass(frozen=True)
class _Ranked:
    """The terms of one cluster, the most distinguishing first.

    Attributes:
        terms: Place of each in the vocabulary, and its words.
        documents: Number of the cluster's documents that contain it, by its place.
        lasting: Places of all terms with which a name lasts.
    """

    terms: Sequence[_Term] = ()
    documents: Mapping[int, float] = field(default_factory=dict)
    lasting: Sequence[int] = ()


class Namer:
    """Names clusters after the terms of a sample of their documents.

    Args:
        terms: Terms of the sample.
        rarity: Weight of a term.
    """

    def __init__(self, terms: Terms, rarity: Rarity = bm25) -> None:
        self._terms = terms
        self._rarity = rarity

    def names(
        self,
        labels: Labels,
        numbers: Sequence[int],
        fallback: Mapping[int, str],
        last: Mapping[int, str] | None = None,
        still_there: Documents = lambda _names: (),
    ) -> list[str]:
        """Returns a name per cluster; all are different.

        Args:
            labels: Cluster of each document of the sample, shape (documents,).
            numbers: cluster_id of each cluster.
            fallback: The most central document of a cluster, used if no term stands out.
            last: Names of clusters in the previous run.
            still_there: Returns which clusters that are named after a document still contain that document.
        """
        ranked = self._ranked(labels, len(numbers))
        names: dict[int, str] = {}
        taken: set[str] = set()
        for cluster, name in self._lasting(ranked, last or {}, still_there):
            if name.casefold() not in taken:
                names[cluster] = name
                taken.add(name.casefold())
        for cluster, number in enumerate(numbers):
            if cluster not in names:
                candidates = self._candidates(ranked[cluster], fallback.get(cluster, ""), number)
                names[cluster] = next(name for name in candidates if name.casefold() not in taken)
                taken.add(names[cluster].casefold())
        return [names[cluster] for cluster in range(len(numbers))]

    def _ranked(self, labels: Labels, count: int) -> list[_Ranked]:
        contained = self._terms.contained
        inside = np.flatnonzero(labels != NOISE)
        sizes = np.bincount(labels[inside], minlength=count)
        total = np.asarray(contained.sum(axis=0)).ravel()
        if not total.size or not inside.size:
            return [_Ranked()] * count
        clusters = np.count_nonzero(sizes) + (len(inside) < len(labels))
        rarity = self._rarity(total, len(labels), float(total.sum()) / clusters)
        ones = np.ones(len(inside))
        members = sparse.csr_array((ones, (labels[inside], inside)), shape=(count, len(labels)))
        documents = sparse.csr_array(members @ contained)
        places = documents.indices.astype(np.int64)
        parts = [slice(*documents.indptr[cluster : cluster + 2]) for cluster in range(count)]
        return [
            self._rank(places[part], documents.data[part], size, rarity) if size else _Ranked()
            for part, size in zip(parts, sizes.tolist(), strict=True)
        ]

    def _rank(self, places: Rows, documents: Doubles, size: int, rarity: Doubles) -> _Ranked:
        least = max(_LEAST_SHARE * size, _LEAST_DOCUMENTS)
        eligible = (documents >= least / 2) & (rarity[places] > 0)
        if not (eligible & (documents >= least)).any():  # A term that occurs everywhere is better than none.
            eligible, rarity = documents >= least / 2, np.ones(len(rarity))
        places, documents = places[eligible], documents[eligible]
        order = np.lexsort((places, -documents * rarity[places]))
        counts = dict(zip(places[order].tolist(), documents[order].tolist(), strict=True))
        chosen = [place for place, count in counts.items() if count >= least][:TELLING]
        terms = [(place, in_words(self._terms.vocabulary[place])) for place in chosen]
        return _Ranked(terms, counts, list(counts)[:LASTING])

    def _lasting(
        self, ranked: Sequence[_Ranked], last: Mapping[int, str], still_there: Documents
    ) -> Iterator[tuple[int, str]]:
        """Returns the names that stay, those of the largest clusters first."""
        unsaid = {cluster: name for cluster, name in last.items() if not ranked[cluster].terms}
        holding = still_there(unsaid) if unsaid else ()
        for cluster, name in sorted(last.items()):
            telling = {shown(self._terms.vocabulary[place]) for place in ranked[cluster].lasting}
            if cluster in holding or telling.issuperset(name.split(SEPARATOR)):
                yield cluster, name

    def _candidates(self, ranked: _Ranked, document: str, number: int) -> Iterator[str]:
        chosen = self._chosen(ranked, MOST_WORDS)
        for count in range(min(WORDS, len(chosen)), len(chosen) + 1):
            if count:
                yield SEPARATOR.join(chosen[:count])
        own = SEPARATOR.join(chosen[:WORDS])
        if document:
            yield of_document(document)
            own = own or of_document(document)
        own = f"{own} ({number})" if own else f"cluster {number}"
        while True:
            yield own
            own += "'"

    def _chosen(self, ranked: _Ranked, most: int) -> list[str]:
        """Yields the most distinguishing terms, none of which repeats a word of another in any form."""
        kept: list[str] = []
        words_of_kept: list[str] = []
        for term in ranked.terms:
            place, words = _phrase(term, ranked)
            if not any(_alike(word, other) for word in words for other in words_of_kept):
                kept.append(shown(self._terms.vocabulary[place]))
                words_of_kept += words
            if len(kept) == most:
                break
        return kept


def of_document(document_id: str) -> str:
    """Returns the name of a cluster after a document."""
    return document_id if len(document_id) <= LONGEST else f"{document_id[:BEGINNING]}…{document_id[-END:]}"


def _phrase(term: _Term, ranked: _Ranked) -> _Term:
    """Returns the pair to which a word mostly belongs, or else the term itself."""
    place, words = term
    if len(words) > 1:
        return term
    enough = _PHRASE * ranked.documents[place]
    pairs = (other for other in ranked.terms if len(other[1]) > 1 and words[0] in other[1])
    return next((pair for pair in pairs if ranked.documents[pair[0]] >= enough), term)


def _alike(one: str, other: str) -> bool:
    """Returns whether two words are forms of one word (library, libraries; compiler, compiled)."""
    shorter, longer = sorted((one, other), key=len)
    common = next((place for place, letter in enumerate(shorter) if letter != longer[place]), len(shorter))
    if 3 * common < 2 * len(longer) or len(longer) - common > _ENDING:
        return len(shorter) > 3 and longer == f"{shorter[:-1]}ies"  # query, queries
    return common == len(shorter) or common >= 5
