"""Applies the rules of style.toml to a file, and to a paragraph."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from harness.prose.texts import Text, texts_of, wide_lines

_SENTENCES = re.compile(r"(?<=[.!?])[\"')]*\s+(?=[A-Z`…\"(])")
_ABBREVIATION = re.compile(r"(?:e\.g|i\.e|etc|vs|cf)\.$")


@dataclass(frozen=True)
class Rule:
    """A phrase that the house style avoids, and what to write instead."""

    phrase: re.Pattern[str]
    write: str


@dataclass(frozen=True)
class Style:
    """The house style.

    Attributes:
        rules: The phrases to avoid.
        most_words: Maximum number of words of a sentence.
        most_columns: Maximum number of characters of a page's line.
        files: Names of the files that contain prose.
        except_files: Names of the files that are not checked.
    """

    rules: tuple[Rule, ...]
    most_words: int
    most_columns: int
    files: re.Pattern[str]
    except_files: re.Pattern[str]

    @classmethod
    def read(cls) -> Self:
        """Reads style.toml."""
        raw = tomllib.loads(Path(__file__).with_name("style.toml").read_text(encoding="utf-8"))
        return cls(
            rules=tuple(Rule(re.compile(rule["phrase"]), rule["write"]) for rule in raw["avoid"]),
            most_words=raw["sentences"]["most_words"],
            most_columns=raw["pages"]["most_columns"],
            files=re.compile("|".join(raw["files"]["check"])),
            except_files=re.compile("|".join(raw["files"]["except"])),
        )

    def covers(self, name: str) -> bool:
        """Returns whether the file with this name, relative to the repository, is checked."""
        return self.files.search(name) is not None and self.except_files.match(name) is None

    def problems_in(self, content: str, name: str) -> Iterator[str]:
        """Yields one line for each problem of a file.

        Args:
            content: The file's content.
            name: Path relative to the repository, with slashes.
        """
        if name.endswith(".md"):
            for number, columns in wide_lines(content, self.most_columns):
                yield f"{name}:{number}: {columns} columns: wrap at {self.most_columns}"
        for text in texts_of(content, name):
            yield from self.problems(text)

    def problems(self, text: Text) -> Iterator[str]:
        """Yields one line for each problem of a paragraph."""
        for rule in self.rules:
            for found in rule.phrase.finditer(text.words):
                yield f"{text.place}: {found[0].strip()!r}: write {rule.write}"
        for sentence in sentences(text.words) if text.is_sentence else ():
            words = len(sentence.split())
            if words > self.most_words:
                yield f"{text.place}: {' '.join(sentence.split()[:5])} …: {words} words: split the sentence"


def sentences(paragraph: str) -> Iterator[str]:
    """Yields the sentences of a paragraph."""
    sentence = ""
    for part in _SENTENCES.split(paragraph):
        sentence = f"{sentence} {part}".strip()
        if not _ABBREVIATION.search(part):
            yield sentence
            sentence = ""
    if sentence:
        yield sentence
