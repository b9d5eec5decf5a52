"""Names for clusters: the terms that set their documents apart, or else their most central document.

A term counts by class-based TF-IDF with the weight of BM25. No two clusters of a run have the same name, and a cluster
that lasts keeps its name as long as the name's terms are among those that set it apart.

Design record: docs/design/names.md.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from clusterworker.clustering.terms import Terms, in_words, shown
from clusterworker.data.arrays import NOISE, Doubles, Labels, Rows

WORDS, MOST_WORDS = 3, 6
"""Terms of a name; more where another cluster has that name."""
SEPARATOR = ", "
BEGINNING, END = 17, 18
"""Characters of a document's id that give its cluster the name: of a longer one these, and … between them. Ids of one
collection often begin alike (https://example.org/articles/)."""
LONGEST = BEGINNING + 1 + END
TELLING, LASTING = 50, 100
"""A name is made of so many terms that set the cluster apart, and lasts while its terms are among so many."""
_LEAST_SHARE = 0.04
_LEAST_DOCUMENTS = 2
"""A term that fewer of a cluster's documents contain does not speak for it; a name lasts down to half of that."""
_PHRASE = 0.5
"""A pair of words replaces one of them if at least this share of the word's documents in the cluster have the pair."""
_ENDING = 3
"""Characters in which two forms of a word differ at most (library, libraries)."""

Rarity = Callable[[Doubles, int, float], Doubles]
"""Weight of each term, from the documents that contain it, shape (terms,), the number of all documents, and how many
terms the documents of a cluster contain on average."""
Documents = Callable[[Mapping[int, str]], Collection[int]]
_Term = tuple[int, list[str]]
"""Place in the vocabulary, and the term's words."""


def bm25(documents: Doubles, _number: int, average: float) -> Doubles:
    """Weigh terms as BM25 weighs them, with clusters in place of documents: negative for what is in most clusters."""
    return np.log1p((average - documents + 0.5) / (documents + 0.5))


@dataclass(frozen=True)
class _Ranked:
    """The terms of one cluster, the most telling first.

    Attributes:
        terms: place of each in the vocabulary, and its words.
        documents: of the cluster that contain it, by its place.
        lasting: places of all terms with which a name lasts.
    """

    terms: Sequence[_Term] = ()
    documents: Mapping[int, float] = field(default_factory=dict)
    lasting: Sequence[int] = ()


class Namer:
    """Names clusters after the terms of a sample of their documents.

    Args:
        terms: of the sample.
        rarity: weight of a term.
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
        """Return a name per cluster; no two are the same.

        Args:
            labels: cluster of each document of the sample, shape (documents,).
            numbers: cluster_id of each cluster.
            fallback: The most central document of a cluster, used if no term stands out.
            last: names that clusters had in the run before.
            still_there: tells of clusters with names of documents which of them still hold that document.
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
        some = (documents >= least / 2) & (rarity[places] > 0)
        if not (some & (documents >= least)).any():  # what is everywhere is better than nothing
            some, rarity = documents >= least / 2, np.ones(len(rarity))
        places, documents = places[some], documents[some]
        order = np.lexsort((places, -documents * rarity[places]))
        counts = dict(zip(places[order].tolist(), documents[order].tolist(), strict=True))
        chosen = [place for place, count in counts.items() if count >= least][:TELLING]
        terms = [(place, in_words(self._terms.vocabulary[place])) for place in chosen]
        return _Ranked(terms, counts, list(counts)[:LASTING])

    def _lasting(
        self, ranked: Sequence[_Ranked], last: Mapping[int, str], still_there: Documents
    ) -> Iterator[tuple[int, str]]:
        """The names that stay, those of the largest clusters first."""
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
        """The most telling terms, none of which repeats a word of another, in whatever form."""
        kept: list[str] = []
        said: list[str] = []
        for term in ranked.terms:
            place, words = _phrase(term, ranked)
            if not any(_alike(word, other) for word in words for other in said):
                kept.append(shown(self._terms.vocabulary[place]))
                said += words
            if len(kept) == most:
                break
        return kept


def of_document(document_id: str) -> str:
    """The name of a cluster after a document."""
    return document_id if len(document_id) <= LONGEST else f"{document_id[:BEGINNING]}…{document_id[-END:]}"


def _phrase(term: _Term, ranked: _Ranked) -> _Term:
    """The pair that a word is mostly part of, or else the term itself."""
    place, words = term
    if len(words) > 1:
        return term
    enough = _PHRASE * ranked.documents[place]
    pairs = (other for other in ranked.terms if len(other[1]) > 1 and words[0] in other[1])
    return next((pair for pair in pairs if ranked.documents[pair[0]] >= enough), term)


def _alike(one: str, other: str) -> bool:
    """Whether two words are forms of one word (library, libraries; compiler, compiled)."""
    shorter, longer = sorted((one, other), key=len)
    common = next((place for place, letter in enumerate(shorter) if letter != longer[place]), len(shorter))
    if 3 * common < 2 * len(longer) or len(longer) - common > _ENDING:
        return len(shorter) > 3 and longer == f"{shorter[:-1]}ies"  # query, queries
    return common == len(shorter) or common >= 5
