"""Tests of terms of texts in languages with and without spaces."""

from __future__ import annotations

import numpy as np
import pytest

from clusterworker.clustering.terms import Terms, languages_of, shown

ENGLISH = [
    "The administration of databases is a part of computer science",
    "The customer has not paid the invoice that we sent in March",
    "We deliver your order to the address that you have given us",
]
GERMAN = [
    "Die Verwaltung von Datenbanken ist ein Teil der Informatik",
    "Der Kunde hat seine Rechnung für den März noch nicht bezahlt",
    "Wir liefern Ihre Bestellung an die Adresse, die Sie angegeben haben",
]
FRENCH = [
    "L'administration des bases de données est une partie de l'informatique",
    "Le client n'a pas encore payé la facture que nous lui avons envoyée",
    "Nous livrons votre commande à l'adresse que vous avez indiquée",
]


def terms(*texts: str) -> set[str]:
    return {shown(term) for term in Terms.of(texts).vocabulary}


def test_stop_words_are_those_of_the_texts_own_language() -> None:
    found = terms(*GERMAN)
    assert {"verwaltung", "datenbanken", "kunde", "rechnung", "informatik"} <= found
    assert not {"die", "der", "ein", "noch", "nicht", "wir", "haben", "für", "die verwaltung"} & found
    found = terms(*FRENCH)
    assert {"administration", "données", "client", "facture", "informatique"} <= found
    assert not {"le", "la", "des", "une", "nous", "que", "pas", "vous"} & found


def test_languages_beside_each_other() -> None:
    texts = [*ENGLISH, *GERMAN, *FRENCH] * 10
    assert languages_of(texts) == ["en", "en", "en", "de", "de", "de", "fr", "fr", "fr"] * 10
    found = terms(*texts)
    assert not {"the", "of", "we", "der", "nicht", "wir", "le", "nous"} & found
    assert {"customer", "kunde", "client"} <= found


def test_short_texts_are_in_the_language_of_the_others() -> None:
    """Without context, one in ten titles is taken for another language: this one for Latin."""
    titles = ["interconvert various bibliographic data formats"]
    assert languages_of([*ENGLISH * 5, *titles]) == ["en"] * 16


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("数据库系统用于存储和管理数据。人工智能改变客户服务", {"人工智能", "客户服务"}, {"和", "用"}),
        ("資料庫系統用於儲存和管理資料。人工智慧改變客戶服務", {"資料庫", "系統", "資料庫系統"}, {"和"}),
        (
            "機械学習は人工知能の一分野です。データベースを管理するツール",
            {"機械学習", "人工知能", "データベース"},
            {"は", "する", "です"},
        ),
        ("การเรียนรู้ของเครื่องเป็นสาขาหนึ่งของปัญญาประดิษฐ์", {"ปัญญาประดิษฐ์", "เครื่อง"}, {"ของ", "เป็น"}),
    ],
)  # fmt: skip
def test_words_without_spaces(text: str, wanted: set[str], unwanted: set[str]) -> None:
    found = terms(text)
    assert wanted <= found, found
    assert not unwanted & found


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("The g++ compiler, C# and c++", {"g++", "c#", "c++", "compiler"}, {"c", "g"}),
        ("object-oriented\nprogramming", {"object oriented", "oriented programming"}, set()),
        ("one sentence. Another paragraph\n\nlast", {"sentence"}, {"sentence paragraph", "paragraph last"}),
        ("state of the art", {"state", "art"}, {"state art", "of"}),
        ("see https://example.org/path <b>bold</b> &nbsp; don't", {"bold"}, {"https", "path", "nbsp", "don", "org"}),
        ("डेटाबेस प्रबंधन", {"डेटाबेस", "प्रबंधन", "डेटाबेस प्रबंधन"}, set()),
        ("ການຮຽນຮູ້ເຄື່ອງຈັກແມ່ນສາຂາໜຶ່ງຂອງປັນຍາປະດິດ", set(), {"ການຮຽນຮູ້ເຄື່ອງຈັກແມ່ນສາຂາໜຶ່ງຂອງປັນຍາປະດິດ"}),
        ("file system", {"file system", "system"}, set()),
    ],
)  # fmt: skip
def test_what_a_word_is(text: str, wanted: set[str], unwanted: set[str]) -> None:
    found = terms(text)
    assert wanted <= found, found
    assert not unwanted & found


def test_which_text_contains_which_term() -> None:
    found = Terms.of(["rust library", "", "library library"])
    assert found.vocabulary.tolist() == ["library", "rust", "rust library"]
    assert np.array_equal(found.contained.toarray(), [[1, 1, 1], [0, 0, 0], [1, 0, 0]])


@pytest.mark.parametrize("texts", [[], ["", ""]])
def test_no_texts(texts: list[str]) -> None:
    found = Terms.of(texts)
    assert found.contained.shape == (len(texts), 0)
