"""Templates, assets, and the headers that every page has."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from clustertrigger import __version__

_ROOM = "clustertrigger.rest.page"
_ASSETS = ("page.css", "page.js", "icon.svg", "htmx/htmx.min.js", "htmx/hx-sse.min.js", "htmx/LICENSE")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # no-referrer would also take the Origin out of forms, by which they are known to be ours.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Authorization, Cookie",
}
"""Of every page. Nothing on it comes from elsewhere, and nothing in its text is run."""
FRAMING = {"Content-Security-Policy": f"{HEADERS['Content-Security-Policy']}; frame-src 'self'"}
"""Beside HEADERS, of a page that has a frame."""
FRAMED = {
    **HEADERS,
    "Content-Security-Policy": (
        "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
}
"""Of a report, in the frame: a page of another origin than ours, to the browser, which reaches nothing. Its scripts are
its own; it says itself which one may run."""


@dataclass(frozen=True)
class Asset:
    """A file of the page."""

    content: bytes
    media_type: str


def _load() -> dict[str, Asset]:
    folder = resources.files(_ROOM) / "assets"
    found = {}
    for name in _ASSETS:
        kind = mimetypes.guess_type(name)[0] or "text/plain"
        found[name] = Asset((folder / name).read_bytes(), kind)
    return found


ASSETS = _load()
"""By name."""
EDITION = hashlib.sha256(b"".join(asset.content for asset in ASSETS.values())).hexdigest()[:12]
"""In the addresses of assets, so that a browser may keep them for ever."""

_environment = Environment(
    loader=PackageLoader(_ROOM),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.globals.update(asset=lambda name: f"/assets/{EDITION}/{name}", version=__version__)


def render(template: str, context: Mapping[str, Any]) -> str:
    """The text of a template."""
    return _environment.get_template(template).render(context)


def page(template: str, status: int = 200, headers: Mapping[str, str] | None = None, **context: Any) -> HTMLResponse:
    """A whole page."""
    return HTMLResponse(render(template, context), status, headers={**HEADERS, **(headers or {})})
