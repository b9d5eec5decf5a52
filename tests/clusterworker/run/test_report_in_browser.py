"""Tests of the report in a real browser, opened from a file: its content, and that it sends no requests."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from clusterworker.run.report.groups import COLOURS
from harness.cluster.errors import ClusterError
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import nested, planted, write
from tests.clusterworker.run.browser import Tab, find_browser, tab

pytestmark = pytest.mark.xdist_group("browser")

INJECTION = """</script><script>document.title = 'injected'</script><img src=x onerror="document.title = 'injected'">"""
_BOX_OF = (
    "(() => {{ const box = document.{}.getBoundingClientRect(); return [box.x, box.y, box.width, box.height] }})()"
)
_MOVED_TO = (
    "(() => {{ const slider = document.querySelector('#granularity input'); slider.value = {}; "
    "slider.dispatchEvent(new Event('input')) }})()"
)
_A_DOT_IN_SIGHT = (
    "[...document.querySelectorAll('#map g.level')[{}].querySelectorAll('circle')]"
    ".map(dot => dot.getBoundingClientRect())"
    ".filter(box => box.bottom < innerHeight).map(box => [box.x, box.y, box.width, box.height])[0]"
)
_FIRST_OF_CLUSTER_0 = "querySelector('#map g[data-title^=\"0\"] circle')"


@pytest.fixture(scope="module", autouse=True)
def _browser() -> None:
    try:
        find_browser()
    except ClusterError as error:
        pytest.skip(f"no browser to be had: {error}")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of 400 documents in three clusters; the text of each contains a script."""
    pod = Pod(tmp_path_factory.mktemp("pod"))
    for directory in (pod.volume, pod.results, pod.mounts.secrets, pod.mounts.scratch):
        directory.mkdir()
    data = planted(400, 3, dimensions=8, spread=0.3)
    texts = [f"word{label} in document {row} {INJECTION}" for row, label in enumerate(data.labels)]
    write(pod.volume / "data.parquet", data.vectors, texts=texts)
    spec = pod.spec({"algorithm": "kmeans", "n_clusters": 3}, {"uri": "data.parquet", "text_column": "text"})
    pod.run(spec)
    return pod.folder(spec) / "report.html"


@pytest.fixture
async def page(report: Path, tmp_path: Path) -> AsyncIterator[Tab]:
    async with tab(tmp_path / "profile") as page:
        await page.open(report)
        yield page
        assert page.complaints == []
        assert page.requests == [report.as_uri()], "nothing but the file itself is asked for"
        assert await page.evaluate("document.title") == "search/nightly: 3 clusters of 400 documents"


async def middle_of(page: Tab, element: str) -> tuple[float, float]:
    x, y, width, height = await page.evaluate(_BOX_OF.format(element))
    return x + width / 2, y + height / 2


async def test_pointing_at_a_document_shows_it(page: Tab) -> None:
    assert await page.evaluate("document.getElementById('tip').hidden") is True
    await page.point_at(*await middle_of(page, _FIRST_OF_CLUSTER_0))
    cluster, document, text = await page.evaluate(
        "[...document.getElementById('tip').children].map(part => part.textContent)"
    )
    assert await page.evaluate("document.getElementById('tip').hidden") is False
    assert cluster.startswith("0  ")
    assert re.match(rf"word\d in document {document.removeprefix('doc-')} </script><script>", text)
    await page.point_at(1, 1)
    assert await page.evaluate("document.getElementById('tip').hidden") is True


async def test_pointing_at_a_name_dims_the_other_clusters(page: Tab) -> None:
    await page.point_at(*await middle_of(page, "querySelector('#legend button')"))
    dimmed = await page.evaluate("[...document.querySelectorAll('#map g.dim')].map(layer => layer.dataset.title[0])")
    assert sorted(dimmed) == ["1", "2"]


@pytest.mark.parametrize("width", [1280, 480])
async def test_it_is_drawn(page: Tab, tmp_path: Path, width: int) -> None:
    await page.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    async with asyncio.timeout(60):
        while await page.evaluate("window.innerWidth") != width:  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.05)
    picture = matplotlib.image.imread(BytesIO(await page.screenshot(tmp_path / "report-in-browser.png")))
    height = await page.evaluate("document.documentElement.scrollHeight")
    assert picture.shape[:2] == (height, width)
    assert height > 1_000
    assert await page.evaluate("document.documentElement.scrollWidth") == width, "nothing to scroll sideways"
    pixels = (picture[..., :3].reshape(-1, 3) * 255).round().astype(int)
    seen = {f"#{r:02X}{g:02X}{b:02X}" for r, g, b in np.unique(pixels, axis=0)}
    assert set(COLOURS[:3]) <= seen, "bars and legend have the map's colours"


async def test_a_slider_moves_the_granularity(tmp_path: Path) -> None:
    pod = Pod(tmp_path)
    for directory in (pod.volume, pod.results, pod.mounts.secrets, pod.mounts.scratch):
        directory.mkdir()
    vectors, groups, parts = nested()
    texts = [f"group{group} part{part}" for group, part in zip(groups, parts, strict=True)]
    write(pod.volume / "data.parquet", vectors, texts=texts)
    spec = pod.spec({"algorithm": "evoc"}, {"uri": "data.parquet", "text_column": "text"})
    pod.run(spec)
    async with tab(tmp_path / "profile") as page:
        await page.call(
            "Emulation.setDeviceMetricsOverride", width=1280, height=2400, deviceScaleFactor=1, mobile=False
        )
        await page.open(pod.folder(spec) / "report.html")
        last = int(await page.evaluate("document.querySelector('#granularity input').max"))
        assert last >= 1
        drawn = []
        for level in range(last + 1):
            await page.evaluate(_MOVED_TO.format(level))
            seen = (
                "[...document.querySelectorAll('.map svg g.level, .map .legend')]"
                ".map(part => getComputedStyle(part).display !== 'none')"
            )
            assert await page.evaluate(seen) == [number == level for number in range(last + 1)] * 2
            said = await page.evaluate("document.querySelector('#granularity output').textContent")
            assert said.startswith(f"layer {level}: ")
            assert said.endswith(("documents in no cluster", "documents in no cluster (the run's clustering)"))
            drawn.append(int(said.split()[2]))
            x, y, width, height = await page.evaluate(_A_DOT_IN_SIGHT.format(level))
            await page.point_at(x + width / 2, y + height / 2)
            cluster, _, text = await page.evaluate(
                "[...document.getElementById('tip').children].map(part => part.textContent)"
            )
            assert cluster
            assert text.startswith("group")
        assert drawn == sorted(drawn, reverse=True)
        assert page.complaints == []
