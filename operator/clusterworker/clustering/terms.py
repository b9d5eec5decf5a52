"""Finds the terms of texts: words and pairs of neighbouring words.

py3langid recognises the language, stopwordsiso has the stop words. Chinese, Japanese and Thai are written without
spaces: rjieba finds the words of simplified Chinese, and budoux those of the others. In other such languages (Lao,
Khmer, Burmese), the text between two spaces is a word, which is mostly longer than a term may be.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

READ, READ_UNSPACED = 1_000, 300
"""Maximum number of characters in which terms are searched: of a text, and of a run of words without spaces.

Finding words without spaces takes longer, and they have more meaning per character.
"""
_LOOKED_AT = 300
"""Number of characters of a text from which its language is detected."""
_SURE = 0.7
"""Minimum probability of a text's language for the text to count.

Of 3,003 English package descriptions of 45 characters, one in ten is attributed to another language; of those with at
least this probability, one in a thousand.
"""
_SPOKEN = 0.01
"""Minimum share of these texts for a language to count as one of the collection's."""
_LONGEST = 30
"""Maximum number of characters of a word."""
_ENGLISH_CONTENT = frozenset({"bill", "cry", "fire", "interest", "mill", "name", "system"})
"""Words in scikit-learn's list of English stop words that are often the topic of documents."""
SPACED, JOINED = " ", "\x1f"
"""Separators between the words of a pair, for languages with and without spaces."""
_NO_WORDS = re.compile(r"https?://\S+|<[^<>]{1,100}>|&#?\w{1,10};")
_THAI = r"\u0e01-\u0e3a\u0e40-\u0e4e"
_HAN = r"\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_KANA = r"\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_HIRAGANA = re.compile(r"[\u3041-\u309f]+")
_JAPANESE = re.compile(f"[{_KANA}]")
_GAPS = frozenset({"", "-", "\u2010"})
"""Characters that are allowed between the words of a pair, besides spaces."""

Splitter = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class Terms:
    """The terms of texts.

    Attributes:
        vocabulary: The terms: a word, or two words with SPACED or JOINED between them.
        contained: Which text contains which term, sparse ones, shape (texts, terms).
    """

    vocabulary: npt.NDArray[np.object_]
    contained: Any

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Terms":
        """Finds the terms of texts, without those that only one of many texts contains."""
        found: list[list[str]] = []
        if any(texts):
            stop_words = [stop_words_of(language) for language in languages_of(texts)]
            found = [list(_terms(text, stop)) for text, stop in zip(texts, stop_words, strict=True)]
        counted = Counter(term for terms in found for term in terms)
        least = 2 if len(texts) > 50 else 1
        vocabulary = np.array(sorted(term for term, count in counted.items() if count >= least), object)
        places = {term: place for place, term in enumerate(vocabulary.tolist())}
        columns = [sorted(places[term] for term in terms if term in places) for terms in found]
        ends = np.cumsum([0, *map(len, columns)])
        indices = np.fromiter((place for places in columns for place in places), np.int64, int(ends[-1]))
        shape = (len(texts), len(vocabulary))
        if not found:
            return cls(vocabulary, sparse.csr_array(shape))
        return cls(vocabulary, sparse.csr_array((np.ones(len(indices)), indices, ends), shape=shape))


def in_words(term: str) -> list[str]:
    """Return the words of a term."""
    return re.split(f"[{SPACED}{JOINED}]", term)


def shown(term: str) -> str:
    """Returns a term as text for people."""
    return term.replace(JOINED, "")


def languages_of(texts: Sequence[str]) -> list[str]:
    """Returns the language of each text, by its ISO 639-1 code.

    The language of short texts is uncertain. Therefore, the texts with a clear language determine the languages of the
    collection, and each text gets the likeliest of these.
    """
    import stopwordsiso

    identifier = _identifier()
    identifier.set_languages()
    identifier.set_languages(stopwordsiso.langs() & set(identifier.labels))
    begun = [text[:_LOOKED_AT] for text in texts]
    likeliest = [identifier.classify(text) for text in begun]
    votes = Counter(language for language, probability in likeliest if probability >= _SURE)
    if not votes:
        votes[identifier.classify(" ".join(begun)[: 100 * _LOOKED_AT])[0]] = 1
    spoken = [language for language, count in votes.items() if count >= _SPOKEN * votes.total()]
    if len(spoken) == 1:
        return spoken * len(texts)
    identifier.set_languages(spoken)
    return [identifier.classify(text)[0] for text in begun]


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@cache
def stop_words_of(language: str) -> frozenset[str]:
    """Return the stop words of a language, in lower case, without apostrophes."""
    import stopwordsiso

    listed = stopwordsiso.stopwords(language)
    # The parts on both sides of an apostrophe are words, too: don and t, l of l'ami.
    parts = {part for word in listed if "'" in word for part in word.split("'")}
    if language == "en":
        # stopwordsiso contains web, computer, test and the names of all top-level domains.
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

        listed = ENGLISH_STOP_WORDS - _ENGLISH_CONTENT
    return frozenset(word.lower() for word in listed) | parts


def _terms(text: str, stop_words: Collection[str]) -> set[str]:
    terms: set[str] = set()
    before, end = "", 0
    text = _NO_WORDS.sub("\n\n", text[:READ]).lower()
    for found in _patterns().finditer(text):
        unspaced, word = found["unspaced"], found["word"]
        gap = text[end : found.start()]
        if gap.strip() not in _GAPS or gap.count("\n") > 1:
            before = ""
        end = found.end()
        if unspaced:
            terms.update(_unspaced(unspaced[:READ_UNSPACED], text, stop_words))
            before = ""
        elif word in stop_words or not 2 <= len(word) <= _LONGEST:
            before = ""
        else:
            terms.add(word)
            if before and before != word:
                terms.add(before + SPACED + word)
            before = word
    return terms


def _unspaced(run: str, text: str, stop_words: Collection[str]) -> Iterator[str]:
    before = ""
    for word in _splitter(run, text)(run):
        if word in stop_words or _HIRAGANA.fullmatch(word) or len(word) > _LONGEST:
            before = ""  # In Japanese, inflections and particles are written in hiragana.
            continue
        if len(word) > 1:
            yield word
        if before and before != word:
            yield before + JOINED + word
        before = word


def _splitter(run: str, text: str) -> Splitter:
    if run[0] <= "\u0e7f":
        return _budoux("th")
    if _JAPANESE.search(text):
        return _budoux("ja_word")
    try:
        run.encode("gb2312")
    except UnicodeEncodeError:
        return _budoux("zh-hant")
    import rjieba

    return rjieba.cut


@cache
def _budoux(model: str) -> Splitter:
    import budoux

    weights = json.loads(files("budoux").joinpath("models", f"{model}.json").read_text(encoding="utf-8"))
    parse = budoux.Parser(weights).parse
    # The model was trained on whole sentences.
    return lambda run: [word for piece in parse(run + "。") if (word := piece.rstrip("。"))]


@cache
def _patterns() -> re.Pattern[str]:
    """Matches words, and runs of scripts without spaces.

    Vowel signs of Indic scripts belong to words, which `re` does not support.
    """
    marks = (
        "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
        + "\u200c\u200d"
    )
    unspaced = f"[{_THAI}]+|[{_HAN}{_KANA}]+"
    letter = rf"[^\W\d_{_THAI}{_HAN}{_KANA}]"
    rest = rf"(?:[^\W{_THAI}{_HAN}{_KANA}]|[{marks}])*"
    return re.compile(rf"(?P<unspaced>{unspaced})|(?P<word>{letter}{rest}(?:(?:\+{{1,2}}|#)(?!\w))?)")
