"""Hooks of the site generator (mkdocs.yml): add pages from elsewhere in the repository, and resolve links out of docs/.

Pages are also written for GitHub, so their links refer to files. In the site, a link to a page becomes a link to that
page, a link to another file a link to a copy of it as text, and a link to a folder plain text. The generator runs in a
separate environment, so this file imports nothing of the project.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs"
ADDED = {
    "CONTRIBUTING.md": "contributing/how-we-work.md",
    "CHANGELOG.md": "contributing/changelog.md",
    "SECURITY.md": "understanding/reporting.md",
    "charts/clustertrigger/README.md": "reference/chart.md",
}
"""Pages of the site that are elsewhere in the repository, where people look for them."""
COPIES = "files"
"""Folder of the site for copies of files that pages link to."""
_LINK = re.compile(r"(?<!!)\[((?:[^][]|\[[^]]*\])*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages from elsewhere, and copies of the files that pages link to."""
    from mkdocs.structure.files import File  # type: ignore[import-not-found]

    for origin, place in ADDED.items():
        files.append(File.generated(config, place, content=(ROOT / origin).read_text()))
    linked = sorted({path for file in files.documentation_pages() for path in linked_files(file)})
    for path in linked:
        files.append(File.generated(config, f"{COPIES}/{path}.txt", content=(ROOT / path).read_text()))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Resolves the links of a page."""
    return rewritten(markdown, page.file.src_uri)


def linked_files(file: Any) -> Iterator[str]:
    """Returns the paths of the files outside of the site's pages that a page links to."""
    origin = origin_of(file.src_uri)
    for _, link in _LINK.findall(_FENCE.sub("", file.content_string)):
        path = target_of(link, origin)
        if path and place_of(path) is None and (ROOT / path).is_file():
            yield path


def rewritten(markdown: str, place: str) -> str:
    """Return a page's text with links that work in the site.

    Args:
        markdown: The page in the repository.
        place: Path of the page in the site, such as how-to/install.md.
    """
    origin = origin_of(place)

    def replaced(match: re.Match[str]) -> str:
        text, link = match.groups()
        path = target_of(link, origin)
        if path is None:
            return match[0]
        anchor = link.partition("#")[2]
        target = place_of(path)
        if target is None and not (ROOT / path).is_file():
            return text
        where = target or f"{COPIES}/{path}.txt"
        relative = posixpath.relpath(where, posixpath.dirname(place) or ".")
        return f"[{text}]({relative}{'#' + anchor if anchor and target else ''})"

    parts: list[str] = []
    end = 0
    for fence in _FENCE.finditer(markdown):
        parts += [_LINK.sub(replaced, markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, _LINK.sub(replaced, markdown[end:])])


def origin_of(place: str) -> str:
    """Returns the path in the repository of a page of the site."""
    return next((origin for origin, target in ADDED.items() if target == place), f"{DOCS}/{place}")


def place_of(path: str) -> str | None:
    """Returns the path in the site of a file of the repository; None if it is not a page or picture of the site."""
    if path in ADDED:
        return ADDED[path]
    inside = path.startswith(f"{DOCS}/") and (ROOT / path).is_file()
    return path.removeprefix(f"{DOCS}/") if inside else None


def target_of(link: str, origin: str) -> str | None:
    """Returns the path in the repository of a link's target; None for the web and for anchors of the page itself."""
    path = link.partition("#")[0]
    if not path or re.match(r"[a-z]+:", link):
        return None
    return os.path.normpath(posixpath.join(posixpath.dirname(origin), path))
