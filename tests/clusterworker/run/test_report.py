"""Tests of the report: map, picture, page."""

from __future__ import annotations

import re
import warnings
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any, get_args

import matplotlib.image
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score

from clusterworker.clustering.algorithms.clustering import centroids_of, means
from clusterworker.run.findings import EarlierMap
from clusterworker.run.report import contents
from clusterworker.run.report.groups import COLOURS, groups_of, numbers_of
from clusterworker.run.report.map import MAP_ROWS, Layout, coordinates, placed
from clusterworker.run.report.picture import Picture
from clusterworker.run.report.plot import HEIGHT, WIDTH, plot
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write

KMEANS = {"algorithm": "kmeans", "n_clusters": 3}


@pytest.mark.parametrize(("layout", "clusters", "apart"), [("pca", 3, 0.5), ("umap", 6, 0.5)])
def test_clusters_are_apart_on_the_map(layout: Layout, clusters: int, apart: float) -> None:
    data = planted(800, clusters, dimensions=32, spread=0.2)
    centroids = centroids_of(means(data.vectors, data.labels), "cosine")
    points = coordinates(data.vectors, data.labels, centroids, "cosine", 0, layout)
    assert points.shape == (800, 2)
    assert silhouette_score(points, data.labels) > apart
    again = coordinates(data.vectors, data.labels, centroids, "cosine", 0, layout)
    assert np.array_equal(points, again)


def test_main_directions_are_scikit_learns() -> None:
    data = planted(300, 4, dimensions=16, spread=0.3)
    nowhere = np.zeros((1, 16), np.float32)
    points = coordinates(data.vectors, np.full(300, -1, np.int32), nowhere, "euclidean", 0, "pca")
    expected = PCA(2).fit_transform(data.vectors)
    assert np.allclose(np.abs(points), np.abs(expected), atol=1e-4)
    mirrored = coordinates(data.vectors[::-1].copy(), np.full(300, -1, np.int32), nowhere, "euclidean", 0, "pca")
    assert np.allclose(points, mirrored[::-1], atol=1e-4), "the order of documents does not turn the map over"


@pytest.mark.parametrize("documents", [1, 2, 3, 30])
def test_few_documents_have_a_map_too(documents: int) -> None:
    vectors = planted(documents, 1).vectors
    labels = np.zeros(documents, np.int32)
    for layout in get_args(Layout):
        assert coordinates(vectors, labels, vectors[:1], "cosine", 0, layout).shape == (documents, 2)


def colours_in(image: Any) -> set[str]:
    pixels = (image[..., :3].reshape(-1, 3) * 255).round().astype(int)
    return {f"#{r:02X}{g:02X}{b:02X}" for r, g, b in np.unique(pixels, axis=0)}


def test_picture_has_a_colour_per_cluster_and_grey_for_the_rest(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(-1, 13), 20).astype(np.int32)
    points = (labels[:, None] * 10 + generator.normal(size=(280, 2))).astype(np.float32)
    names = [f"topic {cluster}" for cluster in range(13)]
    groups = groups_of(labels, names, np.full(13, 20), 20)
    Picture("Title", "subtitle", points, groups).save(tmp_path / "report.png")
    image = matplotlib.image.imread(tmp_path / "report.png")
    assert image.shape[:2] == (936, 1560)
    assert set(COLOURS) <= colours_in(image), "markers of the legend are opaque"


@pytest.mark.parametrize("name", [r"$\frac{1$ and $2$", "$x$", "_hidden", "\u6587\u6863", "\0", "a" * 500, "", "\n\n"])
def test_names_of_any_characters_are_drawn(tmp_path: Path, name: str) -> None:
    """Two dollar signs in an id ended the run: they began a formula. Other scripts filled the log with warnings."""
    labels = np.repeat(np.arange(2), 20).astype(np.int32)
    points = (labels[:, None] * 10 + np.random.default_rng(0).normal(size=(40, 2))).astype(np.float32)
    groups = groups_of(labels, [name, "other"], np.full(2, 20), 0)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        Picture(f"Clusters of {name}", name, points, groups).save(tmp_path / "report.png")
    # Meanwhile, the collector can free what other tests left, such as Spark's sockets, with a ResourceWarning.
    assert [str(warning.message) for warning in seen if issubclass(warning.category, UserWarning)] == []
    assert set(COLOURS[:2]) <= colours_in(matplotlib.image.imread(tmp_path / "report.png"))


def test_ids_with_dollar_signs(pod: Pod) -> None:
    data = planted(60, 3)
    write(pod.volume / "data.parquet", data.vectors, [f"$\\frac{{{row}$" for row in range(60)])
    spec = pod.spec({"algorithm": "kmeans", "n_clusters": 3})
    assert pod.run(spec).num_documents == 60
    assert (pod.folder(spec) / "report.png").exists()


def test_documents_are_placed_on_an_earlier_map_among_their_like() -> None:
    data = planted(200, 4, dimensions=8, spread=0.05)
    ids = data.labels.astype(np.int64)
    points = np.stack([data.labels * 10.0, np.arange(200) % 7], axis=1).astype(np.float32)
    known = EarlierMap("nightly-1", "pca", ids, data.vectors, points)
    assert placed(known, data.vectors, ids) == pytest.approx(points, abs=1e-2), "the same documents"
    between = (data.vectors + 0.01 * np.roll(data.vectors, 1, axis=1)).astype(np.float32)
    found = placed(known, between, ids)
    assert np.array_equal(found[:, 0], points[:, 0]), "in its own cluster"
    assert found[:, 1].min() >= 0
    assert found[:, 1].max() <= 6
    elsewhere = placed(known, data.vectors, np.full(200, 9))
    assert elsewhere == pytest.approx(points, abs=1e-2), "of a cluster that the map does not show"
    one = EarlierMap("nightly-1", "pca", np.zeros(1, np.int64), data.vectors[:1], points[:1])
    assert np.array_equal(placed(one, data.vectors, ids), np.repeat(points[:1], 200, axis=0))


def test_groups_are_every_document_once_and_count_all() -> None:
    labels = np.array([0, 0, 1, -1, 11, 12, 1], np.int32)
    sizes = np.arange(130, 0, -10)
    groups = groups_of(labels, [f"topic {cluster}" for cluster in range(13)], sizes, 7)
    assert sorted(row for group in groups for row in group.rows) == list(range(7))
    assert [group.title for group in groups] == [
        *(f"{cluster}  topic {cluster}" for cluster in range(10)), "3 smaller clusters", "noise"
    ]  # fmt: skip
    assert [group.documents for group in groups][-2:] == [30 + 20 + 10, 7]
    assert len({group.colour for group in groups}) == 12


def test_numbers_do_not_cover_each_other() -> None:
    points = np.array([[0, 0], [50, 50], [51, 51], [50, 52], [100, 100]], np.float32)
    groups = groups_of(np.array([3, 0, 1, 2, -1], np.int32), list("abcd"), np.array([4, 3, 2, 1]), 1)
    numbers = numbers_of(points, groups)
    assert [number.text for number in numbers] == ["0", "1", "2", "3"]
    assert [(number.x, number.y) for number in numbers] == [(50, 50), (51, 55), (50, 60), (0, 0)]


def test_plot_fits_its_box_and_keeps_texts_with_their_dots() -> None:
    points = np.array([[-5, 0], [0, 2], [5, 4]], np.float32)
    groups = groups_of(np.array([1, 0, -1], np.int32), ["a", "b"], np.array([9, 8]), 1)
    drawn = plot(points, groups)
    said = [("low", "mid", "high")[row] for row in drawn.order]
    dots = dict(zip(said, [dot for layer in drawn.layers for dot in layer.dots], strict=True))
    assert " ".join(said) == "high low mid", "noise is drawn first, the largest cluster last"
    assert dots["low"] == pytest.approx((18, HEIGHT - 18))
    assert dots["mid"] == pytest.approx((WIDTH / 2, HEIGHT / 2))
    assert dots["high"] == pytest.approx((WIDTH - 18, 18))
    assert {number.text for number in drawn.numbers} == {"0", "1"}


def test_documents_at_one_point_have_a_map() -> None:
    groups = groups_of(np.zeros(3, np.int32), ["a"], np.array([3]), 0)
    drawn = plot(np.zeros((3, 2), np.float32), groups)
    assert drawn.layers[0].dots == [(WIDTH / 2, HEIGHT / 2)] * 3


class Page(HTMLParser):
    """Collects the references of the page, and its text."""

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
    assert page.references == []
    assert "url(" not in source
    assert page.tags.count("script") == 2, "its own; test_report_in_browser.py tries to inject one"
    assert page.tags.count("circle") == 120
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


def test_page_of_noise_alone(pod: Pod) -> None:
    scattered = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    write(pod.volume / "data.parquet", scattered)
    spec = pod.spec({"algorithm": "hdbscan", "min_cluster_size": 30})
    result = pod.run(spec)
    assert (result.num_clusters, result.num_noise, result.clusters) == (0, 60, [])
    page = Page((pod.folder(spec) / "report.html").read_text())
    assert "0 clusters of 60 documents" in page.text
    assert page.tags.count("circle") == 30, "as many as the fixture maps"
