"""The report: names, map, picture, page."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from clusterworker.algorithms.clustering import centroids_of, means
from clusterworker.report import contents
from clusterworker.report.map import MAP_ROWS, coordinates
from clusterworker.report.naming import name_clusters
from clusterworker.report.picture import COLOURS, Picture
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write

KMEANS = {"algorithm": "kmeans", "n_clusters": 3}


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


def test_clusters_are_apart_on_the_map() -> None:
    data = planted(800, 6, dimensions=32, spread=0.2)
    centroids = centroids_of(means(data.vectors, data.labels), "cosine")
    points = coordinates(data.vectors, data.labels, centroids, "cosine", seed=0)
    assert points.shape == (800, 2)
    assert silhouette_score(points, data.labels) > 0.5
    again = coordinates(data.vectors, data.labels, centroids, "cosine", seed=0)
    assert np.array_equal(points, again)


@pytest.mark.parametrize("documents", [1, 2, 3, 30])
def test_few_documents_have_a_map_too(documents: int) -> None:
    vectors = planted(documents, 1).vectors
    labels = np.zeros(documents, np.int32)
    assert coordinates(vectors, labels, vectors[:1], "cosine", seed=0).shape == (documents, 2)


def colours_in(image: Any) -> set[str]:
    pixels = (image[..., :3].reshape(-1, 3) * 255).round().astype(int)
    return {f"#{r:02X}{g:02X}{b:02X}" for r, g, b in np.unique(pixels, axis=0)}


def test_picture_has_a_colour_per_cluster_and_grey_for_the_rest(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(-1, 13), 20).astype(np.int32)
    points = (labels[:, None] * 10 + generator.normal(size=(280, 2))).astype(np.float32)
    names = [f"topic {cluster}" for cluster in range(13)]
    Picture("Title", "subtitle", points, labels, names, np.full(13, 20), 20).save(tmp_path / "report.png")
    image = matplotlib.image.imread(tmp_path / "report.png")
    assert image.shape[:2] == (936, 1560)
    assert set(COLOURS) <= colours_in(image), "markers of the legend are opaque"


class Page(HTMLParser):
    """Collects what the page refers to, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [str(value) for name, value in attrs if name in ("src", "href", "srcset", "data")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page_stands_alone_and_says_all(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MAP_ROWS", MAP_ROWS)
    data = planted(120, 3, dimensions=8)
    words = ["alpha", "beta", "gamma"]
    texts = [f"{words[label]} <script>alert({row})</script>" for row, label in enumerate(data.labels)]
    write(pod.volume / "data.parquet", data.vectors, texts=texts)
    spec = pod.spec(KMEANS, {"uri": "data.parquet", "text_column": "text"})
    result = pod.run(spec)
    source = (pod.folder(spec) / "report.html").read_text()
    page = Page(source)
    assert all(reference.startswith("data:image/png;base64,") for reference in page.references)
    assert len(page.references) == 1
    assert "script" not in page.tags, "documents cannot inject anything"
    assert "url(" not in source
    assert "search/nightly: 3 clusters of 120 documents" in page.text
    for name, value in result.metrics.items():
        assert name in page.text
        assert f"{value:.4g}" in page.text
    for word in words:
        assert re.search(rf"doc-\d+\s+{word} <script>", page.text)
    picture = matplotlib.image.imread(BytesIO((pod.folder(spec) / "report.png").read_bytes()))
    assert len(colours_in(picture)) > 10


def test_page_without_texts_and_with_one_cluster(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(20, 1).vectors, ids=[f"doc & {row}" for row in range(20)])
    spec = pod.spec({**KMEANS, "n_clusters": 1})
    pod.run(spec)
    page = Page((pod.folder(spec) / "report.html").read_text())
    assert "1 cluster of 20 documents" in page.text
    assert re.search(r"doc & \d+", page.text)
    assert "quality measures compare clusters, and there is one cluster" in page.text
