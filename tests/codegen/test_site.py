"""Tests that links of pages to files of the repository are valid in the site."""

from __future__ import annotations

import pytest

from codegen.site import ADDED, COPIES, ROOT, origin_of, place_of, rewritten


@pytest.mark.parametrize(
    ("place", "link", "expected"),
    [
        ("how-to/install.md", "[x](upgrade.md)", "[x](upgrade.md)"),
        ("how-to/install.md", "[x](#claims)", "[x](#claims)"),
        ("how-to/install.md", "[x](https://example.com/a.md)", "[x](https://example.com/a.md)"),
        (
            "how-to/install.md",
            "[x](../../charts/clustertrigger/README.md#values)",
            "[x](../reference/chart.md#values)",
        ),
        ("how-to/install.md", "[x](../../Dockerfile)", f"[x](../{COPIES}/Dockerfile.txt)"),
        ("how-to/install.md", "those [in `examples/`](../../examples).", "those in `examples/`."),
        ("reference/chart.md", "[x](../../docs/how-to/install.md)", "[x](../how-to/install.md)"),
        ("contributing/how-we-work.md", "[x](docs/design/README.md)", "[x](../design/README.md)"),
        ("contributing/how-we-work.md", "[x](SECURITY.md)", "[x](../understanding/reporting.md)"),
    ],
)
def test_links(place: str, link: str, expected: str) -> None:
    assert rewritten(link, place) == expected


def test_code_is_left_alone() -> None:
    page = "```yaml\n# [x](../../Dockerfile)\n```\n"
    assert rewritten(page, "how-to/install.md") == page


@pytest.mark.parametrize("origin", ADDED)
def test_pages_that_lie_elsewhere_exist_once(origin: str) -> None:
    assert (ROOT / origin).is_file()
    assert not (ROOT / "docs" / ADDED[origin]).exists(), "it would be two pages"
    assert origin_of(ADDED[origin]) == origin
    assert place_of(origin) == ADDED[origin]
