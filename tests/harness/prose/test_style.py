"""Tests that the house style finds the phrases that it is for, and accepts their replacements."""

from __future__ import annotations

import pytest

from harness.prose.style import Style, sentences
from harness.prose.texts import Text

STYLE = Style.read()


def problems(words: str, *, is_sentence: bool = True) -> list[str]:
    return list(STYLE.problems(Text("page.md:1", words, is_sentence)))


@pytest.mark.parametrize(
    "phrase",
    [
        "A mistake is told at `kubectl apply`.",
        "remembers a yes for a minute: for so long a revoked token still counts",
        "All others go where the nearest of it goes.",
        "Here somebody tries doors.",
        "The event is told to nobody any more.",
        "data.count is no count",
        "Of the metric.",
        "It ends, to be started again.",
        "A mistake of ours ends the watches.",
        "Of a request.",
        "n_clusters goes with kmeans, spectral only: remove it",
        "One line that names the field, the value and the way out.",
        "Watches objects, for ever.",
        "One pure function is the heart.",
        "A table, with its schema if need be.",
        "The newest version that can be had.",
        "It was killed for want of memory.",
        "The file is not there.",
        "The run was never there.",
        "While paused, nothing fires.",
        "Without TLS, tokens travel in the clear.",
        "NAME and -f exclude each other",
        "no operator was found: name --url instead",
        "The trigger is accepted all the same.",
        "Telling receivers about runs",
        "The chart brings an example along.",
        "clustered by way of 100 micro-clusters",
        "It waits for a leader that fell silent.",
        "The page is rendered anew.",
        "The browser may keep them for ever.",
        "Kopf gives up for good.",
        "Which Chromium there is, and how it is had.",
        "The folder appears whole or not at all.",
        "A curve with the threshold and what chance alone does.",
        "A client that speaks to the API server.",
        "A server that speaks S3's protocol.",
        "Names are what k-means stands or falls with.",
        "The length is read off the first vector.",
        "A word is what stands between spaces.",
        "Any replica takes events in.",
        "The operator goes by the API server's clock.",
        "I/O, and a room for each of the rest.",
        "An event that is counted up.",
        "It follows the clock on the wall.",
        "It removes what becomes of the folders.",
        "It is no part of `make test`.",
        "Jobs that a user deletes by hand",
        "The newest run still goes on.",
        "Whoever reaches the port gets an answer.",
        "This address is no proxy of ours.",
        "Too many senders are turned away.",
        "Slots come due during the outage.",
        "The operator reads all objects afresh.",
        "The client knows every Job beforehand.",
        "The previous run, where there is one.",
        "A flood of made-up tokens keeps others waiting.",
        "The checkout is no release.",
        "What no watch tells is found by comparing lists.",
        "A history that was put back counts from then on.",
    ],
)
def test_a_riddle_is_found(phrase: str) -> None:
    assert problems(phrase) != []


@pytest.mark.parametrize(
    "phrase",
    [
        "Mistakes are reported by `kubectl apply`.",
        "It caches approvals for one minute; a revoked token works until then.",
        "The others join the cluster of their nearest sampled neighbour.",
        "data.count is not a valid count",
        "The metric's value.",
        "Exiting so that it is restarted.",
        "Of all candidates, it takes the nearest one.",
        "There is no object with this name.",
        "It is no longer needed.",
        "n_clusters is valid only with kmeans, spectral: remove it",
        "The file does not exist.",
        "There is not enough memory.",
        "Several documents are at all the same places.",
        "no operator was found: set --url",
        "The operator notifies receivers of runs.",
        "All triggers fire at the same time.",
        "Requests are limited for good reason.",
        "The file appears completely or not at all.",
        "A bucket on a server with the S3 protocol.",
        "Missed slots are counted up to 100.",
        "The queue has room for 100 events.",
        "Mode assign is not part of this test.",
    ],
)
def test_plain_words_pass(phrase: str) -> None:
    assert problems(phrase) == []


def test_the_problems_of_a_page_are_wide_lines_and_paragraphs() -> None:
    wide = "word " * STYLE.most_words
    assert list(STYLE.problems_in(f"{wide}\n\nThe file is not there.\n", "page.md")) == [
        f"page.md:1: {len(wide)} columns: wrap at {STYLE.most_columns}",
        "page.md:3: 'is not there': write does not exist, is missing",
    ]


def test_a_long_sentence_is_found_in_pages_but_not_in_messages() -> None:
    words = "word " * (STYLE.most_words + 1)
    assert len(problems(words)) == 1
    assert problems(words, is_sentence=False) == []


def test_a_problem_names_the_place_the_phrase_and_the_replacement() -> None:
    assert problems("Of the metric.")[0] == "page.md:1: 'Of the metric.': write the metric's value"


def test_abbreviations_do_not_end_a_sentence() -> None:
    assert list(sentences("A claim, e.g. Longhorn's. It works.")) == ["A claim, e.g. Longhorn's.", "It works."]


@pytest.mark.parametrize(
    ("name", "covered"),
    [
        ("README.md", True),
        ("operator/clustertrigger/main.py", True),
        ("charts/clustertrigger/templates/NOTES.txt", True),
        ("crds/collections.yaml", False),
        ("harness/prose/style.toml", False),
        ("docs/report.png", False),
    ],
)
def test_generated_files_and_pictures_are_left_out(name: str, covered: bool) -> None:
    assert STYLE.covers(name) is covered
